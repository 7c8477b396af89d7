"""Run each `run_once` on its interval, for ever, whatever happens in one run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from filewright.chassis.clock import Clock
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics

log = get_logger(__name__)

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


class Loops:
    """Run `run` as a task; cancel it to stop. A run that is cancelled leaves nothing half done that is not found."""

    def __init__(self, loops: Sequence[Loop], *, clock: Clock, notifier: Notifier, metrics: Metrics) -> None:
        self._loops = loops
        self._clock = clock
        self._notifier = notifier
        self._failures = metrics.counter("loop_failures", "Runs of a maintenance loop that failed.", ("loop",))
        self._last_success: dict[str, float] = {}

    async def run(self) -> None:
        """All of them side by side, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops:
                group.create_task(self._repeat(loop), name=f"loop-{loop.name}")

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
                await self._clock.sleep(loop.every)
        async with self._notifier.listen(loop.topic) as listener:
            while True:
                await self._run(loop)
                await listener.wait(loop.every)

    async def _run(self, loop: Loop) -> None:
        try:
            for _ in range(_MOST_AT_ONCE):
                if await loop.run_once() < loop.batch:
                    break
            self._last_success[loop.name] = self._clock.monotonic()
        except Exception:
            self._failures.labels(loop.name).inc()
            log.exception("loop_failed", loop=loop.name)
