"""Send long texts of our own compressed, to clients that take it.

Only a whole answer of one piece is looked at, only JSON and HTML, and only with status 200. So a stream (events, an
output of a job, a ZIP) passes through as it comes, and bytes that are somebody's file are never touched. Short answers
are left alone: below a few packets nothing is gained. What is static is compressed once and for all elsewhere
(`statics.py`).
"""

from __future__ import annotations

import asyncio
import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filewright.chassis.web.headers import header
from filewright.chassis.web.preferences import accepts_gzip

SHORTEST = 4 << 10
_TYPES = frozenset({"application/json", "text/html"})
_LEVEL = 6
_LONG = 64 << 10
"""From here on it takes a millisecond and more: in a thread, then."""


class Compressed:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not accepts_gzip(header(scope, b"accept-encoding")):
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def send_short(message: Message) -> None:
            """Hold the head back until the first piece shows whether it is the only one."""
            nonlocal held
            if message["type"] == "http.response.start" and _may_be_compressed(message):
                held = message
                return
            if held is not None:
                start, held = held, None
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    message = await _compressed(start, message)
                await send(start)
            await send(message)

        await self._app(scope, receive, send_short)


def _may_be_compressed(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    foreign = "content-encoding" in headers or "content-disposition" in headers
    return start["status"] == 200 and kind in _TYPES and not foreign


async def _compressed(start: Message, whole: Message) -> Message:
    body = whole.get("body", b"")
    headers = MutableHeaders(scope=start)
    headers.add_vary_header("Accept-Encoding")
    if len(body) < SHORTEST:
        return whole
    if len(body) < _LONG:
        short = gzip.compress(body, _LEVEL, mtime=0)
    else:
        short = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(short))
    tag = headers.get("etag")
    if tag is not None and not tag.startswith("W/"):
        headers["ETag"] = f"W/{tag}"  # other bytes of the same meaning
    return {**whole, "body": short}
