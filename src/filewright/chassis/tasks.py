"""Ending tasks, also those that lose a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 2.0


async def ended(tasks: Iterable[asyncio.Task[Any]], *, again: float = AGAIN_SECONDS) -> None:
    """Cancel all of them and return when the last has ended, however it ended.

    A client library may take a cancellation for one of its own time-outs and go on, so whatever still runs after
    `again` seconds is cancelled once more: time enough for a clean-up that was begun. Tasks that have ended are left
    as they are; calling it twice does nothing more.
    """
    unfinished = {task for task in tasks if not task.done()}
    while unfinished:
        for task in unfinished:
            task.cancel()
        _, unfinished = await asyncio.wait(unfinished, timeout=again)
