"""What happens around every request, as plain ASGI (a `BaseHTTPMiddleware` costs more than the whole framework).

From outside in: `RequestContext` gives the request its id and trace; `SecurityHeaders` says what a browser may do with
the answer; `Measured` counts; `Compressed` (`compression.py`) shortens; `BodyWatch` closes the connection of a body
that nobody wants; `Faults` turns whatever escaped into a problem; `RequestLimits` bounds address, headers and time.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filewright.chassis.clock import Clock
from filewright.chassis.errors import ProblemError
from filewright.chassis.telemetry.logs import get_logger, log_context
from filewright.chassis.telemetry.metrics import Counter, Histogram, Metrics
from filewright.chassis.web.headers import header, headers
from filewright.chassis.web.problems import (
    Forbidden,
    HeadersTooLarge,
    InvalidRequest,
    RequestTimeout,
    UriTooLong,
    as_problem,
    problem_response,
)

_log = get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

API_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
"""What an answer carries unless its endpoint says otherwise."""


class RequestContext:
    """Accept or make the request id, accept a trace, echo both, and bind them to the log lines of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked, trace = header(scope, b"x-request-id"), header(scope, b"traceparent")
        request_id = asked if asked and _REQUEST_ID.fullmatch(asked) else f"req_{secrets.token_hex(16)}"
        trace = trace if trace and _TRACEPARENT.fullmatch(trace) else ""
        scope.setdefault("state", {}).update(request_id=request_id, traceparent=trace)
        ids = [(b"x-request-id", request_id.encode())]
        if trace:
            ids.append((b"traceparent", trace.encode()))

        async def send_with_ids(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *ids]
            await send(message)

        with log_context(request_id=request_id):
            await self._app(scope, receive, send_with_ids)


class SecurityHeaders:
    """Set `API_HEADERS` where the endpoint has not."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] = API_HEADERS) -> None:
        self._app = app
        self._headers = tuple((name.lower().encode(), value.encode()) for name, value in headers.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = list(message.get("headers", ()))
                names = {name for name, _ in said}
                message["headers"] = said + [item for item in self._headers if item[0] not in names]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Measured:
    """Requests by method, route and status, and their seconds. Label children are cached: a look-up costs 4 us."""

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._requests = metrics.counter("http_requests", "Requests answered.", ("method", "route", "status"))
        self._seconds = metrics.histogram("http_request_seconds", "Seconds to the last byte.", ("method", "route"))
        self._open = metrics.gauge("http_requests_open", "Requests being answered.")
        self._children: dict[tuple[str, str, int], Counter] = {}
        self._timers: dict[tuple[str, str], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        began = self._clock.monotonic()

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._open.inc()
        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            self._open.dec()
            self._count(scope, status, self._clock.monotonic() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # Neither a path nor a made-up method may become a label: a stranger could fill the memory with them.
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _KNOWN_METHODS else "other"
        child = self._children.get((method, route, status))
        if child is None:
            child = self._children[method, route, status] = self._requests.labels(method, route, str(status))
            self._timers.setdefault((method, route), self._seconds.labels(method, route))
        child.inc()
        self._timers[method, route].observe(seconds)


_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


Refused = Callable[[Request, ProblemError], None]
"""Hears of a problem that is about to be answered."""


class Faults:
    """The last net: an exception that nobody handled is logged with the request id and answered as `internal`.

    `refused` hears of the problems that were raised past the framework (`shortcut.py`).
    """

    def __init__(self, app: ASGIApp, refused: Refused) -> None:
        self._app = app
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noting_start)
        except ProblemError as error:
            if started:
                raise
            self._refused(Request(scope), error)
            await problem_response(error, scope)(scope, receive, send)
        except Exception as error:
            _log.exception("request_failed", method=scope["method"])
            if started:
                raise  # the server cuts the connection: a truncated answer must not look whole
            await problem_response(as_problem(error), scope)(scope, receive, send)


class RequestLimits:
    """Bounds on the address, the headers and the pace of the body, and a refusal of other sites' forms.

    A body must keep coming: no more than `idle_seconds` between two pieces, and after `grace_seconds` at least
    `min_rate` bytes a second on average. A browser that says a request was made by another site is refused: a page on
    the web must not be able to drive the service on its reader's own machine.
    """

    def __init__(
        self,
        app: ASGIApp,
        clock: Clock,
        *,
        max_url: int = 8 << 10,
        max_headers: int = 64 << 10,
        idle_seconds: float = 30,
        grace_seconds: float = 30,
        min_rate: int = 512,
    ) -> None:
        self._app = app
        self._clock = clock
        self._max_url = max_url
        self._max_headers = max_headers
        self._idle = idle_seconds
        self._grace = grace_seconds
        self._rate = min_rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._check(scope)
        await self._app(scope, self._paced(receive), send)

    def _check(self, scope: Scope) -> None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > self._max_url:
            raise UriTooLong(f"The address is longer than {self._max_url} bytes; put what is long in the body.")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self._max_headers:
            raise HeadersTooLarge(f"The headers are longer than {self._max_headers} bytes together.")
        for length in headers(scope, b"content-length"):
            if not (length.isascii() and length.isdigit() and len(length) <= 18):
                raise InvalidRequest("Content-Length is not a number.")
        if scope["method"] not in _SAFE_METHODS and header(scope, b"sec-fetch-site") == "cross-site":
            raise Forbidden("A page of another site may not do this.")

    def _paced(self, receive: Receive) -> Receive:
        began: float | None = None
        taken = 0
        ended = False

        async def paced() -> Message:
            nonlocal began, taken, ended
            if ended:  # only the disconnect is left to hear of, and it may take as long as the answer does
                return await receive()
            now = self._clock.monotonic()
            began = now if began is None else began
            try:
                async with asyncio.timeout(self._idle):
                    message = await receive()
            except TimeoutError:
                raise RequestTimeout("No byte of the body came for too long.") from None
            taken += len(message.get("body", b""))
            ended = message["type"] != "http.request" or not message.get("more_body", False)
            late = self._clock.monotonic() - began - self._grace
            if not ended and late > 0 and taken < late * self._rate:
                raise RequestTimeout(f"The body came more slowly than {self._rate} bytes a second.")
            return message

        return paced


class BodyWatch:
    """Close the connection after an answer that was given before the body was read, unless little of it is left.

    Kept open, the server would go on to read and drop whatever is still being sent, without end.
    """

    def __init__(self, app: ASGIApp, tolerated: int = 64 << 10) -> None:
        self._app = app
        self._tolerated = tolerated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        complete = False
        taken = 0

        async def watched() -> Message:
            nonlocal complete, taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                complete = complete or not message.get("more_body", False)
            return message

        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and not complete and self._much_left(scope, taken):
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, watched, send_closing)

    def _much_left(self, scope: Scope, taken: int) -> bool:
        if headers(scope, b"transfer-encoding"):
            return True
        length = header(scope, b"content-length") or "0"
        return not (length.isascii() and length.isdigit()) or int(length[:18]) - taken > self._tolerated
