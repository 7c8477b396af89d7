"""The tables of jobs. Every row names its tenant; every statement that serves a caller is filtered by it.

`jobs` is the truth about a job now, `job_events` (append-only) how it came there, `attempts` what each try did and
where its objects lie, `usage` what is charged, once per job, and `usage_months` the same in sums. `job_secrets` holds
a file's password while the job lives and not a moment longer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, Json, UtcDateTime, present

_ID = String(40)
_TENANT = String(128)
_WORD = String(64)
KEPT_RESULT = text("state = 'succeeded' AND result_key IS NOT NULL")
"""Whose results may answer the same order again; the condition of an index that knows no others."""


class JobRow(Base):
    """One job. `revision` grows with every change of the row that its owner can see."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_claim", "state", "lane", "queued_at", "id"),
        Index("ix_jobs_tenant_id", "tenant", "id"),
        Index("ix_jobs_tenant_state", "tenant", "state"),
        Index("ix_jobs_tenant_batch", "tenant", "batch"),
        Index("ix_jobs_state_lease_until", "state", "lease_until"),
        Index("ix_jobs_state_hint_at", "state", "hint_at"),
        Index("ix_jobs_state_deadline_at", "state", "deadline_at"),
        Index("ix_jobs_expires_at", "expires_at"),
        Index("ix_jobs_result_key", "tenant", "result_key", sqlite_where=KEPT_RESULT, postgresql_where=KEPT_RESULT),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    state: Mapped[str] = mapped_column(_WORD)
    stage: Mapped[str | None] = mapped_column(_WORD)
    progress: Mapped[int] = mapped_column(SmallInteger, default=0)
    revision: Mapped[int] = mapped_column(Integer, default=1)

    operation: Mapped[str] = mapped_column(_WORD)
    source_format: Mapped[str | None] = mapped_column(_WORD)
    target_format: Mapped[str | None] = mapped_column(_WORD)
    options: Mapped[dict[str, Any]] = mapped_column(Json)
    """As ordered and checked; keys sorted, so that equal orders are equal texts."""
    steps: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    """What is to be done, one after the other: `{operation, to, options}`. None for a conversion of one file."""
    route: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """As planned; after success as taken: `{engine, engine_version, from, to, lossy}`."""
    limits: Mapped[dict[str, Any]] = mapped_column(Json)
    """The tier of the caller when it was accepted; a later change of tiers does not change a job."""
    included: Mapped[int | None] = mapped_column(Integer)
    """How many conversions of a month the caller's tier had when it was accepted; None: they are not counted."""
    tag: Mapped[str | None] = mapped_column(Text)
    batch: Mapped[str | None] = mapped_column(_ID)
    """What was ordered together has the same."""
    webhook_url: Mapped[str | None] = mapped_column(Text)
    """Who is to be told of its end, beside those that its tenant has registered."""
    result_key: Mapped[str | None] = mapped_column(_WORD)
    """What its result follows from (`result_keys.py`); None for one that answers no other order."""
    cached_from: Mapped[str | None] = mapped_column(_ID)
    """The job whose result it was answered from, when it was ordered; None: it was worked on."""
    estimated_seconds: Mapped[float | None] = mapped_column(Float)
    fidelity: Mapped[float | None] = mapped_column(Float)
    """Of the first tables; nobody ever wrote it."""
    measured: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """How true the output is to the input, where that was measured: `conversion.fidelity.Fidelity`."""
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """`{code, detail}` of what ended it; the rest of the problem follows from the code."""
    rating: Mapped[int | None] = mapped_column(SmallInteger)
    rating_comment: Mapped[str | None] = mapped_column(Text)

    lane: Mapped[str] = mapped_column(_WORD)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    lease_token: Mapped[str | None] = mapped_column(_ID)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(_WORD)
    """The instance that holds the lease."""
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    deadline_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancel_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    crash_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    transient_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    hint_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When the queue may be told of it again."""
    hint_n: Mapped[int] = mapped_column(Integer, default=0)

    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=present(), onupdate=present())
    """When anything in this row was last written, by the database's own clock: for operators, never for a decision."""
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Since when it counts as waiting, which is what turns are taken by: later than it was accepted if its owner had
    others waiting (`accepting.ACCEPT`)."""
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the files of an erased job were seen to be gone; erased and empty means: the pruner has work."""


