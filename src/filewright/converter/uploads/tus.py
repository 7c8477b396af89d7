"""The words of the tus 1.0.0 protocol: headers in, headers out. What they do is in `endpoints.py` and the service.

Extensions: creation, creation-with-upload, termination, checksum, expiration.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from filewright.chassis.errors import ProblemError
from filewright.chassis.web.problems import InvalidRequest, PreconditionFailed, UnsupportedMediaType, problem_response
from filewright.converter.uploads.models import Upload
from filewright.converter.uploads.receiving import Checksum

VERSION = "1.0.0"
CHUNK_TYPE = "application/offset+octet-stream"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
ALGORITHMS = {"sha1": 20, "sha256": 32}
"""Checksums that are taken, with the bytes of their digests."""
_MAX_METADATA = 16 << 10
_NUMBER = re.compile(r"\d{1,18}")


def is_tus(request: Request) -> bool:
    """Whether the client speaks tus."""
    return "tus-resumable" in request.headers


def require_version(request: Request) -> None:
    """Raise PreconditionFailed for another version of the protocol, InvalidRequest for none."""
    if not is_tus(request):
        raise InvalidRequest(f"Send the header `Tus-Resumable: {VERSION}`.")
    if request.headers.get("tus-resumable") != VERSION:
        raise PreconditionFailed(f"Send the header `Tus-Resumable: {VERSION}`; no other version is spoken here.")


def require_chunk_type(request: Request) -> None:
    """Raise UnsupportedMediaType for a body that is no chunk."""
    if request.headers.get("content-type", "").strip().lower() != CHUNK_TYPE:
        raise UnsupportedMediaType(f"Send the bytes with `Content-Type: {CHUNK_TYPE}`.")


def number(request: Request, header: str) -> int:
    """The value of a header that counts bytes. Raises InvalidRequest."""
    value = request.headers.get(header, "")
    if not (value.isascii() and _NUMBER.fullmatch(value)):
        raise InvalidRequest(f"The header {header} is missing or is not a number of bytes.")
    return int(value)


def metadata(request: Request) -> tuple[str | None, Mapping[str, str]]:
    """`Upload-Metadata` as it came, and its pairs. Raises InvalidRequest."""
    header = request.headers.get("upload-metadata")
    if header is None:
        return None, {}
    if len(header) > _MAX_METADATA or not header.isascii() or not header.isprintable():
        raise InvalidRequest("Upload-Metadata is too long, or is not ASCII.")
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = item.partition(" ")
        try:
            decoded = base64.b64decode(value.strip(), validate=True).decode(errors="replace")
        except binascii.Error:
            raise InvalidRequest("Upload-Metadata is a list of `key base64value`, separated by commas.") from None
        if not key or key in pairs:
            raise InvalidRequest("Each key of Upload-Metadata is named once.")
        pairs[key] = decoded
    return header, pairs


def checksum(request: Request) -> Checksum | None:
    """`Upload-Checksum`, when there is one. Raises InvalidRequest."""
    header = request.headers.get("upload-checksum")
    if header is None:
        return None
    algorithm, _, value = header.partition(" ")
    if algorithm not in ALGORITHMS:
        raise InvalidRequest(f"Checksums may be of: {', '.join(ALGORITHMS)}.")
    try:
        digest = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != ALGORITHMS[algorithm]:
        raise InvalidRequest("Upload-Checksum is the name of an algorithm and its digest in base64.")
    return Checksum(algorithm, digest)


def discovery(max_bytes: int) -> dict[str, str]:
    """What OPTIONS tells."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(max_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def standing(upload: Upload) -> dict[str, str]:
    """Where an upload stands."""
    return {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(upload.received),
        "Upload-Expires": http_date(upload.expires_at),
        "Cache-Control": "no-store",
    }


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


class TusRoute(APIRoute):
    """A route whose refusals carry the protocol's headers as well."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override] # a coroutine
        handle = super().get_route_handler()

        async def handle_tus(request: Request) -> Response:
            try:
                return await handle(request)
            except ProblemError as error:
                if not is_tus(request):
                    raise
                more: dict[str, Any] = {"Tus-Resumable": VERSION}
                if error.status == PreconditionFailed.status:
                    more["Tus-Version"] = VERSION
                return problem_response(error, request.scope, more)

        return handle_tus
