"""What became of each tenant's jobs lately, as the guard of flags counts it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import case, func, select

from filewright.chassis.db.database import Database
from filewright.chassis.errors import InternalError
from filewright.chassis.flags.flag import Ended
from filewright.converter.errors import EngineError, Timeout, conversion_errors
from filewright.converter.jobs.models import JobEventRow
from filewright.converter.jobs.states import JobState

OURS = frozenset(
    {
        InternalError.code,
        Timeout.code,
        *(code for code, kind in conversion_errors().items() if issubclass(kind, EngineError)),
    }
)
"""Codes of failures that are ours and not the file's."""
_ENDS = (JobState.SUCCEEDED, JobState.FAILED, JobState.QUARANTINED, JobState.OVERDUE)


class JobOutcomes:
    """Reads the events of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, moment: datetime) -> Mapping[str, Ended]:
        """By tenant: how many jobs ended, and how many of those by a failure of ours."""
        ours = case((JobEventRow.code.in_(OURS), 1), else_=0)
        statement = (
            select(JobEventRow.tenant, func.count(), func.sum(ours))
            .where(JobEventRow.at >= moment, JobEventRow.target.in_(_ENDS))
            .group_by(JobEventRow.tenant)
        )
        async with self._database.read() as session:
            return {tenant: Ended(total, failed or 0) for tenant, total, failed in await session.execute(statement)}
