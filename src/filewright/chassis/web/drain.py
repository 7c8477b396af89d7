"""The end of a process, announced: readiness flips, and what waits (long polls, event streams) stops waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Drain:
    """One per process. `begin()` is called once, from the loop, when the process has been told to stop."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def draining(self) -> bool:
        return self._begun.is_set()

    def begin(self) -> None:
        self._begun.set()

    async def wait(self) -> None:
        """Return when draining begins."""
        await self._begun.wait()

    async def unless(self, waiting: Awaitable[T]) -> T | None:
        """What `waiting` gives, or None at once (and `waiting` cancelled) when draining begins first."""
        work = asyncio.ensure_future(waiting)
        stop = asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else None
        finally:
            stop.cancel()
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
