"""The connection under an exchange: where a name may lead is decided here, once, and where it leads is dialled.

httpcore hands every connection it needs to a network backend. This one resolves the name itself, judges every address
that came, and connects to those addresses and to nothing else, so a name that means something else a moment later
(DNS rebinding) is never asked again. TLS is still made with the name. Whatever arrives is counted.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore

from filewright.chassis.egress.addresses import may_be_reached
from filewright.chassis.egress.errors import SourceFailed, SourceForbidden
from filewright.chassis.egress.targets import Target
from filewright.chassis.networks import Address, Network, within

Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]
"""What a name means now. Raises OSError when it means nothing."""
PORTS = frozenset({80, 443, 8080, 8443})
_MOST_ADDRESSES = 4


@dataclass(frozen=True)
class Policy:
    """Who may be spoken to. In `allowed` networks also those that are not public, on any port and without TLS."""

    allowed: tuple[Network, ...] = ()
    ports: frozenset[int] = PORTS

    def judge(self, target: Target, addresses: Sequence[Address], *, secure_only: bool) -> None:
        """Raises SourceForbidden unless every one of the addresses may be reached."""
        if not all(may_be_reached(address, self.allowed) for address in addresses):
            raise SourceForbidden("The address is not on the public internet.")
        if addresses and all(within(address, self.allowed) for address in addresses):
            return
        if target.port not in self.ports:
            raise SourceForbidden(f"Only the ports {', '.join(map(str, sorted(self.ports)))} may be used.")
        if secure_only and not target.secure:
            raise SourceForbidden("Use an address that begins with https://.")


async def system_resolver(host: str, port: int) -> Sequence[Address]:
    """As this machine resolves names."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(place[0])) for *_, place in found]


class Meter:
    """Counts what arrives and stops it past `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bytes = 0

    def count(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes > self.limit:
            raise SourceFailed("Far more came from there than was to be expected.")


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects one exchange, to nothing but its target."""

    def __init__(self, target: Target, policy: Policy, resolve: Resolver, meter: Meter, *, secure_only: bool) -> None:
        self._target = target
        self._policy = policy
        self._resolve = resolve
        self._meter = meter
        self._secure_only = secure_only
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if (host, port) != (self._target.host, self._target.port):
            raise SourceForbidden
        addresses = await self._meant()
        self._policy.judge(self._target, addresses, secure_only=self._secure_only)
        failure: Exception = httpcore.ConnectError()
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                stream = await self._network.connect_tcp(str(address), port, timeout=timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Metered(stream, self._meter)
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise SourceForbidden

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _meant(self) -> Sequence[Address]:
        if self._target.address is not None:
            return [self._target.address]
        try:
            found = list(dict.fromkeys(await self._resolve(self._target.host, self._target.port)))
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise SourceFailed("The name of the host cannot be resolved.")
        return found


class _Metered(httpcore.AsyncNetworkStream):
    """A stream whose bytes are counted as they arrive."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        piece = await self._stream.read(max_bytes, timeout)
        self._meter.count(piece)
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        return _Metered(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._meter)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
