"""Whose request it is, by address: the true peer, unless a proxy that the operator named speaks for another.

Everything a client can write (`X-Forwarded-For`, `Forwarded`, `X-Real-IP`) is ignored from anyone else. The server
must run with its own guessing switched off (`proxy_headers=False`), because that trusts loopback by default.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache, partial

from starlette.types import Scope

from filewright.chassis.networks import Address, Network, within
from filewright.chassis.web.headers import header, headers

_IPV6_PREFIX = 64
LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


_REMEMBERED = 4096
"""Addresses; to read one, or to look for it in a network, takes longer than most of what is done with it."""
_LONGEST_REMEMBERED = 64


class Proxies:
    """The proxies that are believed. An empty list believes nobody."""

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        self._trusts = lru_cache(_REMEMBERED)(partial(within, networks=tuple(trusted)))

    def client(self, scope: Scope) -> Address | None:
        """The caller's address; None on a unix socket."""
        peer = parse_address(scope["client"][0]) if scope.get("client") else None
        if peer is None or not self._trusts(peer):
            return peer
        found = peer
        for hop in reversed(_forwarded_for(scope)):
            address = parse_address(hop)
            if address is None:
                break  # what stands left of nonsense was written by nobody we trust
            found = address
            if not self._trusts(address):
                break
        return found

    def scheme(self, scope: Scope) -> str:
        """`https` when a believed proxy says so, else what the connection is."""
        said = self._said(scope, b"x-forwarded-proto").lower()
        return said if said in {"http", "https"} else str(scope.get("scheme", "http"))

    def host(self, scope: Scope) -> str:
        """The host (and port) that the client asked for; what a believed proxy says goes first."""
        return self._said(scope, b"x-forwarded-host") or header(scope, b"host")

    def _said(self, scope: Scope, name: bytes) -> str:
        peer = parse_address(scope["client"][0]) if scope.get("client") else None
        if peer is None or not self._trusts(peer):
            return ""
        return header(scope, name).split(",")[-1].strip()


NO_PROXIES = Proxies()
"""Nobody speaks for another."""


@lru_cache(_REMEMBERED)
def neighbourhood(address: Address | None) -> str:
    """The address as one customer: of an IPv6 network of 64 bits one machine may have every address."""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


def stranger(address: Address | str | None) -> str:
    """What a caller is called of whom nothing is known but the address."""
    known = parse_address(address) if isinstance(address, str) else address
    return f"ip:{neighbourhood(known)}"


def parse_address(text: str) -> Address | None:
    """An address as proxies write it: with or without port, brackets, quotes or zone; IPv4-mapped becomes IPv4."""
    return _parsed(text) if len(text) <= _LONGEST_REMEMBERED else _parse(text)


def _parse(text: str) -> Address | None:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


_parsed = lru_cache(_REMEMBERED)(_parse)


def _forwarded_for(scope: Scope) -> list[str]:
    return [hop for value in headers(scope, b"x-forwarded-for") for hop in value.split(",")]
