"""Every statement on the tables of jobs. A move is one guarded UPDATE; whoever matches no row has lost the race.

All functions work inside the caller's unit of work and take `now` from `Database.now`, the one clock that decides
about leases. Guards name the state that is left, and for a worker its attempt and token as well: the fence. What a
function returns says who won; nothing is raised for losing.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, literal, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from filewright.chassis.db.base import Base, UtcDateTime
from filewright.chassis.db.database import Database
from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.db.sessions import ReadSession, WriteSession
from filewright.converter.artifacts.models import Artifact, ArtifactRow
from filewright.converter.errors import Cancelled, Quarantined, Timeout
from filewright.converter.jobs import accepting, statements
from filewright.converter.jobs.errors import stored
from filewright.converter.jobs.models import (
    AttemptRow,
    JobEventRow,
    JobInputRow,
    JobOutputRow,
    JobRow,
    JobSecretRow,
)
from filewright.converter.jobs.orders import JobInput
from filewright.converter.jobs.policy import MAX_CRASHES, Counters
from filewright.converter.jobs.states import HELD, LEASED, LIVE, Actor, JobState, Stage, is_terminal, sources_of

LOST = "lost"
"""The outcome of an attempt whose worker was never heard of again."""
NO_LEASE: Mapping[str, Any] = {"lease_token": None, "lease_until": None, "worker": None, "stage": None}


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


@dataclass(frozen=True)
class Ended:
    """What is written down about an attempt that is over."""

    error: Mapping[str, Any] | None = None
    seconds: float | None = None
    stage: Stage | None = None


# --- looking -----------------------------------------------------------------------------------------------------


async def find(session: ReadSession, job_id: str, tenant: str | None = None) -> JobRow | None:
    """The job; with a tenant, only when it is that tenant's."""
    statement = select(JobRow).where(JobRow.id == job_id).execution_options(populate_existing=True)
    if tenant is not None:
        statement = statement.where(JobRow.tenant == tenant)
    return (await session.scalars(statement)).one_or_none()


async def shown(session: ReadSession, job_id: str, tenant: str) -> Any | None:
    """All that the tenant sees of its job; None when there is no such job."""
    rows = await session.ask(statements.JOB, of_job=job_id, of_tenant=tenant)
    return rows[0] if rows else None


