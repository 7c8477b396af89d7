"""One exchange with the outside: a request goes out, an answer comes back, within bounds.

No redirect is followed, no cookie is kept, no proxy of the environment is used, no connection is used twice. Bodies are
asked for as they are (`identity`), so that no few bytes unpack to many. What the other side answers is the caller's
alone to read: nothing of it belongs in an error that somebody is shown.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

import certifi
import httpcore

from filewright.chassis.egress.errors import SourceFailed, SourceForbidden
from filewright.chassis.egress.targets import Target, target_of
from filewright.chassis.egress.wire import Meter, PinnedBackend, Policy, Resolver, system_resolver
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics

log = get_logger(__name__)

_AGENT = "Filewright"
_READ_AHEAD = 64 << 10
"""As much as httpcore reads at a time: with the last bytes of a head may come so many of the body."""
_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


@dataclass(frozen=True)
class Bounds:
    """How much of its time and memory an exchange may take."""

    seconds: float = 30.0
    """From the first question to the last byte."""
    silent_seconds: float = 10.0
    """Without a connection, or without a byte."""
    body_bytes: int = 1 << 20
    head_bytes: int = 64 << 10


@dataclass(frozen=True)
class Outgoing:
    """A request. Header names are written as they are sent; `Host` and the like are added."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    purpose: str = "other"
    """For metrics: a word of the program, never of a caller."""
    secure_only: bool = False
    """Whether a public address must be spoken to in TLS."""
    bounds: Bounds = Bounds()


@dataclass(frozen=True)
class Incoming:
    """The beginning of an answer; `pieces` are the bytes of its body, once."""

    target: Target
    status: int
    headers: Mapping[str, str]
    """By name in lower case; of several with one name, the first."""
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Egress:
    """Makes the calls. Holds no connection between two of them."""

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        metrics: Metrics | None = None,
        resolve: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy or Policy()
        self._resolve = resolve
        self._given_tls = tls
        self._outcomes = (metrics or Metrics()).counter(
            "egress_requests", "Calls to addresses outside.", ("purpose", "outcome")
        )

    def check(self, url: str, *, secure_only: bool = False) -> Target:
        """What can be said of an address without asking anybody where it leads. Raises SourceForbidden.

        It is no permission: where a name leads is judged when it is dialled.
        """
        target = target_of(url)
        if target.address is not None:
            self._policy.judge(target, [target.address], secure_only=secure_only)
        elif not self._policy.allowed:  # nothing that a name may turn out to be lifts these
            self._policy.judge(target, [], secure_only=secure_only)
        return target

    async def exchange(self, request: Outgoing) -> Answer:
        """The whole answer, in memory. Raises as `open`."""
        async with self.open(request) as incoming:
            body = b"".join([piece async for piece in incoming.pieces])
            return Answer(incoming.status, incoming.headers, body)

    @asynccontextmanager
    async def open(self, request: Outgoing) -> AsyncIterator[Incoming]:
        """The answer's beginning; the connection is there for as long as the context lasts.

        Raises SourceForbidden when the address may not be reached, and SourceFailed when nothing good came of it.
        """
        outcome, time = "failed", asyncio.timeout(request.bounds.seconds)
        try:
            async with time, self._speak(request) as incoming:
                yield incoming
            outcome = "done"
        except TimeoutError:
            if not time.expired():
                raise
            raise SourceFailed("It took too long.") from None
        except SourceFailed:
            raise
        except SourceForbidden:
            outcome = "forbidden"
            raise
        except _FAILURES as error:
            log.info("egress_failed", purpose=request.purpose, error=type(error).__name__)
            raise SourceFailed("No connection could be made, or it broke.") from None
        finally:
            self._outcomes.labels(request.purpose, outcome).inc()

    @asynccontextmanager
    async def _speak(self, request: Outgoing) -> AsyncIterator[Incoming]:
        target, bounds = target_of(request.url), request.bounds
        meter = Meter(bounds.head_bytes + _READ_AHEAD)
        backend = PinnedBackend(target, self._policy, self._resolve, meter, secure_only=request.secure_only)
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        connection = httpcore.AsyncHTTPConnection(
            url.origin, ssl_context=self._tls if target.secure else None, network_backend=backend
        )
        try:
            response = await connection.handle_async_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=_headers(target, request),
                    content=request.body,
                    extensions={"timeout": dict.fromkeys(("connect", "read", "write"), bounds.silent_seconds)},
                )
            )
            meter.limit += 2 * bounds.body_bytes  # the framing of chunks costs as much again, at the very most
            headers = _told(response.headers, bounds)
            yield Incoming(target, response.status, headers, _pieces(response, headers, bounds))
        finally:
            await connection.aclose()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        if self._given_tls is not None:
            return self._given_tls
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context


def _headers(target: Target, request: Outgoing) -> list[tuple[bytes, bytes]]:
    sent = {
        "Host": target.authority,
        "User-Agent": _AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **request.headers,
    }
    if request.body:
        sent["Content-Length"] = str(len(request.body))
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()]


def _told(headers: Sequence[tuple[bytes, bytes]], bounds: Bounds) -> Mapping[str, str]:
    if sum(len(name) + len(value) + 4 for name, value in headers) > bounds.head_bytes:
        raise SourceFailed("Its headers are too long.")
    found: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found


async def _pieces(response: httpcore.Response, headers: Mapping[str, str], bounds: Bounds) -> AsyncIterator[bytes]:
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise SourceFailed("It answers in an encoding that was not asked for.")
    received = 0
    async for piece in response.aiter_stream():
        received += len(piece)
        if received > bounds.body_bytes:
            raise SourceFailed("It sends more than is taken from there.")
        yield piece
