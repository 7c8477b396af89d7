"""Go on when the database comes back: a stream that is open has nobody to tell that it cannot look at the moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from filewright.chassis.db.errors import DatabaseUnavailable

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0

T = TypeVar("T")


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """What it gives, however long the database is away. The pauses grow, and spread those who wait together."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await ask()
        except DatabaseUnavailable:
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads them
            pause = min(LONGEST_PAUSE, 2 * pause)
