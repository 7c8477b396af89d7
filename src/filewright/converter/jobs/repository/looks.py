"""Looking at jobs, without changing any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from filewright.chassis.db.database import Database
from filewright.chassis.db.sessions import ReadSession
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs import statements
from filewright.converter.jobs.models import JobEventRow, JobInputRow, JobOutputRow, JobRow, JobSecretRow
from filewright.converter.jobs.policy import Counters
from filewright.converter.jobs.statements import accepting
from filewright.converter.jobs.states import HELD, LIVE, JobState


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


async def states_of_batch(session: ReadSession, tenant: str, batch: str) -> Sequence[tuple[str, JobState]]:
    """The same jobs, each with its state and nothing more."""
    statement = select(JobRow.id, JobRow.state).where(JobRow.tenant == tenant, JobRow.batch == batch)
    return [(row.id, JobState(row.state)) for row in await session.execute(statement.order_by(JobRow.id))]


async def tenants_of(session: ReadSession, job_ids: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Each of these jobs with its tenant."""
    statement = select(JobRow.id, JobRow.tenant).where(JobRow.id.in_(job_ids))
    return [(job_id, tenant) for job_id, tenant in await session.execute(statement)]


async def secret_of(session: ReadSession, job_id: str) -> bytes | None:
    """The sealed password of a job, if it has one."""
    return (await session.scalars(select(JobSecretRow.sealed).where(JobSecretRow.job_id == job_id))).one_or_none()


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


async def has_a_right_to(session: ReadSession, artifact_id: str) -> bool:
    """Whether a job that is not erased reads this artifact or made it."""
    for link in (JobInputRow, JobOutputRow):
        statement = select(link.job_id).join(JobRow, JobRow.id == link.job_id)
        statement = statement.where(link.artifact_id == artifact_id, JobRow.state != JobState.ERASED).limit(1)
        if (await session.scalars(statement)).first() is not None:
            return True
    return False


async def standing(
    on: ReadSession | Database, tenant: str, *, wanted: str | None = None, now: datetime | None = None
) -> Any:
    """How the tenant stands: `unfinished` jobs, conversions `used` of the month, and `credits` left; and the job that
    has the `wanted` result, if one is `known`.
    """
    return (await on.ask(accepting.STANDING, of_tenant=tenant, wanted=wanted, now=now))[0]


def counters_of(job: JobRow) -> Counters:
    """How often its attempts have failed, by kind."""
    return Counters(job.crash_count, job.transient_count)
