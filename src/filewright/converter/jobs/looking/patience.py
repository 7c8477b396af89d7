"""How open streams look at the database: a few at a time, and for as long as it takes.

A stream has nobody to tell that it cannot look at the moment, so it waits until the database is back. And when very
many want to look at once (all that were cut off with a process come back to another), they wait for their turn here,
and not in the pool of connections, where they would be in the way of everybody else until all of them ran out of time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from filewright.chassis.db.errors import DatabaseUnavailable

AT_ONCE, NEWCOMERS_AT_ONCE = 8, 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0

T = TypeVar("T")


class Patience:
    """One for all streams of a process."""

    def __init__(self, at_once: int = AT_ONCE, newcomers: int = NEWCOMERS_AT_ONCE) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._newcomers = asyncio.Semaphore(newcomers)

    async def __call__(self, ask: Callable[[], Awaitable[T]], *, first: bool = False) -> T:
        """What it gives, however long the database is away. The pauses grow, and spread those who wait together.

        `first`: a stream that has just been opened. However many come at once, who has news does not wait behind them.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._newcomers if first else self._turns:
                    return await ask()
            except DatabaseUnavailable:
                await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads them
                pause = min(LONGEST_PAUSE, 2 * pause)
