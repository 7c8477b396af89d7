"""One job from one state to the next: the guarded statement behind every change, and its event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, literal, select, update
from sqlalchemy.orm import InstrumentedAttribute

from filewright.chassis.db.base import Base, UtcDateTime
from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.db.sessions import WriteSession
from filewright.converter.artifacts.models import Artifact, ArtifactRow
from filewright.converter.jobs.models import AttemptRow, JobEventRow, JobInputRow, JobRow, JobSecretRow, TenantGateRow
from filewright.converter.jobs.orders import JobInput
from filewright.converter.jobs.repository.looks import state_at
from filewright.converter.jobs.statements import accepting
from filewright.converter.jobs.statements.parts import endings_of
from filewright.converter.jobs.states import LIVE, Actor, JobState, Stage, is_terminal, sources_of

LOST = "lost"
"""The outcome of an attempt whose worker was never heard of again."""
NO_LEASE: Mapping[str, Any] = {"lease_token": None, "lease_until": None, "worker": None, "stage": None}


@dataclass(frozen=True)
class Ended:
    """What is written down about an attempt that is over."""

    error: Mapping[str, Any] | None = None
    seconds: float | None = None
    stage: Stage | None = None


async def move(
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
        values = {**NO_LEASE, "finished_at": kept_or(JobRow.finished_at, now), **values}
    statement = (
        update(JobRow)
        .where(JobRow.state.in_(sources_of(target, actor)), guard)
        .values(state=target, revision=JobRow.revision + 1, **values)
        .returning(JobRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    moved = (await session.scalars(statement)).all()
    ended = []
    for job in moved:
        source = await _state_before(session, job)
        session.add(_event(job, source, actor, now))
        if is_terminal(target) and (target is not JobState.ERASED or (job.batch is not None and source in LIVE)):
            ended.append(job.id)
        if is_terminal(target) and target is not JobState.ERASED:
            job.expires_at = now + timedelta(seconds=job.limits["retention_seconds"])
    if ended:
        those = select(JobRow).where(JobRow.id.in_(ended)).subquery()
        await session.execute(endings_of(those, literal(now, UtcDateTime())))
    if moved and is_terminal(target):
        await session.execute(delete(JobSecretRow).where(JobSecretRow.job_id.in_([job.id for job in moved])))
    await session.flush()
    return moved


async def _state_before(session: WriteSession, job: JobRow) -> JobState | None:
    """Events are written with every move, so the last one names the state that was just left."""
    return await state_at(session, job.id, job.revision - 1)


async def take_away(
    session: WriteSession, target: JobState, guard: ColumnElement[bool], now: datetime, limit: int, **values: Any
) -> Sequence[str]:
    """Move jobs against the will of whoever holds them: the token is void and the attempt is closed."""
    due = and_(guard, JobRow.state.in_(sources_of(target, Actor.RESCUER)))
    held = await session.scalars(skip_locked(select(JobRow).where(due).limit(limit)))
    stages = {job.id: (job.attempt, job.stage) for job in held}
    if not stages:
        return []
    moved = await move(
        session, target, Actor.RESCUER, and_(JobRow.id.in_(stages), due), now=now, **{**NO_LEASE, **values}
    )
    for job in moved:
        attempt, stage = stages[job.id]
        await end_attempt(session, job.id, attempt, now, LOST, Ended(stage=Stage(stage) if stage else None))
    return [job.id for job in moved]


async def end_attempt(
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


def some_of(condition: ColumnElement[bool], limit: int) -> ColumnElement[bool]:
    """That condition, for so many rows that no other process holds."""
    held = skip_locked(select(JobRow.id).where(condition).order_by(JobRow.id).limit(limit))
    return and_(JobRow.id.in_(held), condition)


def kept_or(column: InstrumentedAttribute[datetime | None], now: datetime) -> ColumnElement[datetime | None]:
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


def prefixed(prefix: str, row: Base) -> dict[str, Any]:
    """The values of a row that is to be written."""
    return {f"{prefix}_{column.key}": getattr(row, column.key) for column in row.__table__.columns}


async def move_for_caller(
    session: WriteSession, job_id: str, tenant: str, target: JobState, *, now: datetime, **values: Any
) -> JobRow | None:
    """A move that the owner orders; None when no state of the job allows it."""
    moved = await move(
        session, target, Actor.CALLER, and_(JobRow.id == job_id, JobRow.tenant == tenant), now=now, **values
    )
    for job in moved:
        if target is JobState.ERASED:
            await end_attempt(session, job.id, job.attempt, now, LOST, Ended())
        return job
    return None


async def release(session: WriteSession, job_id: str, *, now: datetime, **values: Any) -> JobRow | None:
    """Queue a quarantined job again, whosever it is; None when it is none."""
    moved = await move(session, JobState.QUEUED, Actor.OPERATOR, JobRow.id == job_id, now=now, **values)
    return moved[0] if moved else None


async def hold_gate(session: WriteSession, tenant: str) -> datetime:
    """Let no other process accept a job for this tenant until the unit of work ends; the moment at which that is so."""
    moment: datetime = (await session.make(accepting.GATE, of_tenant=tenant)).at
    return moment


async def note_fonts(session: WriteSession, tenant: str, moment: datetime) -> None:
    """Of a tenant whose gate is held: its fonts are others from now on."""
    gate = update(TenantGateRow).where(TenantGateRow.tenant == tenant).values(fonts_at=moment)
    await session.execute(gate.execution_options(synchronize_session=False))


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


async def keep_artifacts(session: WriteSession, artifact_ids: Sequence[str], *, until: datetime) -> None:
    """See that these files are not pruned before that moment."""
    statement = update(ArtifactRow).where(ArtifactRow.id.in_(artifact_ids), ArtifactRow.expires_at < until)
    await session.execute(statement.values(expires_at=until).execution_options(synchronize_session=False))


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
