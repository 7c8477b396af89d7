"""A caller's own jobs and their outputs, as rows: what every service of jobs begins with."""

from __future__ import annotations

from filewright.chassis.db.sessions import ReadSession
from filewright.chassis.ids import is_id
from filewright.chassis.web.problems import NotFound
from filewright.converter.artifacts.models import Artifact, artifact_of
from filewright.converter.errors import Expired
from filewright.converter.jobs import repository, views
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.schemas import Output
from filewright.converter.tiers import Caller

JOB_PREFIX = "job"


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


async def output(session: ReadSession, caller: Caller, job_id: str, n: int) -> tuple[Output, Artifact]:
    """The n-th output of the caller's job. Raises NotFound, Conflict, the job's own error, Expired."""
    row = await own(session, caller, job_id)
    views.check_has_outputs(row)
    outputs = await repository.outputs_of(session, [row.id])
    for made, artifact in outputs:
        if made.n == n:
            if artifact.erased_at is not None:
                raise Expired
            return views.output(made, artifact), artifact_of(artifact)
    raise NotFound(f"The job has {len(outputs)} outputs, counted from 0.")
