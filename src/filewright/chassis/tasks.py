"""Ending tasks, also those that lose a cancellation, and work that no cancellation may cut in two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

AGAIN_SECONDS = 2.0
T = TypeVar("T")


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


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give, in their order. When one fails or the caller is cancelled, none runs any more by the time
    this raises what the first one raised.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await ended(tasks)


async def to_its_end(work: Awaitable[T]) -> T:
    """Await this to its end, however often the present task is cancelled meanwhile: `ended` asks more than once.

    A cancellation is passed on afterwards; what the work raised is then its cause.
    """
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation from (None if task.cancelled() else task.exception())
    return task.result()
