"""The statement that accepts a job: all that there is to write, if its tenant has room for it, in one trip.

How much room there is has to be counted, and what is counted must not change until the job is there too. So whoever
accepts a job for a tenant holds that tenant's row in `tenant_gates`. But a statement on PostgreSQL counts what was
there when it began, and it may have had to wait for the row since then. `ACCEPT_AT_ONCE` therefore does nothing when
somebody else has held the row after it began, which it sees from the moment that is written there; then the row is to
be taken first (`GATE`), and the job accepted by a second statement (`ACCEPT`). On SQLite writers come one after the
other, and there is nothing to hold.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    FromClause,
    Insert,
    Integer,
    Interval,
    ScalarSelect,
    Select,
    String,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from filewright.chassis.db.base import UtcDateTime
from filewright.chassis.db.hot import Chain, Change, Look, Speech, given
from filewright.chassis.queue.outbox import OutboxRow
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import CreditRow, JobInputRow, JobRow, JobSecretRow, TenantGateRow, UsageMonthRow
from filewright.converter.jobs.statements.parts import event, place, rows_into, table_of, to_come
from filewright.converter.jobs.states import LIVE, Actor, JobState
from filewright.converter.jobs.topics import TASK_KIND
from filewright.converter.uploads.models import UploadRow, UploadState

TURN_SECONDS = 5.0
"""By how much the turn of a job comes after that of its owner's job before it, while that waits; less by its weight."""
LONGEST_TURN_SECONDS = 1800.0
"""No turn is put off by more."""

_JOBS, _INPUTS, _ARTIFACTS = table_of(JobRow), table_of(JobInputRow), table_of(ArtifactRow)
_GATES, _SECRETS, _OUTBOX = table_of(TenantGateRow), table_of(JobSecretRow), table_of(OutboxRow)
_MONTHS, _CREDITS, _UPLOADS = table_of(UsageMonthRow), table_of(CreditRow), table_of(UploadRow)

OF_TENANT = given("of_tenant", String())
_OF_ARTIFACT = given("of_artifact", String())
WANTED = given("wanted", String())
"""A key of results, if one that is there would do."""

ORDERED = (
    "id", "operation", "source_format", "target_format", "options", "steps", "route", "limits", "included", "tag",
    "batch", "webhook_url", "estimated_seconds", "lane", "result_key",
)  # fmt: skip
_FRESH = {
    "state": JobState.QUEUED.value,
    **dict.fromkeys(("progress", "attempt", "crash_count", "transient_count", "hint_n"), 0),
    "revision": 1,
}
RETURNED = ("id", "tenant", "lane", "created_at", "queued_at", "revision", "state", "attempt", "progress")
"""Of a job that was just accepted: what follows from it needs."""
SOURCE = ("upload_id", "from_job", "from_output", "source_format")


# --- the gate ----------------------------------------------------------------------------------------------------


def _gate(speech: Speech, *, unless_held_since: bool = False) -> Insert:
    """Hold the row; as a sign for those who have begun before, it gets a moment that it never had."""
    row = speech.insert(_GATES).values(tenant=OF_TENANT, accepted_at=speech.now_after_waiting, listens=false())
    if not speech.postgresql:
        return row.on_conflict_do_update(index_elements=["tenant"], set_={"accepted_at": speech.now_after_waiting})
    next_moment = _GATES.c.accepted_at.op("+", return_type=UtcDateTime())(
        literal(timedelta(microseconds=1), Interval())
    )
    seen = _GATES.alias("seen")
    as_seen = select(seen.c.accepted_at).where(seen.c.tenant == OF_TENANT).scalar_subquery()
    return row.on_conflict_do_update(
        index_elements=["tenant"],
        set_={"accepted_at": speech.latest(speech.now_after_waiting, next_moment)},
        where=_GATES.c.accepted_at == as_seen if unless_held_since else None,
    )


GATE = Chain(lambda speech: _gate(speech).returning(speech.now_after_waiting.label("at")))
"""Hold the row of `of_tenant` until the unit of work ends. Tells `at`: the moment at which it was got."""


