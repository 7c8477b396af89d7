"""What whoever holds a lease may do, and only they: claim, beat, report, commit."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from filewright.chassis.db.database import Database
from filewright.chassis.db.hot import Unit, make
from filewright.chassis.db.sessions import ReadSession, WriteSession
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs import statements
from filewright.converter.jobs.models import AttemptRow, JobOutputRow, JobRow
from filewright.converter.jobs.repository.moves import NO_LEASE, Ended, end_attempt, kept_or, move, prefixed
from filewright.converter.jobs.states import LEASED, Actor, JobState, Stage, sources_of


@dataclass(frozen=True)
class Lease:
    """The right to work on a job: the fence of every write that a worker makes."""

    job_id: str
    attempt: int
    token: str

    def named(self) -> dict[str, Any]:
        """As the statements that are made all the time call it."""
        return {"of_job": self.job_id, "of_attempt": self.attempt, "of_token": self.token}

    def holds(self, *states: JobState) -> ColumnElement[bool]:
        """The guard: this very attempt, still in one of these states."""
        return and_(
            JobRow.id == self.job_id,
            JobRow.attempt == self.attempt,
            JobRow.lease_token == self.token,
            JobRow.state.in_(states),
        )


async def attempt_of(session: ReadSession, lease: Lease) -> AttemptRow | None:
    """The attempt that this lease is for."""
    statement = select(AttemptRow).where(
        AttemptRow.job_id == lease.job_id, AttemptRow.number == lease.attempt, AttemptRow.token == lease.token
    )
    return (await session.scalars(statement)).one_or_none()


async def claim(
    on: WriteSession | Database,
    *,
    worker: str,
    lease_for: timedelta,
    lane: str,
    then: str | None = None,
    suspects: bool = False,
    now: datetime | None = None,
) -> Any | None:
    """Take the job that waits longest in the lane, else in the lane `then`, under a new attempt number and token.

    `suspects`: take only a job that has crashed twice, which must run alone; otherwise never such a one. What comes is
    the job's row, with its first input and its secret beside it.
    """
    return await on.make(
        statements.CLAIM_SUSPECT if suspects else statements.CLAIM,
        lane_first=lane,
        lane_then=then,
        new_token=secrets.token_hex(16),
        instance=worker,
        lease_for=lease_for,
        now=now,
    )


async def beat(
    on: WriteSession | Database, lease: Lease, *, lease_for: timedelta, now: datetime | None = None
) -> JobState | None:
    """Renew the lease; the job's state (`cancelling` asks to stop), or None when the lease is gone."""
    row = await on.make(statements.BEAT, **lease.named(), lease_for=lease_for, now=now)
    return JobState(row.state) if row is not None else None


async def report(
    on: WriteSession | Database,
    lease: Lease,
    *,
    lease_for: timedelta,
    stage: Stage,
    progress: int,
    now: datetime | None = None,
) -> JobState | None:
    """Write down how far the attempt is, which renews the lease too. What a caller was shown never goes back."""
    values = {"lease_for": lease_for, "at_stage": stage.value, "done": progress, "now": now}
    row = await on.make(statements.REPORT, **lease.named(), **values)
    return JobState(row.state) if row is not None else None


async def held_state(on: ReadSession | Database, lease: Lease) -> JobState | None:
    """The state of the job while this lease holds; None when it is gone."""
    rows = await on.ask(statements.HELD, **lease.named())
    return JobState(rows[0].state) if rows else None


def commit(
    lease: Lease,
    *,
    ended: Ended,
    usage: Mapping[str, Any],
    tier: str,
    keep_for: timedelta,
    outputs: Sequence[tuple[ArtifactRow, JobOutputRow]],
    route: Sequence[Mapping[str, Any]],
    source_format: str | None = None,
    measured: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Unit[Any]:
    """The one way to success: outputs, usage and the move together, if this attempt still holds the job.

    The files of its outputs are kept as long as the job, from this moment on.
    """
    row = yield from make(
        statements.COMMIT,
        **lease.named(),
        **{f"used_{name}": amount for name, amount in usage.items()},
        of_tier=tier,
        keep_for=keep_for,
        at_stage=ended.stage.value if ended.stage else None,
        took=ended.seconds,
        taken_route=list(route),
        as_measured=None if measured is None else dict(measured),
        found_format=source_format,
        now=now,
    )
    if row is None:
        return None
    for artifact, output in outputs:
        artifact.created_at, artifact.expires_at = row.at, row.expires_at
        yield from make(statements.ADD_OUTPUT, **prefixed("file", artifact), **prefixed("output", output))
    return row


async def end(
    session: WriteSession, lease: Lease, target: JobState, *, now: datetime, ended: Ended, **values: Any
) -> JobRow | None:
    """End this attempt and leave the job in `target`; None when another has moved the job meanwhile."""
    sources = sources_of(target, Actor.WORKER) & LEASED
    moved = await move(session, target, Actor.WORKER, lease.holds(*sources), now=now, **{**NO_LEASE, **values})
    for job in moved:
        await end_attempt(session, lease.job_id, lease.attempt, now, target, ended)
        return job
    return None


async def note_stale(session: WriteSession, lease: Lease, *, now: datetime, ended: Ended) -> None:
    """Write down how an attempt ended that was no longer wanted. Its objects are already dropped."""
    statement = update(AttemptRow).where(
        AttemptRow.job_id == lease.job_id, AttemptRow.number == lease.attempt, AttemptRow.token == lease.token
    )
    await session.execute(
        statement.values(ended_at=kept_or(AttemptRow.ended_at, now), error=ended.error, seconds=ended.seconds)
    )
