"""One look at a job, and looks at whether it has changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select

from filewright.chassis.db.hot import Look, Speech
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import JobInputRow, JobOutputRow, JobRow
from filewright.converter.jobs.statements.parts import OF_JOB, OF_TENANT, place, table_of
from filewright.converter.jobs.states import JobState

_JOBS, _INPUTS, _OUTPUTS = table_of(JobRow), table_of(JobInputRow), table_of(JobOutputRow)
_ARTIFACTS = table_of(ArtifactRow)


def _job(speech: Speech) -> Select[Any]:
    named = (_ARTIFACTS.c.filename, _ARTIFACTS.c.format, _ARTIFACTS.c.media_type)
    whole = (_ARTIFACTS.c.bytes, _ARTIFACTS.c.sha256)
    inputs = (
        select(_INPUTS.c.upload_id, _INPUTS.c.from_job, _INPUTS.c.from_output, *named, *whole)
        .outerjoin(_ARTIFACTS, _ARTIFACTS.c.id == _INPUTS.c.artifact_id)
        .where(_INPUTS.c.job_id == OF_JOB)
        .order_by(_INPUTS.c.n)
    )
    facts = (_OUTPUTS.c.pages, _OUTPUTS.c.width, _OUTPUTS.c.height, _OUTPUTS.c.duration)
    outputs = (
        select(_OUTPUTS.c.n, _ARTIFACTS.c.filename, _ARTIFACTS.c.media_type, *whole, *facts)
        .join(_ARTIFACTS, _ARTIFACTS.c.id == _OUTPUTS.c.artifact_id)
        .where(_OUTPUTS.c.job_id == OF_JOB)
        .order_by(_OUTPUTS.c.n)
    )
    return select(
        *_JOBS.c,
        speech.listed(inputs).label("inputs"),
        case((_JOBS.c.state == JobState.SUCCEEDED, speech.listed(outputs))).label("outputs"),
        _place_if_it_waits(speech),
    ).where(_JOBS.c.id == OF_JOB, _JOBS.c.tenant == OF_TENANT)


def _place_if_it_waits(speech: Speech) -> ColumnElement[int | None]:
    return case((_JOBS.c.state == JobState.QUEUED, place(_JOBS, speech))).label("place")


JOB = Look(_job)
"""The row of `of_job`, if it is the job of `of_tenant`: with its inputs, its outputs if it has succeeded, and its place
if it waits."""
STATE = Look(lambda _: select(_JOBS.c.state).where(_JOBS.c.id == OF_JOB, _JOBS.c.tenant == OF_TENANT))
"""Where that job stands."""
NOW_OF_MANY = Look(
    lambda speech: select(_JOBS.c.id, _JOBS.c.tenant, _JOBS.c.revision, _place_if_it_waits(speech)).where(
        speech.among(_JOBS.c.id, "of_jobs")
    )
)
"""Whether these jobs (`of_jobs`) have changed since, and whose they are; and the places of those that wait."""
NOW = Look(
    lambda speech: select(_JOBS.c.revision, _place_if_it_waits(speech)).where(
        _JOBS.c.id == OF_JOB, _JOBS.c.tenant == OF_TENANT
    )
)
"""Whether that job has changed since, and its place if it waits."""
MARKED = 10
"""Of those that wait, every so manieth is a mark (`looking/far_places.py`)."""


def _marks(_speech: Speech) -> Select[Any]:
    turn = (_JOBS.c.lane, _JOBS.c.queued_at, _JOBS.c.id)
    number = func.row_number().over(order_by=turn).label("number")
    queue = select(*turn, number).where(_JOBS.c.state == JobState.QUEUED).subquery("queue")
    every = select(queue.c.lane, queue.c.queued_at, queue.c.id).where(queue.c.number % MARKED == 0)
    return every.order_by(queue.c.number)


MARKS = Look(_marks)
"""Every tenth of all the jobs that wait, in their order: by what their turns are taken. As it is for the service."""
