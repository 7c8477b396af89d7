"""Where the report on conversions comes from: the events and attempts of jobs, or the view that sums them up.

The view is made by its migration and asks the question of `question` in PostgreSQL's words; a test holds one against
the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, column, func, literal_column, select, table

from filewright.chassis.coordination.ticks import TickRow
from filewright.chassis.db.materialized import has_views, utc_day
from filewright.chassis.db.sessions import ReadSession
from filewright.converter.jobs.models import AttemptRow, JobEventRow, JobRow
from filewright.converter.jobs.states import TERMINAL, JobState
from filewright.converter.reports.conversions import BOUNDS, COLUMNS, Counted, as_row

VIEW = "conversions_by_day"
TICK = "report-conversions"
_NOTHING = literal_column("''", String)
_ENDS = sorted(TERMINAL - {JobState.ERASED})
_VIEW = table(
    VIEW, *(column(name) for name in ("day", "source_format", "target_format", "conversions", "seconds", *COLUMNS))
)


async def counted(session: ReadSession) -> Sequence[Counted]:
    """All there is."""
    rows = await session.execute(select(_VIEW) if has_views(session) else question())
    return [as_row(row._asdict()) for row in rows]


async def as_of(session: ReadSession, now: datetime) -> datetime:
    """Until when it has everything: the newest refresh of the view; where there is none, now."""
    if not has_views(session):
        return now
    ticks = select(func.max(TickRow.due_at)).where(TickRow.name == TICK)
    newest: datetime | None = (await session.scalars(ticks)).one()
    return datetime.fromtimestamp(0, now.tzinfo) if newest is None else newest


def question() -> Select[Any]:
    """The report's source from the rows themselves."""
    well = JobEventRow.target == JobState.SUCCEEDED
    took = func.coalesce(AttemptRow.seconds, 0.0)
    day = utc_day(JobEventRow.at).label("day")
    source = func.coalesce(JobRow.source_format, _NOTHING).label("source_format")
    target = func.coalesce(JobRow.target_format, _NOTHING).label("target_format")
    within = (_count(and_(well, took <= bound)).label(name) for name, bound in zip(COLUMNS, BOUNDS, strict=False))
    return (
        select(
            day,
            source,
            target,
            func.count().label("conversions"),
            func.coalesce(func.sum(case((well, took))), 0.0).label("seconds"),
            *within,
            _count(well).label("succeeded"),
        )
        .join(JobRow, JobRow.id == JobEventRow.job_id)
        .outerjoin(AttemptRow, and_(AttemptRow.job_id == JobEventRow.job_id, AttemptRow.number == JobEventRow.attempt))
        .where(JobEventRow.target.in_(_ENDS))
        .group_by(day, source, target)
    )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1))), 0)
