"""The HTTP server, set up so that a stranger can neither hold it, fill it nor lie to it.

uvicorn with its guesses switched off (proxy headers, server header, access log, WebSocket), a bound on the head of a
request in bytes and in time, problems instead of plain text for what is not HTTP, and an end that is announced to the
application before connections are closed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import uvicorn
from typing_extensions import override
from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from filewright.chassis.web.drain import Drain
from filewright.chassis.web.middleware import API_HEADERS
from filewright.chassis.web.problems import PROBLEM_JSON, HeadersTooLarge, InvalidRequest, RequestTimeout, problem_body

MAX_HEAD_BYTES = 128 << 10
HEAD_SECONDS = 20.0
PARTING_SECONDS = 3.0
PARTING_BYTES = 4 << 20
"""What is read and thrown away of a body whose request is answered before all of it came."""
READ_AHEAD_BYTES = 1 << 20
"""Of a body, while the application is busy with what came before. With uvicorn's own 64 KiB the reading stops and goes
on for each piece, which takes three times as long for a large file.
"""
_WITH_BODY = frozenset({b"content-length", b"transfer-encoding"})
_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class GuardedProtocol(HttpToolsProtocol):
    """One connection. The head of each request is bounded; `llhttp` itself would take it without end.

    Who is refused while they send hears why: a connection that is closed with bytes unread is reset, and a reset takes
    an answer with it that lies on the other side and was not read yet. So first only our half is closed.
    """

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _in_head = True
    _parting_timer: asyncio.TimerHandle | None = None
    _thrown_away = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base class
        super().connection_made(transport)
        self._expect_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._parting_timer is not None:
            self._parting_timer.cancel()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._parting_timer is not None:
            self._throw_away(data)
            return
        if self._in_head:
            self._head_bytes += len(data)
            self._arm_timer()
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HeadersTooLarge(f"The head of a request is at most {MAX_HEAD_BYTES} bytes."))

    @override
    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()
        if self.cycle is not None:
            _give_all_that_came(self.cycle)
            if any(name in _WITH_BODY for name, _ in self.headers):
                self.cycle.transport = _Parting(self)  # type: ignore[assignment] # as much of one as a cycle uses

    @override
    def on_body(self, body: bytes) -> None:
        """As uvicorn's, but for how much is read ahead; nothing here is ever upgraded to another protocol."""
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) > READ_AHEAD_BYTES:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._expect_head()

    @override
    def on_response_complete(self) -> None:
        if self._parting_timer is None:
            super().on_response_complete()
        else:
            self.server_state.total_requests += 1

    def part(self) -> None:
        """Close, once the client has had the time to see that it is of no use to send on."""
        if not self.cycle.more_body or self.transport.is_closing():
            self.transport.close()
            return
        self._parting_timer = self.loop.call_later(PARTING_SECONDS, self.transport.close)
        self.transport.write_eof()
        self.flow.resume_reading()

    def _throw_away(self, data: bytes) -> None:
        self._thrown_away += len(data)
        if self._thrown_away > PARTING_BYTES:
            self.transport.close()

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(InvalidRequest("This is not a well-formed HTTP request."))

    def _expect_head(self) -> None:
        self._in_head = True
        self._head_bytes = 0

    def _arm_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _late(self) -> None:
        self._head_timer = None
        self._refuse(RequestTimeout("The head of the request took too long to arrive."))

    def _refuse(self, error: InvalidRequest | RequestTimeout) -> None:
        if self.transport.is_closing():
            return
        self._stop_timer()
        cycle: RequestResponseCycle | None = self.cycle
        answered = cycle is None or cycle.response_complete
        if answered or (cycle is not None and not cycle.response_started):
            self.transport.write(_plain_problem(error))
        if cycle is not None and not answered:
            cycle.disconnected = True  # the application is told that nobody listens any more
            cycle.message_event.set()
        self.transport.close()


class _Parting:
    """What the answer to a request with a body is written to: its end is not the connection's, not yet."""

    def __init__(self, protocol: GuardedProtocol) -> None:
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing
        self.close = protocol.part


def _give_all_that_came(cycle: RequestResponseCycle) -> None:
    """Let the application have the bytes that arrived before a connection broke.

    uvicorn drops what it still holds when it notes the end; a resumable upload wants to keep it.
    """
    receive = cycle.receive

    async def receive_all() -> ASGIReceiveEvent:
        message = await receive()
        if message["type"] == "http.disconnect" and cycle.body and not cycle.response_complete:
            message = {"type": "http.request", "body": bytes(cycle.body), "more_body": cycle.more_body}
            cycle.body = bytearray()
        return message

    cycle.receive = receive_all  # type: ignore[method-assign] # the one place where it can be put between


class Server(uvicorn.Server):
    """uvicorn's server that tells the application of its end first: long polls and event streams then let go.

    `linger` seconds pass between the announcement and the end of accepting, for a load balancer to notice.

    A signal that asks for the end is answered by the end alone: `serve` returns, whoever called it puts things away,
    and the process exits with 0. (uvicorn would send itself the signal again, and die of it before that.)
    """

    def __init__(self, config: uvicorn.Config, drain: Drain, *, linger: float = 0.0) -> None:
        super().__init__(config)
        self._drain = drain
        self._linger = linger

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._drain.begin()
        if self._linger:
            await asyncio.sleep(self._linger)
        await super().shutdown(sockets=sockets)


def make_server(
    app: Any, drain: Drain, *, host: str = "127.0.0.1", port: int = 8000, grace: float = 30.0, linger: float = 0.0
) -> Server:
    """A server for this app; `await server.serve()`. `grace` bounds how long running requests may take at the end."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(grace),
        backlog=2048,
    )
    return Server(config, drain, linger=linger)


def _plain_problem(error: InvalidRequest | RequestTimeout) -> bytes:
    body = orjson.dumps(problem_body(error, instance="/", request_id=""))
    headers = {
        **API_HEADERS,
        "Content-Type": PROBLEM_JSON,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [
        f"HTTP/1.1 {error.status} {_REASONS[error.status]}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
