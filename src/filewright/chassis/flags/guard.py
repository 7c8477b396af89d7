"""Halt a flag that hurts: where work fails more often for those who have it than for those who have it not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from filewright.chassis.audit.log import SYSTEM
from filewright.chassis.db.database import Database
from filewright.chassis.flags.flag import Ended, burns
from filewright.chassis.flags.service import Flags
from filewright.chassis.telemetry.metrics import Metrics

EVERY_SECONDS = 15.0
WINDOW = timedelta(minutes=10)
FEWEST = 20
"""Ends of work among those who have the flag, below which nothing is concluded."""

Outcomes = Callable[[datetime], Awaitable[Mapping[str, Ended]]]
"""What became of each tenant's work since that moment, failures of ours alone counted as such."""


class FlagGuard:
    """Run `run_once` again and again; any number may."""

    def __init__(
        self, database: Database, flags: Flags, outcomes: Outcomes, metrics: Metrics, *, fewest: int = FEWEST
    ) -> None:
        self._database = database
        self._flags = flags
        self._outcomes = outcomes
        self._fewest = fewest
        self._halts = metrics.counter("flags_halted", "Flags that were halted because work failed where they are on.")

    async def run_once(self) -> int:
        """How many flags were halted."""
        watched = [flag for flag in await self._flags.all() if flag.halt_above is not None and flag.enabled]
        watched = [flag for flag in watched if flag.halted_at is None]
        halted = 0
        for flag in watched:
            async with self._database.read() as session:
                since = await self._database.now(session) - WINDOW
            if flag.changed_at is not None:
                since = max(since, flag.changed_at)  # what failed before says nothing of it
            on, off = Ended(), Ended()
            for tenant, ended in (await self._outcomes(since)).items():
                if flag.is_on(tenant):
                    on += ended
                else:
                    off += ended
            why = burns(flag, on, off, fewest=self._fewest)
            if why is not None and await self._flags.halt(flag.name, why, actor=SYSTEM):
                self._halts.inc()
                halted += 1
        return halted
