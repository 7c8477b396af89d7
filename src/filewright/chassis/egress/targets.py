"""An address as somebody wrote it, taken apart so that it means the same to everybody who reads it later.

Most holes of this kind are two readers of one text: the one that judges and the one that dials. So whatever is written
in more than one way is refused instead of understood: names with an `@` before them, numbers that some resolvers take
for addresses (`2130706433`, `0x7f.1`, `010.0.0.1`), zones, escapes in the host, blanks and backslashes anywhere.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote, unquote

import idna

from filewright.chassis.egress.errors import SourceForbidden
from filewright.chassis.networks import Address

MAX_URL_CHARS = 4096
_WHOLE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?"
)
_BRACKETED = re.compile(r"\[(?P<address>[0-9A-Fa-f:.]+)\](?::(?P<port>[0-9]*))?")
_NAMED = re.compile(r"(?P<name>[^:\[\]]+)(?::(?P<port>[0-9]*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SCHEMES = {"http": 80, "https": 443}
_UNTOUCHED = "/:@!$&'()*+,;=?%~-._"  # what may stand in a path or a query as it is


@dataclass(frozen=True)
class Target:
    """Where a request goes: `host` in lower case and ASCII, without a dot at its end; `path` with the query."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None
    """The host, when it is an address and no name."""

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """For the `Host` header."""
        host = f"[{self.host}]" if isinstance(self.address, ipaddress.IPv6Address) else self.host
        return host if self.port == _SCHEMES[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def filename(self) -> str:
        """The last part of the path as a name; empty when there is none."""
        return unquote(self.path.partition("?")[0].rpartition("/")[2], errors="replace")


def target_of(url: str) -> Target:
    """The target that this text names, without asking anybody. Raises SourceForbidden."""
    if len(url) > MAX_URL_CHARS:
        _refuse(f"The address is longer than {MAX_URL_CHARS} characters.")
    if any(not char.isprintable() or char.isspace() or char == "\\" for char in url):
        _refuse("The address holds blanks, backslashes or characters that cannot be seen; encode them.")
    found = _WHOLE.fullmatch(url)
    scheme = found["scheme"].lower() if found else ""
    if found is None or scheme not in _SCHEMES:
        _refuse("Give a whole address that begins with https:// or http://.")
    host, address, port = _taken_apart(found["authority"])
    path = quote((found["path"] or "/") + (found["query"] or ""), safe=_UNTOUCHED)
    return Target(scheme, host, _SCHEMES[scheme] if port is None else port, path, address)


def _taken_apart(authority: str) -> tuple[str, Address | None, int | None]:
    if "@" in authority:
        _refuse("The address may not hold a user name or a password.")
    if "%" in authority:
        _refuse("The host may hold neither a zone nor anything escaped.")
    if found := _BRACKETED.fullmatch(authority):
        try:
            address = ipaddress.IPv6Address(found["address"])
        except ValueError:
            _refuse("What stands in brackets is no address.")
        return str(address), address, _port(found["port"])
    found = _NAMED.fullmatch(authority)
    if found is None:
        _refuse("The host is missing, or is none.")
    host = _host(found["name"])
    return host, _as_address(host), _port(found["port"])


def _port(digits: str | None) -> int | None:
    if not digits:
        return None
    if len(digits) > 5 or not 0 < int(digits) < 65536:
        _refuse("The port is none.")
    return int(digits)


def _host(written: str) -> str:
    """The one form of a host: as it goes over the wire, in lower case, without the root's dot."""
    try:
        host = written.lower() if written.isascii() else idna.encode(written, uts46=True).decode("ascii")
    except idna.IDNAError:
        _refuse("The host is not a name that exists.")
    host = host.removesuffix(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        _refuse("The host is missing, or is none.")
    return host


def _as_address(host: str) -> Address | None:
    """The address that a host is, when its last part is a number; there is one way to write it."""
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        _refuse("Write an IPv4 address as four plain numbers.")
    return address


def _refuse(detail: str) -> NoReturn:
    raise SourceForbidden(detail)
