"""A caller's own jobs and their outputs, as rows: what every service of jobs begins with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from filewright.chassis.db.hot import Rows
from filewright.chassis.db.sessions import ReadSession
from filewright.chassis.ids import is_id
from filewright.chassis.web.problems import NotFound
from filewright.converter.artifacts.models import Artifact, artifact_of
from filewright.converter.errors import Expired
from filewright.converter.jobs import repository, statements
from filewright.converter.jobs.looking import views
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.schemas import Output
from filewright.converter.tiers import Caller

JOB_PREFIX = "job"
Ask = Callable[..., Awaitable[Rows]]
"""Of a session, or of the database itself."""


def check_id(job_id: str) -> None:
    """What is no id of a job names none. Raises NotFound."""
    if not is_id(job_id, JOB_PREFIX):
        raise NotFound("There is no such job.")


async def own(session: ReadSession, caller: Caller, job_id: str) -> JobRow:
    """The caller's job. Raises NotFound."""
    check_id(job_id)
    row = await repository.find(session, job_id, caller.tenant)
    if row is None:
        raise NotFound("There is no such job.")
    return row


async def output(ask: Ask, caller: Caller, job_id: str, n: int) -> tuple[Output, Artifact]:
    """The n-th output of the caller's job. Raises NotFound, Conflict, the job's own error, Expired."""
    check_id(job_id)
    rows = await ask(statements.OUTPUT, of_job=job_id, of_tenant=caller.tenant, of_n=n)
    if not rows:
        raise NotFound("There is no such job.")
    (row,) = rows
    views.check_has_outputs(row)
    if row.n is None:
        raise NotFound(f"The job has {row.outputs} outputs, counted from 0.")
    return _whole(row)


async def outputs(ask: Ask, caller: Caller, job_id: str) -> Sequence[tuple[Output, Artifact]]:
    """All outputs of the caller's job, in their order, by one question. Raises as `output`."""
    check_id(job_id)
    rows = await ask(statements.EVERY_OUTPUT, of_job=job_id, of_tenant=caller.tenant)
    if not rows:
        raise NotFound("There is no such job.")
    views.check_has_outputs(rows[0])
    return [_whole(row) for row in rows if row.n is not None]


def _whole(row: Any) -> tuple[Output, Artifact]:
    artifact = artifact_of(row, "its_")
    if artifact.erased:
        raise Expired
    return views.output(row, artifact), artifact
