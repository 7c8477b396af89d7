"""Whether now is the time to take on more: how long an order would wait, and whether there is room for its file.

Each process that takes orders looks every few seconds, in one question, at how many jobs are due before a new one, how
many run, and how long they took lately. From that follows how long the new one would wait; a tier says how much of that
its callers are to put up with. Whoever would wait longer is told at once, before a file is sent, and when to come back.

An estimate, no promise: it takes jobs to be as long as the last ones, and workers to stay as many as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Select, and_, case, func, or_, select

from filewright.chassis.clock import Clock
from filewright.chassis.db.database import Database
from filewright.chassis.queue.port import PREMIUM
from filewright.chassis.storage.threads import in_thread
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.problems import Overloaded
from filewright.converter.jobs.models import AttemptRow, JobRow
from filewright.converter.jobs.states import JobState
from filewright.converter.tiers import Tier

EVERY_SECONDS = 2.0
OLD_SECONDS = 30.0
"""After this a look is too old to refuse anybody for it."""
LATELY = timedelta(minutes=2)
MIN_FREE_BYTES = 512 << 20
MIN_FREE_SHARE = 0.03
"""On a small disk: of all of it. More than workers ask for (`running/readiness.py`), so that what was accepted can be
done."""
_FORGETTING = 0.99
"""What is left of the number of slots with each look that sees less at work."""
_SHORTEST_WAIT, _LONGEST_WAIT = 5.0, 120.0

log = get_logger(__name__)


@dataclass(frozen=True)
class Pressure:
    """What there was to do at one moment."""

    due: Mapping[str, int] = field(default_factory=dict)
    """Jobs whose turn is before that of a new order of somebody who has none waiting, by lane."""
    running: int = 0
    seconds: float | None = None
    """What a conversion took lately; None when there was none."""
    expected: float | None = None
    """What a job that waits is thought to take, on an average; None when none waits."""
    slots: float = 0.0
    """How many ran at once lately."""

    def predicted_wait(self, lane: str) -> float:
        """Seconds until a new job of that lane begins. The premium lane is served first."""
        before = self.due.get(PREMIUM, 0) + (self.due.get(lane, 0) if lane != PREMIUM else 0)
        if self.seconds is None or not before:
            return 0.0
        return before * self.seconds / max(self.running, 1)

    def wait_at(self, place: int, own: float) -> float:
        """Seconds until the job at that place in the queue begins, which itself takes `own`: 0 where a slot is free."""
        at_once = max(self.slots, self.running, 1.0)
        each = self.expected or self.seconds or own
        return max(self.running + place - at_once, 0.0) * each / at_once

    def wait_of_next(self, lane: str) -> float:
        """The same for one that would be ordered now."""
        before = self.due.get(PREMIUM, 0) + (self.due.get(lane, 0) if lane != PREMIUM else 0)
        return self.wait_at(before + 1, 0.0)


class Slots(Protocol):
    """Where jobs run."""

    @property
    def busy(self) -> int:
        """How many run."""
        ...

    @property
    def slots(self) -> int:
        """How many may run at once."""
        ...


UNSEEN = Pressure()
"""Before the first look."""


class Admission:
    """`look_once` is for a loop of every process that takes orders; `check` for each order and upload."""

    def __init__(self, database: Database, clock: Clock, folder: Path, metrics: Metrics) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._pressure = Pressure()
        self._has_room = True
        self._seen_at: float | None = None
        self._slots: Slots | None = None
        self._wait = metrics.gauge("predicted_wait_seconds", "How long a new order would wait.", ("lane",))
        self._refused = metrics.counter("orders_refused", "Orders and uploads refused early.", ("reason",))

    def beside(self, slots: Slots) -> None:
        """All jobs run in these slots, which are this process's own: what goes on in them need not be looked up."""
        self._slots = slots

    @property
    def pressure(self) -> Pressure:
        """What was seen last."""
        if self._slots is None:
            return self._pressure
        return replace(self._pressure, running=self._slots.busy, slots=self._slots.slots)

    async def look_once(self) -> int:
        """Look. Raises DatabaseUnavailable."""
        had_room, self._has_room = self._has_room, await in_thread(_has_room, self._folder)
        if had_room != self._has_room:
            log.warning("uploads_resumed" if self._has_room else "uploads_refused_for_want_of_disk")
        seen, before = await look(self._database), self._pressure.slots
        self._pressure = replace(seen, slots=max(seen.running, before * _FORGETTING))
        self._seen_at = self._clock.monotonic()
        for lane in self._pressure.due:
            self._wait.labels(lane).set(self._pressure.predicted_wait(lane))
        return 0

    def check(self, tier: Tier) -> None:
        """Raises Overloaded."""
        if not self._has_room:
            self._refused.labels("disk").inc()
            raise Overloaded(
                "There is hardly any room left for files; what was sent before is worked on.", retry_after=30.0
            )
        most = tier.max_predicted_wait_seconds
        if most is None or self._seen_at is None or self._clock.monotonic() - self._seen_at > OLD_SECONDS:
            return
        wait = self._pressure.predicted_wait(tier.lane)
        if wait > most:
            self._refused.labels("wait").inc()
            raise Overloaded(
                f"So much is waiting that this would begin in about {round(wait / 60)} minutes; come back later.",
                retry_after=min(max(wait - most, _SHORTEST_WAIT), _LONGEST_WAIT),
            )


async def look(database: Database) -> Pressure:
    """Count, from the index of claims, and from the attempts that have just ended."""
    async with database.read() as session:
        now = await database.now(session)
        waits = and_(JobRow.state == JobState.QUEUED, JobRow.queued_at <= now)
        runs = JobRow.state.in_([JobState.RUNNING.value, JobState.CANCELLING.value])
        counts = await session.execute(
            select(
                JobRow.lane,
                func.sum(case((waits, 1), else_=0)),
                func.sum(case((runs, 1), else_=0)),
                func.sum(case((waits, func.coalesce(JobRow.estimated_seconds, 0.0)), else_=0.0)),
            )
            .where(or_(waits, runs))
            .group_by(JobRow.lane)
        )
        due, running, ahead = {}, 0, 0.0
        for lane, waiting, at_work, seconds in counts:
            due[lane] = int(waiting)
            running += int(at_work)
            ahead += float(seconds)
        expected = ahead / sum(due.values()) if ahead else None
        return Pressure(due, running, (await session.scalars(_took(now))).one(), expected)


def _took(now: datetime) -> Select[Any]:
    return select(func.avg(AttemptRow.seconds)).where(
        AttemptRow.swept.is_(True), AttemptRow.ended_at >= now - LATELY, AttemptRow.outcome == JobState.SUCCEEDED
    )


def _has_room(folder: Path) -> bool:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return True  # whoever writes there will say what is wrong
    return usage.free >= min(MIN_FREE_BYTES, usage.total * MIN_FREE_SHARE)