# --- how much room there is --------------------------------------------------------------------------------------


def unfinished() -> ScalarSelect[int]:
    other = _JOBS.alias("other")
    return select(func.count()).where(other.c.tenant == OF_TENANT, other.c.state.in_(sorted(LIVE))).scalar_subquery()


def used(speech: Speech) -> ColumnElement[int]:
    """Conversions of the month so far."""
    this_month = _MONTHS.c.month == speech.month(speech.now)
    so_far = select(_MONTHS.c.conversions).where(_MONTHS.c.tenant == OF_TENANT, this_month)
    return func.coalesce(so_far.scalar_subquery(), 0)


def credits_left() -> ColumnElement[int]:
    """What is left of all that were ever given."""
    given_ever = select(func.coalesce(func.sum(_CREDITS.c.amount), 0)).where(_CREDITS.c.tenant == OF_TENANT)
    spent = select(func.coalesce(func.sum(_MONTHS.c.credits), 0)).where(_MONTHS.c.tenant == OF_TENANT)
    return given_ever.scalar_subquery() - spent.scalar_subquery()


def kept(job: FromClause, speech: Speech) -> tuple[ColumnElement[bool], ...]:
    """The jobs of the tenant whose results are there, and made with the fonts that it has. The state is written as in
    the index (`models.KEPT_RESULT`).
    """
    succeeded = job.c.state == literal_column(f"'{JobState.SUCCEEDED.value}'")
    gate = _GATES.alias("fonts_of")
    changed = exists().where(gate.c.tenant == OF_TENANT, gate.c.fonts_at >= job.c.created_at)
    return (job.c.tenant == OF_TENANT, succeeded, job.c.expires_at > speech.now, ~changed)


def known(speech: Speech, key: ColumnElement[str]) -> Select[Any]:
    """Those of them whose result is just that, the newest first."""
    other = _JOBS.alias("known")
    return select(other.c.id).where(*kept(other, speech), other.c.result_key == key).order_by(other.c.id.desc())


def _standing(speech: Speech) -> Any:
    return select(
        unfinished().label("unfinished"),
        used(speech).label("used"),
        credits_left().label("credits"),
        known(speech, WANTED).limit(1).scalar_subquery().label("known"),
    )


STANDING = Look(_standing)
"""Of `of_tenant`: how many jobs are `unfinished`, how many conversions of this month are `used`, the `credits` that are
left, and the job whose result is what is `wanted`, if there is one."""


# --- the job and what belongs to it ------------------------------------------------------------------------------


def turn(speech: Speech, before: ColumnElement[int] | None = None) -> ColumnElement[datetime]:
    """Now, if none of the tenant's jobs waits; else some time after the turn of its last one, so that who orders a
    hundred at once does not stand before who orders one after that. Never out of the tenant's own order. `before`: how
    many of this very statement come first.
    """
    now, other = speech.now, _JOBS.alias("before")
    last = select(func.max(other.c.queued_at, type_=UtcDateTime()))
    last = last.where(other.c.tenant == OF_TENANT, other.c.state == JobState.QUEUED)
    apart = given("apart", Float())
    after = speech.later(last.scalar_subquery(), apart)
    latest = speech.latest(now, func.coalesce(after, now, type_=UtcDateTime()))
    if before is not None:
        latest = speech.later(latest, apart * before)
    return speech.earliest(latest, speech.later(now, LONGEST_TURN_SECONDS))


def gate_was_free(speech: Speech) -> ColumnElement[bool]:
    """It is held now, and nobody has held it since the statement began. On PostgreSQL."""
    gate = _gate(speech, unless_held_since=True).returning(_GATES.c.tenant).cte("gate")
    return exists(select(gate.c.tenant))


def fresh(speech: Speech) -> dict[str, ColumnElement[Any]]:
    """What every new job has in its columns."""
    return {
        **{name: literal(value) for name, value in _FRESH.items()},
        "tenant": OF_TENANT,
        **dict.fromkeys(("created_at", "not_before"), speech.now),
        "deadline_at": speech.after("deadline"),
        "hint_at": speech.after("first_hint"),
    }


