"""Blocking calls on a thread, in such a way that a cancelled caller never leaves one running behind its back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from filewright.chassis.tasks import to_its_end

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As `asyncio.to_thread`, but a cancellation is only passed on when the call has ended.

    Otherwise the cancelled caller would close a file that the thread is still writing to, and the descriptor's number
    may belong to another file by then.
    """
    return await to_its_end(begun_in_thread(function, *args, **kwargs))


def begun_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """The call runs already, not only when the caller next waits for something. Await it by `to_its_end`."""
    return asyncio.get_running_loop().run_in_executor(None, partial(function, *args, **kwargs))


async def over(call: asyncio.Future[T]) -> None:
    """Return when the call has ended, however it ended; for what it worked on to be let go of."""
    await to_its_end(asyncio.wait([call]))
    if not call.cancelled():
        call.exception()  # looked at, so that the loop does not report it as lost
