"""Run each `run_once` on its interval, for ever, whatever happens in one run.

A database, queue or store that is away is not a loop's failure: it is told once when it begins and once when it is
over, and asked ever more rarely in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from filewright.chassis.clock import Clock
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.queue.port import QueueUnavailable
from filewright.chassis.storage.port import StoreUnavailable
from filewright.chassis.tasks import ended
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics

log = get_logger(__name__)

LONGEST_PAUSE_SECONDS = 2.0
"""Between two runs of a loop that meets an outage, unless its interval is longer."""
_OUTAGES = (DatabaseUnavailable, QueueUnavailable, StoreUnavailable)
_MOST_AT_ONCE = 100
"""Runs without a pause while there is more to do; then others get their turn."""


@dataclass(frozen=True)
class Loop:
    """Something to do every `every` seconds, and at once when `topic` is announced; it tells how much it did."""

    name: str
    run_once: Callable[[], Awaitable[int]]
    every: float
    topic: str | None = None
    batch: int = 1
    """How much done in one run means that there may be more, so that it is run again at once."""
    apart: float = 0.0
    """Seconds between the beginnings of two runs, however often the topic is announced."""


class Loops:
    """Run `run` as a task; cancel it to stop. A run that is cancelled leaves nothing half done that is not found."""

    def __init__(self, loops: Sequence[Loop], *, clock: Clock, notifier: Notifier, metrics: Metrics) -> None:
        self._loops = loops
        self._clock = clock
        self._notifier = notifier
        self._failures = metrics.counter("loop_failures", "Runs of a maintenance loop that failed.", ("loop",))
        self._last_success: dict[str, float] = {}
        self._in_vain: dict[str, int] = {}
        """Runs in a row that met an outage, for each loop that waits for the end of one."""

    async def run(self) -> None:
        """All of them side by side, until cancelled."""
        repeating = [asyncio.create_task(self._repeat(loop), name=f"loop-{loop.name}") for loop in self._loops]
        try:
            await asyncio.gather(*repeating)
        finally:
            await ended(repeating, again=1.0)  # not a task group: it cancels once, and that can get lost

    def overdue(self, patience: float = 30.0) -> list[str]:
        """Names of loops without a successful run for `patience` seconds beyond their interval: for health checks."""
        now = self._clock.monotonic()
        return [
            loop.name
            for loop in self._loops
            if loop.name in self._last_success and now - self._last_success[loop.name] > loop.every + patience
        ]

    async def _repeat(self, loop: Loop) -> None:
        self._last_success[loop.name] = self._clock.monotonic()
        if loop.topic is None:
            while True:
                await self._run(loop)
                await self._clock.sleep(self._pause(loop))
        async with self._notifier.listen(loop.topic) as listener:
            while True:
                began = self._clock.monotonic()
                await self._run(loop)
                await listener.wait(self._pause(loop))
                if (left := loop.apart - (self._clock.monotonic() - began)) > 0:
                    await self._clock.sleep(left)

    async def _run(self, loop: Loop) -> None:
        try:
            for _ in range(_MOST_AT_ONCE):
                done = await loop.run_once()
                self._last_success[loop.name] = self._clock.monotonic()
                if done < loop.batch:
                    break
            if in_vain := self._in_vain.pop(loop.name, 0):
                log.info("loop_goes_on", loop=loop.name, in_vain=in_vain)
        except _OUTAGES as error:
            self._failures.labels(loop.name).inc()
            if loop.name not in self._in_vain:
                log.warning("loop_waits", loop=loop.name, error=type(error).__name__)
            self._in_vain[loop.name] = self._in_vain.get(loop.name, 0) + 1
        except Exception:
            self._failures.labels(loop.name).inc()
            log.exception("loop_failed", loop=loop.name)

    def _pause(self, loop: Loop) -> float:
        doubled = loop.every * 2.0 ** min(self._in_vain.get(loop.name, 0), 16)
        return max(loop.every, min(doubled, LONGEST_PAUSE_SECONDS))