async def page(
    session: ReadSession,
    tenant: str,
    *,
    before: str | None,
    limit: int,
    states: Sequence[JobState] | None,
    tag: str | None,
) -> Sequence[JobRow]:
    """Jobs of a tenant, newest first, older than the job `before`. Ids sort by birth."""
    statement = select(JobRow).where(JobRow.tenant == tenant).order_by(JobRow.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(JobRow.id < before)
    if states is not None:
        statement = statement.where(JobRow.state.in_(states))
    if tag is not None:
        statement = statement.where(JobRow.tag == tag)
    return (await session.scalars(statement)).all()


async def inputs_of(session: ReadSession, job_ids: Sequence[str]) -> Sequence[tuple[JobInputRow, ArtifactRow | None]]:
    """The inputs of these jobs in order, each with its artifact."""
    statement = (
        select(JobInputRow, ArtifactRow)
        .outerjoin(ArtifactRow, ArtifactRow.id == JobInputRow.artifact_id)
        .where(JobInputRow.job_id.in_(job_ids))
        .order_by(JobInputRow.job_id, JobInputRow.n)
    )
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def outputs_of(session: ReadSession, job_ids: Sequence[str]) -> Sequence[tuple[JobOutputRow, ArtifactRow]]:
    """The outputs of these jobs in order, each with its artifact."""
    statement = (
        select(JobOutputRow, ArtifactRow)
        .join(ArtifactRow, ArtifactRow.id == JobOutputRow.artifact_id)
        .where(JobOutputRow.job_id.in_(job_ids))
        .order_by(JobOutputRow.job_id, JobOutputRow.n)
    )
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def events_after(session: ReadSession, job_id: str, seq: int) -> Sequence[JobEventRow]:
    """The moves of a job after that revision, in order."""
    statement = select(JobEventRow).where(JobEventRow.job_id == job_id, JobEventRow.seq > seq).order_by(JobEventRow.seq)
    return (await session.scalars(statement)).all()


async def state_at(session: ReadSession, job_id: str, revision: int) -> JobState | None:
    """The state that the job had at that revision."""
    statement = (
        select(JobEventRow.target)
        .where(JobEventRow.job_id == job_id, JobEventRow.seq <= revision)
        .order_by(JobEventRow.seq.desc())
        .limit(1)
    )
    target = (await session.scalars(statement)).one_or_none()
    return JobState(target) if target else None


async def revision_of(session: ReadSession, job_id: str) -> int | None:
    """Its revision now; None when there is no such job."""
    return (await session.scalars(select(JobRow.revision).where(JobRow.id == job_id))).one_or_none()


async def live_jobs(session: ReadSession, tenant: str) -> int:
    """How many jobs of the tenant are not over."""
    statement = select(func.count()).select_from(JobRow).where(JobRow.tenant == tenant, JobRow.state.in_(LIVE))
    return (await session.scalars(statement)).one()


async def live_revisions(session: ReadSession, tenant: str) -> dict[str, tuple[int, JobState]]:
    """The jobs of the tenant that are not over, by birth: the revision and the state of each."""
    statement = (
        select(JobRow.id, JobRow.revision, JobRow.state)
        .where(JobRow.tenant == tenant, JobRow.state.in_(LIVE))
        .order_by(JobRow.id)
    )
    return {job_id: (revision, JobState(state)) for job_id, revision, state in await session.execute(statement)}


async def places(session: ReadSession, tenant: str) -> dict[str, int]:
    """The places in the queue of the tenant's jobs; 1 is next. As `shown` counts, for all at once."""
    place = func.row_number().over(order_by=(JobRow.lane, JobRow.queued_at, JobRow.id)).label("place")
    queue = select(JobRow.id, JobRow.tenant, place).where(JobRow.state == JobState.QUEUED).subquery()
    found = await session.execute(select(queue.c.id, queue.c.place).where(queue.c.tenant == tenant))
    return {row.id: row.place for row in found}


async def moved_since(
    session: ReadSession, tenant: str, moment: datetime, *, after: str = "", limit: int | None = None
) -> dict[str, int]:
    """The jobs of the tenant that moved at that moment or later, by birth, each with its revision at its last move.

    `after` and `limit`: so many of those that were born after that job.
    """
    statement = (
        select(JobEventRow.job_id, func.max(JobEventRow.seq))
        .where(JobEventRow.tenant == tenant, JobEventRow.at >= moment, JobEventRow.job_id > after)
        .group_by(JobEventRow.job_id)
        .order_by(JobEventRow.job_id)
        .limit(limit)
    )
    return {row[0]: row[1] for row in await session.execute(statement)}


async def of_tenant(session: ReadSession, tenant: str, job_ids: Sequence[str]) -> Sequence[JobRow]:
    """Those of these jobs that are the tenant's, by birth."""
    statement = select(JobRow).where(JobRow.tenant == tenant, JobRow.id.in_(job_ids)).order_by(JobRow.id)
    return (await session.scalars(statement)).all()


async def of_batch(session: ReadSession, tenant: str, batch: str) -> Sequence[JobRow]:
    """The tenant's jobs that were ordered together, by birth."""
    statement = select(JobRow).where(JobRow.tenant == tenant, JobRow.batch == batch).order_by(JobRow.id)
    return (await session.scalars(statement)).all()


async def tenants_of(session: ReadSession, job_ids: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Each of these jobs with its tenant."""
    statement = select(JobRow.id, JobRow.tenant).where(JobRow.id.in_(job_ids))
    return [(job_id, tenant) for job_id, tenant in await session.execute(statement)]


async def secret_of(session: ReadSession, job_id: str) -> bytes | None:
    """The sealed password of a job, if it has one."""
    return (await session.scalars(select(JobSecretRow.sealed).where(JobSecretRow.job_id == job_id))).one_or_none()


async def attempt_of(session: ReadSession, lease: Lease) -> AttemptRow | None:
    """The attempt that this lease is for."""
    statement = select(AttemptRow).where(
        AttemptRow.job_id == lease.job_id, AttemptRow.number == lease.attempt, AttemptRow.token == lease.token
    )
    return (await session.scalars(statement)).one_or_none()


# --- accepting ---------------------------------------------------------------------------------------------------


async def hold_gate(session: WriteSession, tenant: str) -> datetime:
    """Let no other process accept a job for this tenant until the unit of work ends; the moment at which that is so."""
    moment: datetime = (await session.make(accepting.GATE, of_tenant=tenant)).at
    return moment


async def standing(on: ReadSession | Database, tenant: str, *, now: datetime | None = None) -> Any:
    """How the tenant stands: `unfinished` jobs, conversions `used` of the month, and `credits` left."""
    return (await on.ask(accepting.STANDING, of_tenant=tenant, now=now))[0]


async def keep_artifacts(session: WriteSession, artifact_ids: Sequence[str], *, until: datetime) -> None:
    """See that these files are not pruned before that moment."""
    statement = update(ArtifactRow).where(ArtifactRow.id.in_(artifact_ids), ArtifactRow.expires_at < until)
    await session.execute(statement.values(expires_at=until).execution_options(synchronize_session=False))


async def keep_readable(session: WriteSession, tenant: str, artifact_ids: Collection[str], *, until: datetime) -> int:
    """The same of those that are this tenant's and not erased, which they cannot be before the unit of work ends; how
    many that are.
    """
    readable = (ArtifactRow.id.in_(artifact_ids), ArtifactRow.tenant == tenant, ArtifactRow.erased_at.is_(None))
    later = case((ArtifactRow.expires_at < until, literal(until, UtcDateTime())), else_=ArtifactRow.expires_at)
    statement = update(ArtifactRow).where(*readable).values(expires_at=later).returning(ArtifactRow.id)
    return len((await session.scalars(statement.execution_options(synchronize_session=False))).all())


def add_inputs(
    session: WriteSession, job_id: str, tenant: str, inputs: Iterable[tuple[JobInput, Artifact]], *, first: int = 1
) -> None:
    """The inputs of a job that was just accepted, from the `first` on."""
    for n, (item, file) in enumerate(inputs, first):
        session.add(
            JobInputRow(
                job_id=job_id,
                n=n,
                tenant=tenant,
                artifact_id=file.id,
                upload_id=item.upload,
                from_job=item.job,
                from_output=item.output if item.job is not None else None,
                source_format=item.source_format,
            )
        )


# --- the worker's moves: in a unit of work, or as one; `now` is the database's own, unless it is given ---------------


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


async def commit(
    session: WriteSession,
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
) -> Any | None:
    """The one way to success: outputs, usage and the move together, if this attempt still holds the job.

    The files of its outputs are kept as long as the job, from this moment on.
    """
    row = await session.make(
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
        await session.make(statements.ADD_OUTPUT, **_prefixed("file", artifact), **_prefixed("output", output))
    return row


async def end(
    session: WriteSession, lease: Lease, target: JobState, *, now: datetime, ended: Ended, **values: Any
) -> JobRow | None:
    """End this attempt and leave the job in `target`; None when another has moved the job meanwhile."""
    sources = sources_of(target, Actor.WORKER) & LEASED
    moved = await _move(session, target, Actor.WORKER, lease.holds(*sources), now=now, **{**NO_LEASE, **values})
    for job in moved:
        await _end_attempt(session, lease.job_id, lease.attempt, now, target, ended)
        return job
    return None


async def note_stale(session: WriteSession, lease: Lease, *, now: datetime, ended: Ended) -> None:
    """Write down how an attempt ended that was no longer wanted. Its objects are already dropped."""
    statement = update(AttemptRow).where(
        AttemptRow.job_id == lease.job_id, AttemptRow.number == lease.attempt, AttemptRow.token == lease.token
    )
    await session.execute(
        statement.values(ended_at=_kept_or(AttemptRow.ended_at, now), error=ended.error, seconds=ended.seconds)
    )


# --- the caller's moves ------------------------------------------------------------------------------------------


async def move_for_caller(
    session: WriteSession, job_id: str, tenant: str, target: JobState, *, now: datetime, **values: Any
) -> JobRow | None:
    """A move that the owner orders; None when no state of the job allows it."""
    moved = await _move(
        session, target, Actor.CALLER, and_(JobRow.id == job_id, JobRow.tenant == tenant), now=now, **values
    )
    for job in moved:
        if target is JobState.ERASED:
            await _end_attempt(session, job.id, job.attempt, now, LOST, Ended())
        return job
    return None


async def release(session: WriteSession, job_id: str, *, now: datetime, **values: Any) -> JobRow | None:
    """Queue a quarantined job again, whosever it is; None when it is none."""
    moved = await _move(session, JobState.QUEUED, Actor.OPERATOR, JobRow.id == job_id, now=now, **values)
    return moved[0] if moved else None


async def quarantined(session: ReadSession, *, before: str | None, limit: int) -> Sequence[JobRow]:
    """Jobs that are kept from the engines or that a scanner has named, newest first, whosever they are."""
    statement = select(JobRow).where(JobRow.state.in_(HELD))
    if before is not None:
        statement = statement.where(JobRow.id < before)
    return (await session.scalars(statement.order_by(JobRow.id.desc()).limit(limit))).all()


async def held(session: ReadSession, job_ids: Sequence[str]) -> Sequence[JobRow]:
    """Which of these are."""
    if not job_ids:
        return ()
    statement = select(JobRow).where(JobRow.id.in_(job_ids), JobRow.state.in_(HELD)).order_by(JobRow.id)
    return (await session.scalars(statement)).all()


async def rate(session: WriteSession, job_id: str, tenant: str, stars: int, comment: str | None) -> bool:
    """Keep the owner's opinion of a job that succeeded or failed."""
    statement = (
        update(JobRow)
        .where(
            JobRow.id == job_id,
            JobRow.tenant == tenant,
            JobRow.state.in_((JobState.SUCCEEDED, JobState.FAILED, JobState.QUARANTINED, JobState.OVERDUE)),
        )
        .values(rating=stars, rating_comment=comment)
        .returning(JobRow.id)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(statement)).one_or_none() is not None


# --- the loops' moves --------------------------------------------------------------------------------------------


async def take_hints(session: WriteSession, *, now: datetime, limit: int) -> Sequence[JobRow]:
    """Queued jobs that the queue should be told of, held until the unit of work ends."""
    due = (
        select(JobRow)
        .where(JobRow.state == JobState.QUEUED, JobRow.hint_at <= now, JobRow.not_before <= now)
        .order_by(JobRow.hint_at)
        .limit(limit)
    )
    return (await session.scalars(skip_locked(due))).all()


async def hint_is_due(session: ReadSession, *, now: datetime) -> bool:
    """Whether `take_hints` would find any."""
    statement = select(JobRow.id).where(
        JobRow.state == JobState.QUEUED, JobRow.hint_at <= now, JobRow.not_before <= now
    )
    return (await session.scalars(statement.limit(1))).first() is not None


async def hint_at_once(session: WriteSession, job_ids: Sequence[str], now: datetime) -> None:
    """The queue did not take these hints: offer them again at the next tick."""
    await session.execute(
        update(JobRow)
        .where(JobRow.id.in_(job_ids), JobRow.state == JobState.QUEUED)
        .values(hint_at=now)
        .execution_options(synchronize_session=False)
    )


async def anything_due(session: ReadSession, *, now: datetime) -> bool:
    """Whether a lease, a waiting time or a deadline has run out: looked up first, so that idle loops never write."""
    due = or_(
        and_(JobRow.state.in_(LEASED), JobRow.lease_until <= now),
        and_(JobRow.state == JobState.RETRY_WAIT, JobRow.not_before <= now),
        and_(JobRow.state.in_(sources_of(JobState.OVERDUE, Actor.RESCUER)), JobRow.deadline_at <= now),
    )
    return (await session.scalars(select(JobRow.id).where(due).limit(1))).first() is not None


async def wake_retries(session: WriteSession, *, now: datetime, limit: int) -> Sequence[str]:
    """Queue again what has waited long enough; the ids."""
    due = and_(JobRow.state == JobState.RETRY_WAIT, JobRow.not_before <= now, JobRow.deadline_at > now)
    again = {"hint_at": now, "hint_n": 0}
    moved = await _move(session, JobState.QUEUED, Actor.RESCUER, _some(due, limit), now=now, **again)
    return [job.id for job in moved]


def lapsed(now: datetime) -> ColumnElement[bool]:
    """Jobs whose lease ran out."""
    return and_(JobRow.state.in_(LEASED), JobRow.lease_until <= now)


def held_by_others(instance: str) -> ColumnElement[bool]:
    """Jobs that any other instance holds."""
    return and_(JobRow.state.in_(LEASED), JobRow.worker != instance)


async def rescue(session: WriteSession, *, now: datetime, limit: int, orphaned: ColumnElement[bool]) -> Sequence[str]:
    """Take jobs from workers that are gone: queued again, quarantined, or cancelled; the ids.

    A death is charged to the file only while it was being converted: a deploy or a power cut condemns nobody.
    """
    blamed = JobRow.stage == Stage.CONVERTING
    third = and_(blamed, JobRow.crash_count >= MAX_CRASHES - 1)
    charge = JobRow.crash_count + case((blamed, 1), else_=0)
    again = {"crash_count": charge, "hint_at": now, "hint_n": 0, "not_before": now}
    return [
        *await _take_away(
            session,
            JobState.QUARANTINED,
            and_(orphaned, third),
            now,
            limit,
            crash_count=charge,
            error=stored(Quarantined()),
        ),
        *await _take_away(session, JobState.QUEUED, orphaned, now, limit, **again),
        *await _take_away(session, JobState.CANCELLED, orphaned, now, limit, error=stored(Cancelled())),
    ]


async def end_overdue(session: WriteSession, *, now: datetime, limit: int) -> Sequence[str]:
    """End what missed its deadline; the ids."""
    error = stored(Timeout("The job was not done in time; order it again, or fewer at once"))
    return await _take_away(session, JobState.OVERDUE, JobRow.deadline_at <= now, now, limit, error=error)


async def suspect_waits(session: ReadSession, *, now: datetime) -> bool:
    """Whether a job that has crashed twice waits to be run alone."""
    statement = select(JobRow.id).where(
        JobRow.state == JobState.QUEUED, JobRow.crash_count >= MAX_CRASHES - 1, JobRow.not_before <= now
    )
    return (await session.scalars(statement.limit(1))).first() is not None


async def erase_expired(session: WriteSession, *, now: datetime, limit: int) -> Sequence[str]:
    """Mark jobs as erased whose files are past their retention; the files go next."""
    due = and_(JobRow.state.in_(sources_of(JobState.ERASED, Actor.PRUNER)), JobRow.expires_at <= now)
    moved = await _move(session, JobState.ERASED, Actor.PRUNER, _some(due, limit), now=now)
    return [job.id for job in moved]


async def erase_live(session: WriteSession, tenant: str, *, now: datetime) -> Sequence[str]:
    """Mark every job of the tenant that is not over as erased: no worker can commit it any more."""
    live = and_(JobRow.tenant == tenant, JobRow.state.in_(LIVE))
    moved = await _move(session, JobState.ERASED, Actor.CALLER, live, now=now)
    return [job.id for job in moved]


async def uncleared(session: ReadSession, *, limit: int) -> Sequence[str]:
    """Erased jobs whose files nobody has yet seen to be gone."""
    statement = (
        select(JobRow.id).where(JobRow.state == JobState.ERASED, JobRow.cleared_at.is_(None)).order_by(JobRow.id)
    )
    return (await session.scalars(statement.limit(limit))).all()


async def mark_cleared(session: WriteSession, job_id: str, now: datetime) -> None:
    """The files of an erased job are gone."""
    statement = update(JobRow).where(JobRow.id == job_id, JobRow.state == JobState.ERASED).values(cleared_at=now)
    await session.execute(statement.execution_options(synchronize_session=False))


async def artifacts_to_erase(session: ReadSession, job_id: str) -> Sequence[ArtifactRow]:
    """Files of an erased job that no other job has a right to: not its output, and not an input still to be read.

    Also those that are marked as erased already, for an erasing that was cut short after the mark.
    """
    mine = select(JobInputRow.artifact_id).where(JobInputRow.job_id == job_id)
    made = select(JobOutputRow.artifact_id).where(JobOutputRow.job_id == job_id)
    needed = exists().where(
        JobInputRow.artifact_id == ArtifactRow.id,
        JobInputRow.job_id == JobRow.id,
        JobRow.id != job_id,
        JobRow.state.in_(LIVE),
    )
    owned = exists().where(
        JobOutputRow.artifact_id == ArtifactRow.id,
        JobOutputRow.job_id == JobRow.id,
        JobRow.id != job_id,
        JobRow.state != JobState.ERASED,
    )
    statement = select(ArtifactRow).where(or_(ArtifactRow.id.in_(mine), ArtifactRow.id.in_(made)), ~needed, ~owned)
    return (await session.scalars(statement)).all()


async def fruitless_attempts(session: ReadSession, job_id: str) -> Sequence[AttemptRow]:
    """The attempts of a job that gave no result."""
    statement = select(AttemptRow).where(AttemptRow.job_id == job_id, AttemptRow.swept.is_(False))
    return (await session.scalars(statement)).all()


async def unswept_attempts(session: ReadSession, *, ended_before: datetime, limit: int) -> Sequence[AttemptRow]:
    """Attempts without a result that ended long enough ago for their worker to be gone."""
    statement = (
        select(AttemptRow)
        .where(AttemptRow.swept.is_(False), AttemptRow.ended_at <= ended_before)
        .order_by(AttemptRow.ended_at)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def mark_swept(session: WriteSession, attempt: AttemptRow) -> None:
    """No object of this attempt is left without a row."""
    statement = update(AttemptRow).where(AttemptRow.job_id == attempt.job_id, AttemptRow.number == attempt.number)
    await session.execute(statement.values(swept=True).execution_options(synchronize_session=False))


async def forget_jobs(session: WriteSession, *, before: datetime, limit: int) -> int:
    """Delete the rows of jobs whose files were gone before that moment; what was charged stays in `usage`."""
    old = (
        select(JobRow.id)
        .where(JobRow.state == JobState.ERASED, JobRow.cleared_at <= before)
        .where(~exists().where(AttemptRow.job_id == JobRow.id, AttemptRow.swept.is_(False)))
        .limit(limit)
    )
    statement = delete(JobRow).where(JobRow.id.in_(old)).returning(JobRow.id)
    return len((await session.scalars(statement.execution_options(synchronize_session=False))).all())


# --- the one place that moves ------------------------------------------------------------------------------------


async def _move(
    session: WriteSession,
    target: JobState,
    actor: Actor,
    guard: ColumnElement[bool],
    *,
    now: datetime,
    **values: Any,
) -> Sequence[JobRow]:
    """Move every job that matches, and write one event for each. The table in `states.py` bounds what may match."""
    if is_terminal(target):
        values = {**NO_LEASE, "finished_at": _kept_or(JobRow.finished_at, now), **values}
    statement = (
        update(JobRow)
        .where(JobRow.state.in_(sources_of(target, actor)), guard)
        .values(state=target, revision=JobRow.revision + 1, **values)
        .returning(JobRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    moved = (await session.scalars(statement)).all()
    for job in moved:
        session.add(_event(job, await _state_before(session, job), actor, now))
        if is_terminal(target) and target is not JobState.ERASED:
            job.expires_at = now + timedelta(seconds=job.limits["retention_seconds"])
    if moved and is_terminal(target) and target is not JobState.ERASED:
        ended = select(JobRow).where(JobRow.id.in_([job.id for job in moved])).subquery()
        await session.execute(statements.endings_of(ended, literal(now, UtcDateTime())))
    if moved and is_terminal(target):
        await session.execute(delete(JobSecretRow).where(JobSecretRow.job_id.in_([job.id for job in moved])))
    await session.flush()
    return moved


async def _state_before(session: WriteSession, job: JobRow) -> JobState | None:
    """Events are written with every move, so the last one names the state that was just left."""
    return await state_at(session, job.id, job.revision - 1)


async def _take_away(
    session: WriteSession, target: JobState, guard: ColumnElement[bool], now: datetime, limit: int, **values: Any
) -> Sequence[str]:
    """Move jobs against the will of whoever holds them: the token is void and the attempt is closed."""
    due = and_(guard, JobRow.state.in_(sources_of(target, Actor.RESCUER)))
    held = await session.scalars(skip_locked(select(JobRow).where(due).limit(limit)))
    stages = {job.id: (job.attempt, job.stage) for job in held}
    if not stages:
        return []
    moved = await _move(
        session, target, Actor.RESCUER, and_(JobRow.id.in_(stages), due), now=now, **{**NO_LEASE, **values}
    )
    for job in moved:
        attempt, stage = stages[job.id]
        await _end_attempt(session, job.id, attempt, now, LOST, Ended(stage=Stage(stage) if stage else None))
    return [job.id for job in moved]


async def _end_attempt(
    session: WriteSession, job_id: str, number: int, now: datetime, outcome: str, ended: Ended
) -> None:
    statement = (
        update(AttemptRow)
        .where(AttemptRow.job_id == job_id, AttemptRow.number == number, AttemptRow.outcome.is_(None))
        .values(
            ended_at=now,
            outcome=outcome,
            error=ended.error,
            seconds=ended.seconds,
            stage=ended.stage,
            swept=outcome == JobState.SUCCEEDED,
        )
    )
    await session.execute(statement.execution_options(synchronize_session=False))


def _some(condition: ColumnElement[bool], limit: int) -> ColumnElement[bool]:
    """That condition, for so many rows that no other process holds."""
    held = skip_locked(select(JobRow.id).where(condition).order_by(JobRow.id).limit(limit))
    return and_(JobRow.id.in_(held), condition)


def _kept_or(column: InstrumentedAttribute[datetime | None], now: datetime) -> ColumnElement[datetime | None]:
    return func.coalesce(column, literal(now, UtcDateTime()))


def _event(job: JobRow, source: JobState | None, actor: Actor, now: datetime) -> JobEventRow:
    return JobEventRow(
        job_id=job.id,
        seq=job.revision,
        tenant=job.tenant,
        source=source,
        target=job.state,
        actor=actor,
        attempt=job.attempt,
        progress=job.progress,
        code=(job.error or {}).get("code") if job.state != JobState.QUEUED else None,
        at=now,
    )


def _prefixed(prefix: str, row: Base) -> dict[str, Any]:
    """The values of a row that is to be written."""
    return {f"{prefix}_{column.key}": getattr(row, column.key) for column in row.__table__.columns}


def counters_of(job: JobRow) -> Counters:
    """How often its attempts have failed, by kind."""
    return Counters(job.crash_count, job.transient_count)


async def has_a_right_to(session: ReadSession, artifact_id: str) -> bool:
    """Whether a job that is not erased reads this artifact or made it."""
    for link in (JobInputRow, JobOutputRow):
        statement = select(link.job_id).join(JobRow, JobRow.id == link.job_id)
        statement = statement.where(link.artifact_id == artifact_id, JobRow.state != JobState.ERASED).limit(1)
        if (await session.scalars(statement)).first() is not None:
            return True
    return False