def readable() -> ColumnElement[bool]:
    """Whether the file that is ordered is there, and the upload, if it is one, was not taken away."""
    there = exists().where(
        _ARTIFACTS.c.id == _OF_ARTIFACT, _ARTIFACTS.c.tenant == OF_TENANT, _ARTIFACTS.c.erased_at.is_(None)
    )
    return and_(there, is_still_offered(given("input_upload_id", String())))


def is_still_offered(upload_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Not taken away; an output of a job is no upload, and never is."""
    taken_away = (_UPLOADS.c.id == upload_id, _UPLOADS.c.state == literal_column(f"'{UploadState.TERMINATED.value}'"))
    return ~exists().where(*taken_away)


def _insert_job(speech: Speech, *, at_once: bool) -> Any:
    told = dict(to_come(_JOBS, "job", *ORDERED))
    most, included = given("most", Integer()), told["included"]
    left = case((included > used(speech), included - used(speech)), else_=0)
    values: dict[str, ColumnElement[Any]] = {
        **told,
        **fresh(speech),
        "queued_at": turn(speech),
    }
    row = select(*(value.label(name) for name, value in values.items())).where(
        readable(),
        ~known(speech, WANTED).exists(),
        or_(most.is_(None), unfinished() < most),
        or_(included.is_(None), unfinished() < left + credits_left()),
    )
    if at_once and speech.postgresql:
        row = row.where(gate_was_free(speech))
    return rows_into(_JOBS, list(values), row).returning(*(_JOBS.c[name] for name in RETURNED))


def hint(moved: FromClause, _speech: Speech) -> Change:
    return rows_into(_OUTBOX, ["kind", "task_id", "lane"], select(literal(TASK_KIND), moved.c.id, moved.c.lane))


def _insert_secret(moved: FromClause, _speech: Speech) -> Change:
    sealed = given("sealed", _SECRETS.c.sealed.type)
    row = select(moved.c.id, moved.c.tenant, sealed).where(sealed.is_not(None))
    return rows_into(_SECRETS, ["job_id", "tenant", "sealed"], row)


def insert_input(moved: FromClause, _speech: Speech) -> Change:
    """The first of the job."""
    source = to_come(_INPUTS, "input", *SOURCE)
    row = select(moved.c.id, literal(0), moved.c.tenant, _OF_ARTIFACT, *source.values())
    return rows_into(_INPUTS, ["job_id", "n", "tenant", "artifact_id", *source], row)


def keep_artifact(moved: FromClause, speech: Speech) -> Change:
    """As long as the job may take, and its result is kept: what was ordered can be ordered again."""
    until = speech.after("kept_for")
    mine = _ARTIFACTS.c.id == select(_OF_ARTIFACT).select_from(moved).scalar_subquery()
    return update(_ARTIFACTS).where(mine, _ARTIFACTS.c.expires_at < until).values(expires_at=until)


def _with_its_place(moved: FromClause, speech: Speech) -> Select[Any]:
    return select(moved.c.id, moved.c.created_at, place(moved, speech).label("place"))


def _accept(*, at_once: bool) -> Chain:
    return Chain(
        partial(_insert_job, at_once=at_once),
        [event(None, Actor.CALLER), hint, _insert_secret, insert_input, keep_artifact],
        _with_its_place,
    )


ACCEPT = _accept(at_once=False)
"""A new job, queued, with its one input, event, hint and what is `sealed`, unless its tenant has `most` that are
not over, or as many as the month and its credits have room for, or the file is gone, or what is `wanted` is there.

Only under the tenant's gate. Every unfinished job is counted as if it were to succeed, so that what succeeds is never
more than there was room for. Tells `created_at`, and its `place` in the queue, none beyond `FARTHEST_PLACE` + 1.
"""
ACCEPT_AT_ONCE = _accept(at_once=True)
"""The same without the gate held; and nothing also when another has held it since the statement began."""
