"""Wait for something to become true among tasks of one loop: who changes anything beats, who waits looks again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pulse:
    """One per supervisor."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def beat(self) -> None:
        """Something changed."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Return when it is true; at once when it is."""
        while not is_true():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)
