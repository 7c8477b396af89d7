"""The address of a mail server, as a setting says it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

Encryption = Literal["starttls", "tls", "none"]
_PORTS: dict[Encryption, int] = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True)
class SmtpServer:
    """Where letters are handed in."""

    host: str
    port: int
    encryption: Encryption
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_smtp_address(url: str, password: str | None = None) -> SmtpServer:
    """`smtp://user@host:587`, `smtps://user@host` or, on this machine only, `smtp://127.0.0.1:25?tls=none`.

    Raises ValueError with what would be right.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("use smtp://user@host:587 (STARTTLS) or smtps://user@host:465")
    query = parse_qs(parts.query)
    said = query.get("tls", ["on"])[0]
    if set(query) - {"tls"} or said not in {"on", "none"}:
        raise ValueError("after `?` only tls=none can stand")
    encryption: Encryption = "tls" if parts.scheme == "smtps" else "none" if said == "none" else "starttls"
    if encryption == "none" and not _is_here(parts.hostname):
        raise ValueError("tls=none is for a mail server on this machine only; others need STARTTLS or smtps://")
    user = unquote(parts.username) if parts.username else None
    known = password if password is not None else unquote(parts.password) if parts.password else None
    if (user is None) != (known is None):
        raise ValueError("a user has a password and a password has a user: give both or neither")
    return SmtpServer(parts.hostname, parts.port or _PORTS[encryption], encryption, user, known)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
