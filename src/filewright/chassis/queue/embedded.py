"""The queue of the one-process shape: two lanes in memory, bounded, gone with the process.

Nothing is lost by that: the dispatcher finds every row that still wants work and hints again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from filewright.chassis.queue.port import LANES, PREMIUM, STANDARD, QueueFull, Task


class EmbeddedQueue:
    """Premium first; but after `fairness` premium tasks in a row, one standard task that waits gets its turn.

    `capacity` bounds all lanes together, so that a backlog lives in the database and not in memory.
    """

    def __init__(self, *, capacity: int = 1000, fairness: int = 4) -> None:
        self._capacity = capacity
        self._fairness = fairness
        self._lanes: dict[str, deque[Task]] = {lane: deque() for lane in LANES}
        self._waiting: set[Task] = set()
        self._premium_in_a_row = 0
        self._arrived = asyncio.Event()
        self._closed = False

    async def publish(self, task: Task) -> None:
        if task in self._waiting:
            return
        if len(self._waiting) >= self._capacity:
            raise QueueFull(f"{self._capacity} tasks wait already")
        self._lanes[task.lane].append(task)
        self._waiting.add(task)
        self._arrived.set()

    async def publish_all(self, tasks: Sequence[Task]) -> int:
        for number, task in enumerate(tasks):
            try:
                await self.publish(task)
            except QueueFull:
                return number
        return len(tasks)

    async def take(self, timeout: float) -> Task | None:  # noqa: ASYNC109
        # An event wakes every taker and all but one sleep again. A condition would wake one, and on Python 3.11 lose
        # that wake-up when the one is cancelled at the same moment.
        try:
            async with asyncio.timeout(timeout):
                while (task := self._next()) is None and not self._closed:
                    self._arrived.clear()
                    await self._arrived.wait()
                return task
        except TimeoutError:
            return None

    async def depth(self) -> Mapping[str, int]:
        return {name: len(tasks) for name, tasks in self._lanes.items()}

    async def close(self) -> None:
        self._closed = True
        self._waiting.clear()
        for tasks in self._lanes.values():
            tasks.clear()
        self._arrived.set()

    def _next(self) -> Task | None:
        premium, standard = self._lanes[PREMIUM], self._lanes[STANDARD]
        standards_turn = self._premium_in_a_row >= self._fairness and bool(standard)
        if premium and not standards_turn:
            task, self._premium_in_a_row = premium.popleft(), self._premium_in_a_row + 1
        elif standard:
            task, self._premium_in_a_row = standard.popleft(), 0
        else:
            return None
        self._waiting.discard(task)
        return task
