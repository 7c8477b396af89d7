"""Where a clamd listens: `tcp://host:port` or `unix:///path/to/socket`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = 3310
_TCP = frozenset({"tcp", "clamd"})


@dataclass(frozen=True)
class Address:
    """A place to connect to: a path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


def parse_addresses(text: str) -> tuple[Address, ...]:
    """All of them, with commas between. Raises ValueError for what is none, and for an empty list."""
    found = tuple(_parse(part.strip()) for part in text.split(",") if part.strip())
    if not found:
        raise ValueError("it names no scanner")
    return tuple(dict.fromkeys(found))


def _parse(text: str) -> Address:
    url = urlsplit(text)
    if url.scheme == "unix" and url.path.startswith("/") and not url.netloc:
        return Address(path=unquote(url.path))
    if url.scheme in _TCP and url.hostname and url.path in {"", "/"} and not (url.query or url.username):
        return Address(host=url.hostname, port=url.port or DEFAULT_PORT)
    raise ValueError("use tcp://host:3310 or unix:///run/clamav/clamd.ctl, and a comma between two")
