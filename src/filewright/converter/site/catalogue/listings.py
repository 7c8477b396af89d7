"""A whole list as it is sent: the same for everybody, and not sent again to whoever has it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import orjson
from fastapi import Request, Response
from pydantic import BaseModel

from filewright.chassis.cache.port import Kind, Shared
from filewright.chassis.web.preferences import etag_matches

_SHARED = "public, max-age=0, s-maxage=10, stale-while-revalidate=60, stale-if-error=3600"
"""The same for everybody. A browser asks each time, and mostly has it already; an edge asks every ten seconds."""


@dataclass(frozen=True)
class Listing:
    """The whole list as it is sent, with its entity tag."""

    body: bytes
    etag: str


def listed(body: bytes) -> Listing:
    """With the tag of exactly these bytes."""
    return Listing(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


FORMAT_LIST = Kind[Listing](
    "formats",
    1,
    weigh=lambda listing: len(listing.body),
    seconds=300.0,
    shared=Shared(lambda listing: listing.body, listed),
)


def unless_known(request: Request, listing: Listing) -> Response:
    """The list, or 304 for a client that has it."""
    headers = {"Cache-Control": _SHARED, "ETag": listing.etag}
    if etag_matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(listing.body, media_type="application/json", headers=headers)


def as_bytes(model: BaseModel) -> bytes:
    """A model as JSON."""
    return orjson.dumps(model.model_dump(mode="json", by_alias=True))
