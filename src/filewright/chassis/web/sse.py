"""Server-sent events: a stream that resumes, beats while nothing happens, and ends when it is over or we stop.

Each event carries its id, so a browser that lost the connection asks for what follows it (`Last-Event-ID`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import StreamingResponse

from filewright.chassis.web.drain import Drain

HEARTBEAT_SECONDS = 15.0
_BEAT = b": still here\n\n"
RETRY_SECONDS = 2.0


@dataclass(frozen=True)
class Event:
    """One event: its id, its name and what it says."""

    id: int
    name: str
    data: Any


def event_stream(
    events: AsyncIterator[Event],
    drain: Drain,
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
    retry: float = RETRY_SECONDS,
) -> StreamingResponse:
    """The response. It ends with the events, or cleanly when the process drains: the client then reconnects.

    `retry` is how many seconds after a loss a browser does so.
    """
    return StreamingResponse(
        _frames(events, drain, heartbeat, retry),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def frame(event: Event) -> bytes:
    """The event on the wire. JSON holds no line end, so one data line is enough."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.name.encode(), orjson.dumps(event.data))


async def _frames(events: AsyncIterator[Event], drain: Drain, heartbeat: float, retry: float) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % (retry * 1000)
    stop: asyncio.Future[None] = asyncio.ensure_future(drain.wait())
    upcoming: asyncio.Future[Event | None] = _next(events)
    try:
        while True:
            done, _ = await asyncio.wait(
                set[asyncio.Future[Any]]({upcoming, stop}), timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED
            )
            if upcoming in done:
                event = upcoming.result()
                if event is None:
                    return
                yield frame(event)
                upcoming = _next(events)
            elif stop in done:
                return
            else:
                yield _BEAT
    finally:
        stop.cancel()
        upcoming.cancel()
        await asyncio.gather(upcoming, stop, return_exceptions=True)
        await _close(events)


def _next(events: AsyncIterator[Event]) -> asyncio.Future[Event | None]:
    return asyncio.ensure_future(_next_or_none(events))


async def _next_or_none(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


async def _close(events: AsyncIterator[Event]) -> None:
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
