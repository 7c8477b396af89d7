"""What jobs made, looked up in one trip: for whoever downloads it, and for whoever would be answered with it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, func, select

from filewright.chassis.db.hot import Look, Speech, given
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import JobOutputRow, JobRow
from filewright.converter.jobs.statements.parts import OF_JOB, OF_TENANT, table_of

MOST_OUTPUTS = 200
"""What made more is worked on again: each output costs the answer some statements."""

_JOBS, _OUTPUTS, _ARTIFACTS = table_of(JobRow), table_of(JobOutputRow), table_of(ArtifactRow)
_FACTS = ("n", "pages", "width", "height", "duration")
_THIS = (_JOBS.c.id == OF_JOB, _JOBS.c.tenant == OF_TENANT)


def _made(*which: ColumnElement[bool]) -> Select[Any]:
    wanted = and_(_OUTPUTS.c.job_id == _JOBS.c.id, *which)
    other = _OUTPUTS.alias("other")
    every = select(func.count()).select_from(other).where(other.c.job_id == _JOBS.c.id)
    joined = _JOBS.outerjoin(_OUTPUTS, wanted).outerjoin(_ARTIFACTS, _ARTIFACTS.c.id == _OUTPUTS.c.artifact_id)
    about = (_JOBS.c.id.label("job_id"), _JOBS.c.state, _JOBS.c.error, every.scalar_subquery().label("outputs"))
    return select(*about, *_file_and_facts()).select_from(joined).where(*_THIS).order_by(_OUTPUTS.c.n)


def _outputs(_speech: Speech) -> Select[Any]:
    joined = _JOBS.join(_OUTPUTS, _OUTPUTS.c.job_id == _JOBS.c.id)
    joined = joined.join(_ARTIFACTS, _ARTIFACTS.c.id == _OUTPUTS.c.artifact_id)
    about = (_JOBS.c.id.label("job_id"), _JOBS.c.source_format, _JOBS.c.target_format, _JOBS.c.measured)
    found = select(*about, *_file_and_facts()).select_from(joined).where(*_THIS)
    return found.order_by(_OUTPUTS.c.n).limit(MOST_OUTPUTS + 1)


def _file_and_facts() -> tuple[Any, ...]:
    return (*(_OUTPUTS.c[name] for name in _FACTS), *(column.label(f"its_{column.name}") for column in _ARTIFACTS.c))


OUTPUT = Look(lambda _: _made(_OUTPUTS.c.n == given("of_n", Integer())))
"""Of `of_job`, if it is the job of `of_tenant`: where it stands, how many `outputs` it has, and its output `of_n` with
the file (`its_…`), if there is one."""
EVERY_OUTPUT = Look(lambda _: _made())
"""The same of all its outputs, in their order: a row each, and one if there is none."""
OUTPUTS = Look(_outputs)
"""The outputs of that job with their files, a row each, at most one more than `MOST_OUTPUTS`."""
