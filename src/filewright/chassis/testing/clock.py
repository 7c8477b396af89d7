"""A clock that stands still until the test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_TURNS = 20
"""Turns of the event loop given to whoever was woken, before time moves on."""


class FakeClock:
    """Implements `chassis.clock.Clock`. Sleepers wake in order while `advance` walks past their moments."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._order), woken))
        await woken

    @property
    def sleeping(self) -> int:
        """How many wait for time to pass."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def move(self, seconds: float) -> None:
        """Let time pass at once; those whose moment has come wake when the test next awaits."""
        self._passed += seconds
        self._wake()

    async def advance(self, seconds: float) -> None:
        """Let time pass as it would: each sleeper wakes at its own moment and may go to sleep again on the way."""
        end = self._passed + seconds
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._passed = max(self._passed, self._sleepers[0][0])
            self._wake()
            await _let_others_run()
        self._passed = end

    def _wake(self) -> None:
        while self._sleepers and self._sleepers[0][0] <= self._passed:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)


async def _let_others_run() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
