"""From the thread that hears hints to the event loop that wants them, one by one and only when they are wanted.

A hint that nobody here waits for stays in the broker, where a process with a free slot finds it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from filewright.chassis.queue.port import Task


class HandOver:
    """Belongs to the event loop on which it is made; `wanted` and `deliver` are for the other thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[Task | None]] = deque()
        self._held: deque[Task] = deque()
        # Each is written by one thread only, so that no update gets lost between them.
        self._sent = 0
        self._arrived = 0

    def wanted(self) -> int:
        """How many more hints somebody waits for. A moment old at worst: one too many is kept for the next taker."""
        return max(0, len(self._waiting) - len(self._held) - (self._sent - self._arrived))

    def deliver(self, task: Task) -> None:
        """Give a hint to whoever waits longest."""
        self._sent += 1
        try:
            self._loop.call_soon_threadsafe(self._arrive, task)
        except RuntimeError:  # the loop is gone, and with it everybody who wanted anything
            self._arrived = self._sent

    async def take(self, timeout: float, *, wake: Callable[[], None]) -> Task | None:  # noqa: ASYNC109
        """The next hint; None after `timeout` seconds or when all are sent away. `wake` is called if it has to wait."""
        if self._held:
            return self._held.popleft()
        turn: asyncio.Future[Task | None] = self._loop.create_future()
        self._waiting.append(turn)
        wake()
        try:
            await asyncio.wait([turn], timeout=timeout)
            return turn.result() if turn.done() else None
        except asyncio.CancelledError:
            if turn.done() and (task := turn.result()) is not None:
                self._give(task)
            raise
        finally:
            if not turn.done():
                self._waiting.remove(turn)

    def send_all_away(self) -> None:
        """Everybody who waits gets None."""
        while self._waiting:
            self._waiting.popleft().set_result(None)

    def _arrive(self, task: Task) -> None:
        self._arrived += 1
        self._give(task)

    def _give(self, task: Task) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(task)
        else:
            self._held.append(task)
