"""What addresses in settings look like."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_web_address(value: str) -> bool:
    """Of a host, for a browser."""
    parts = urlsplit(value)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
