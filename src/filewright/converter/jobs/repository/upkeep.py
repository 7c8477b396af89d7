"""What loops do with many jobs at a time: hint, rescue, erase, forget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, delete, exists, or_, select, update

from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.db.sessions import ReadSession, WriteSession
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.errors import Cancelled, Quarantined, Timeout
from filewright.converter.jobs.errors import stored
from filewright.converter.jobs.models import AttemptRow, JobInputRow, JobOutputRow, JobRow
from filewright.converter.jobs.policy import MAX_CRASHES
from filewright.converter.jobs.repository.moves import move, some_of, take_away
from filewright.converter.jobs.states import LEASED, LIVE, Actor, JobState, Stage, sources_of


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
    moved = await move(session, JobState.QUEUED, Actor.RESCUER, some_of(due, limit), now=now, **again)
    return [job.id for job in moved]


def lapsed(now: datetime) -> ColumnElement[bool]:
    """Jobs whose lease ran out."""
    return and_(JobRow.state.in_(LEASED), JobRow.lease_until <= now)


def held_by_others(instance: str) -> ColumnElement[bool]:
    """Jobs that any other instance holds."""
    return and_(JobRow.state.in_(LEASED), JobRow.worker != instance)


def held_by(instances: Sequence[str]) -> ColumnElement[bool]:
    """Jobs that one of these instances holds."""
    return and_(JobRow.state.in_(LEASED), JobRow.worker.in_(instances))


async def rescue(session: WriteSession, *, now: datetime, limit: int, orphaned: ColumnElement[bool]) -> Sequence[str]:
    """Take jobs from workers that are gone: queued again, quarantined, or cancelled; the ids.

    A death is charged to the file only while it was being converted: a deploy or a power cut condemns nobody.
    """
    blamed = JobRow.stage == Stage.CONVERTING
    third = and_(blamed, JobRow.crash_count >= MAX_CRASHES - 1)
    charge = JobRow.crash_count + case((blamed, 1), else_=0)
    again = {"crash_count": charge, "hint_at": now, "hint_n": 0, "not_before": now}
    return [
        *await take_away(
            session,
            JobState.QUARANTINED,
            and_(orphaned, third),
            now,
            limit,
            crash_count=charge,
            error=stored(Quarantined()),
        ),
        *await take_away(session, JobState.QUEUED, orphaned, now, limit, **again),
        *await take_away(session, JobState.CANCELLED, orphaned, now, limit, error=stored(Cancelled())),
    ]


async def end_overdue(session: WriteSession, *, now: datetime, limit: int) -> Sequence[str]:
    """End what missed its deadline; the ids."""
    error = stored(Timeout("The job was not done in time; order it again, or fewer at once"))
    return await take_away(session, JobState.OVERDUE, JobRow.deadline_at <= now, now, limit, error=error)


async def suspect_waits(session: ReadSession, *, now: datetime) -> bool:
    """Whether a job that has crashed twice waits to be run alone."""
    statement = select(JobRow.id).where(
        JobRow.state == JobState.QUEUED, JobRow.crash_count >= MAX_CRASHES - 1, JobRow.not_before <= now
    )
    return (await session.scalars(statement.limit(1))).first() is not None


async def erase_expired(session: WriteSession, *, now: datetime, limit: int) -> Sequence[str]:
    """Mark jobs as erased whose files are past their retention; the files go next."""
    due = and_(JobRow.state.in_(sources_of(JobState.ERASED, Actor.PRUNER)), JobRow.expires_at <= now)
    moved = await move(session, JobState.ERASED, Actor.PRUNER, some_of(due, limit), now=now)
    return [job.id for job in moved]


async def erase_live(session: WriteSession, tenant: str, *, now: datetime) -> Sequence[str]:
    """Mark every job of the tenant that is not over as erased: no worker can commit it any more."""
    live = and_(JobRow.tenant == tenant, JobRow.state.in_(LIVE))
    moved = await move(session, JobState.ERASED, Actor.CALLER, live, now=now)
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
