"""Of several processes that could do the upkeep, one does it. The work itself is guarded row by row, so a process that
believes in its lease a moment too long does no harm; leading only keeps all of them from doing the same work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from filewright.chassis.clock import Clock
from filewright.chassis.coordination.leader import LEASE, Leader
from filewright.chassis.db.database import DatabaseUnavailable

CAMPAIGN_SECONDS = LEASE.total_seconds() / 4


class Leadership:
    """Run `campaign_once` every `CAMPAIGN_SECONDS`; what is wrapped by `led` runs only while this process leads."""

    def __init__(self, leader: Leader, clock: Clock) -> None:
        self._leader = leader
        self._clock = clock
        self._until = 0.0

    @property
    def leads(self) -> bool:
        """Whether the lease that was won has time left by this process's own clock."""
        return self._clock.monotonic() < self._until

    async def campaign_once(self) -> int:
        """Win or keep the lease. Raises DatabaseUnavailable."""
        asked = self._clock.monotonic()  # the lease began after this, so it ends after `_until`
        won = await self._leader.campaign()
        self._until = asked + LEASE.total_seconds() if won else 0.0
        return 0

    def led(self, run_once: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
        """The same work, done by the leader only."""

        async def run() -> int:
            return await run_once() if self.leads else 0

        return run

    async def resign(self) -> None:
        """Make room for another at once. A database that is away frees the lease by time."""
        self._until = 0.0
        try:
            await self._leader.resign()
        except DatabaseUnavailable:
            return