class JobInputRow(Base):
    """The n-th input of a job."""

    __tablename__ = "job_inputs"
    __table_args__ = (Index("ix_job_inputs_artifact_id", "artifact_id"),)

    job_id: Mapped[str] = mapped_column(_ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(_TENANT)
    artifact_id: Mapped[str] = mapped_column(_ID)
    upload_id: Mapped[str | None] = mapped_column(_ID)
    from_job: Mapped[str | None] = mapped_column(_ID)
    from_output: Mapped[int | None] = mapped_column(Integer)
    source_format: Mapped[str | None] = mapped_column(_WORD)
    """The caller's word on the format, when it gave one."""


class JobOutputRow(Base):
    """The n-th output of a job that succeeded."""

    __tablename__ = "job_outputs"
    __table_args__ = (Index("ix_job_outputs_artifact_id", "artifact_id"),)

    job_id: Mapped[str] = mapped_column(_ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(_TENANT)
    artifact_id: Mapped[str] = mapped_column(_ID)
    pages: Mapped[int | None] = mapped_column(Integer)
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    duration: Mapped[float | None] = mapped_column(Float)


class AttemptRow(Base):
    """One try. Committed before its first object is stored, so that every orphan can be found from here."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_swept", "swept", "ended_at"),)

    job_id: Mapped[str] = mapped_column(_ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(_TENANT)
    token: Mapped[str] = mapped_column(_ID)
    worker: Mapped[str] = mapped_column(_WORD)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(_WORD)
    """The state it left the job in, or `lost` when its worker was never heard of again."""
    stage: Mapped[str | None] = mapped_column(_WORD)
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    seconds: Mapped[float | None] = mapped_column(Float)
    swept: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether no object of a try without result can be left in the store."""


class JobEventRow(Base):
    """One move. `seq` is the job's revision at that moment: growing, not gapless."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_at", "at"), Index("ix_job_events_tenant_at", "tenant", "at"))

    job_id: Mapped[str] = mapped_column(_ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(_TENANT)
    source: Mapped[str | None] = mapped_column(_WORD)
    target: Mapped[str] = mapped_column(_WORD)
    actor: Mapped[str] = mapped_column(_WORD)
    attempt: Mapped[int] = mapped_column(Integer)
    progress: Mapped[int] = mapped_column(SmallInteger)
    code: Mapped[str | None] = mapped_column(_WORD)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class UsageRow(Base):
    """What a job is charged for; the primary key makes it once."""

    __tablename__ = "usage"
    __table_args__ = (Index("ix_usage_tenant_at", "tenant", "at"),)

    job_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    seconds: Mapped[float] = mapped_column(Float)
    input_bytes: Mapped[int] = mapped_column(BigInteger)
    output_bytes: Mapped[int] = mapped_column(BigInteger)


class UsageMonthRow(Base):
    """What a tenant used in a calendar month (UTC): the sums of its rows in `usage`, written in the same commits."""

    __tablename__ = "usage_months"
    __table_args__ = (Index("ix_usage_months_month_closed_at", "month", "closed_at"),)

    tenant: Mapped[str] = mapped_column(_TENANT, primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    conversions: Mapped[int] = mapped_column(Integer)
    credits: Mapped[int] = mapped_column(Integer)
    """How many of them were beyond what the tier includes."""
    seconds: Mapped[float] = mapped_column(Float)
    input_bytes: Mapped[int] = mapped_column(BigInteger)
    output_bytes: Mapped[int] = mapped_column(BigInteger)
    tier: Mapped[str] = mapped_column(_WORD)
    """Of the last of them."""
    included: Mapped[int | None] = mapped_column(Integer)
    """The same: how many the tier includes."""
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the month was seen to be over and its sums to be right; from then on nothing is added."""


class CreditRow(Base):
    """Credits that a tenant was given or bought; append-only. What was spent of them is in `usage_months`."""

    __tablename__ = "credits"
    __table_args__ = (Index("ix_credits_tenant", "tenant"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    amount: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class JobSecretRow(Base):
    """The password of a job's input, sealed, while the job is alive."""

    __tablename__ = "job_secrets"

    job_id: Mapped[str] = mapped_column(_ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class TenantGateRow(Base):
    """One row per tenant; whoever accepts a job for it holds this row, so that a cap holds under any race."""

    __tablename__ = "tenant_gates"

    tenant: Mapped[str] = mapped_column(_TENANT, primary_key=True)
    accepted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    listens: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Whether somebody is to be told of the ends of its jobs: then each leaves a row in `job_endings`."""
    fonts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its own fonts were changed last: results of jobs from before then answer no order any more."""


class PaceRow(Base):
    """How long the last runs of one kind of work took (`pace.py`): of nobody's, and of no file."""

    __tablename__ = "paces"
    __table_args__ = (Index("ix_paces_updated_at", "updated_at"),)

    kind: Mapped[str] = mapped_column(String(255), primary_key=True)
    runs: Mapped[list[list[float]]] = mapped_column(Json)
    """The oldest first."""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class JobEndingRow(Base):
    """The end of a job that somebody is to be told of, written by the transaction that ended it. An erase is told only
    of a job that was still to be done for a batch, whose end it may be.

    An outbox of its own: the rows of the other one are hints, which whoever publishes them may throw away.
    """

    __tablename__ = "job_endings"
    __table_args__ = (Index("ix_job_endings_at", "at"),)

    job_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(_TENANT)
    state: Mapped[str] = mapped_column(_WORD)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
