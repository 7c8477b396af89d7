"""How much there is to do: jobs that wait, by lane, and for how long the first of them has waited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from filewright.chassis.db.database import Database
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.states import JobState

_HERE = (JobState.QUEUED, JobState.RUNNING, JobState.RETRY_WAIT, JobState.CANCELLING)


@dataclass(frozen=True)
class Depth:
    """At one moment, by the database's clock."""

    waiting: Mapping[str, int] = field(default_factory=dict)
    """By lane; a lane without any is not named."""
    running: int = 0
    oldest_seconds: float = 0.0
    """How long the one has waited that waits longest."""

    def as_json(self) -> dict[str, Any]:
        """For facts of a process."""
        return {"waiting": dict(self.waiting), "running": self.running, "oldest_seconds": round(self.oldest_seconds, 1)}


async def depth(database: Database) -> Depth:
    """Count. The index of claims has all of it."""
    query = (
        select(JobRow.state, JobRow.lane, func.count(), func.min(JobRow.queued_at))
        .where(JobRow.state.in_([state.value for state in _HERE]))
        .group_by(JobRow.state, JobRow.lane)
    )
    async with database.read() as session:
        now = await database.now(session)
        rows = (await session.execute(query)).all()
    waiting: dict[str, int] = {}
    running, oldest = 0, 0.0
    for state, lane, count, first in rows:
        if state in {JobState.RUNNING, JobState.CANCELLING}:
            running += count
            continue
        waiting[lane] = waiting.get(lane, 0) + count
        if state == JobState.QUEUED and first is not None:
            oldest = max(oldest, (now - first).total_seconds())
    return Depth(waiting, running, oldest)
