"""Serve stored bytes so that no browser can be led astray: attachment, exact type, no sniffing, no script, no cache.

Names follow RFC 6266 and 8187, ranges RFC 9110 (one range; anything else is answered whole), digests RFC 9530.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from filewright.chassis.web.preferences import etag_matches, opaque
from filewright.chassis.web.problems import RangeNotSatisfiable

DOWNLOAD_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_MAX_NAME_BYTES = 200
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})", re.IGNORECASE)
_UNQUOTED = "!#$&+-.^_`|~"


@dataclass(frozen=True)
class Download:
    """What is served. `read(start, end)` gives the bytes from `start` up to, not including, `end`."""

    name: str
    media_type: str
    size: int
    sha256: str
    read: Callable[[int, int], AsyncIterator[bytes]]

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'


def download_response(request: Request, download: Download, more: Mapping[str, str] | None = None) -> Response:
    """200, 206, 304 or (raised) 416, for GET and HEAD."""
    headers = _headers(download) | dict(more or {})
    if etag_matches(request.headers.get("if-none-match"), download.etag):
        return Response(status_code=304, headers=headers)
    span = _span(request, download)
    start, end = span or (0, download.size)
    headers["Content-Length"] = str(end - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{download.size}"
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return _typed(Response(status_code=status, headers=headers), download)
    return _typed(_Started(download.read(start, end), status_code=status, headers=headers), download)


def whole_response(download: Download, more: Mapping[str, str] | None = None) -> Response:
    """200 with all bytes, whatever range or condition the request named: for answers to a POST."""
    headers = _headers(download) | {"Content-Length": str(download.size)} | dict(more or {})
    return _typed(_Started(download.read(0, download.size), headers=headers), download)


def redirect_response(url: str) -> Response:
    """302 to an address that is itself the permission to read: nobody between may keep it."""
    headers = {"Location": url, "Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer"}
    return Response(status_code=302, headers=headers)


class _Started(StreamingResponse):
    """Says that all is well only when the first bytes are at hand: what fails before is an honest error."""

    async def stream_response(self, send: Send) -> None:
        chunks = aiter(self.body_iterator)
        first = await anext(chunks, b"")

        async def all_chunks() -> AsyncIterator[Any]:
            if first:
                yield first
            async for chunk in chunks:
                yield chunk

        self.body_iterator = all_chunks()
        await super().stream_response(send)


def content_disposition(name: str) -> str:
    """`attachment` with a name that any client can save: no folders, no control or direction characters, not too long.

    Clients that know RFC 8187 get the true letters, the others an ASCII likeness.
    """
    safe = safe_name(name)
    likeness = unicodedata.normalize("NFKD", safe).encode("ascii", "ignore").decode()
    likeness = re.sub(r'["\\%]', "_", likeness).strip()
    if not likeness.rpartition(".")[0] and safe.rpartition(".")[0]:
        likeness = "file." + safe.rpartition(".")[2] if safe.rpartition(".")[2].isascii() else "file"
    value = f'attachment; filename="{likeness or "file"}"'
    return value if likeness == safe else f"{value}; filename*=UTF-8''{quote(safe, safe=_UNQUOTED)}"


def safe_name(name: str) -> str:
    """The last component of a name, as a name to save under."""
    last = re.split(r"[/\\]", name.replace("\0", ""))[-1]
    # Control, format (direction overrides are among them), lone surrogates, line ends: none may be in a name.
    kept = "".join(letter for letter in last if unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"})
    kept = kept.strip().lstrip(".") or "file"
    return _shorten(kept)


def _shorten(name: str) -> str:
    if len(name.encode()) <= _MAX_NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = (dot + extension) if stem and len(extension.encode()) <= 16 else ""
    head = (stem if tail else name).encode()[: _MAX_NAME_BYTES - len(tail.encode())].decode(errors="ignore")
    return head + tail


def _headers(download: Download) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(download.sha256)).decode()
    return {
        **DOWNLOAD_HEADERS,
        "Accept-Ranges": "bytes",
        "Content-Disposition": content_disposition(download.name),
        "ETag": download.etag,
        "Repr-Digest": f"sha-256=:{digest}:",
    }


def _typed(response: Response, download: Download) -> Response:
    # Starlette would add a charset to text types; the bytes are the caller's, so nothing may be claimed about them.
    response.headers["Content-Type"] = download.media_type
    return response


def _span(request: Request, download: Download) -> tuple[int, int] | None:
    """The one range asked for, or None for the whole. Raises RangeNotSatisfiable when it lies outside."""
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if match is None or not (match[1] or match[2]) or not _still_the_same(request, download):
        return None
    if match[1] and match[2] and int(match[1]) > int(match[2]):
        return None  # not a valid range at all: as if it were absent
    if match[1]:
        start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else download.size, download.size)
    else:
        start, end = max(0, download.size - int(match[2])), download.size
    if start >= end:
        raise RangeNotSatisfiable(download.size)
    return start, end


def _still_the_same(request: Request, download: Download) -> bool:
    condition = request.headers.get("if-range")
    if condition is None:
        return True
    return not condition.strip().startswith("W/") and opaque(condition.strip()) == download.sha256
