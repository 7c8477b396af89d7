"""Requests that clients send straight to the bucket: what they may do, how long, and how caches may keep the answers.

A signature counts from the beginning of a window and not from now, so everybody who asks within the window gets the
same address: that is what an edge cache goes by, and what makes an order that is asked for twice the same order. It
lives for a window longer than was promised, so that even the last one to ask has all the time that is said. A writer's
signature covers the exact number of bytes.

What is read is kept by browsers and edges under the whole address, signature and all; `public` says that an edge may,
since the address is the permission. What the API itself answers about it is `private, no-store`.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from filewright.chassis.storage.port import SignedRequest
from filewright.chassis.storage.s3_address import S3Address
from filewright.chassis.storage.sigv4 import LONGEST, Signer

WINDOW = timedelta(seconds=150)
"""Half of the longest that an address to read is good: five minutes."""
MAX_PUT_BYTES = 5 << 30
"""What S3 takes in one PUT."""
ANY_TYPE = "application/octet-stream"


class Presigner:
    """Signs for one bucket, with addresses that the outside can reach."""

    def __init__(self, address: S3Address, signer: Signer) -> None:
        self._address = address
        self._signer = signer

    def put(
        self, key: str, *, size: int, at: datetime, lifetime: timedelta, sha256: str | None = None
    ) -> SignedRequest | None:
        """To store exactly `size` bytes, for at least `lifetime`. Every client sends their number by itself, so it is
        not among the headers; their type is not signed, because nobody will go by it.
        """
        if size > MAX_PUT_BYTES:
            return None
        checksum = {}
        if sha256 is not None:
            checksum["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
        signed = {"Content-Length": str(size), **checksum}
        fits = lifetime + WINDOW <= LONGEST
        begin, whole = (window_of(at), lifetime + WINDOW) if fits else (at, lifetime)
        url = self._signer.url("PUT", self._address.public_url(key), at=begin, lifetime=whole, headers=signed)
        return SignedRequest("PUT", url, {"Content-Type": ANY_TYPE, **checksum}, begin + whole)

    def get(self, key: str, *, at: datetime, media_type: str, disposition: str) -> SignedRequest:
        """To read all or a range of it, any number of times."""
        begin = window_of(at)
        url = self._signer.url(
            "GET",
            self._address.public_url(key),
            at=begin,
            lifetime=2 * WINDOW,
            query={
                "response-content-type": media_type,
                "response-content-disposition": disposition,
                "response-cache-control": f"public, max-age={int(WINDOW.total_seconds())}, immutable",
            },
        )
        return SignedRequest("GET", url, {}, begin + 2 * WINDOW)


def window_of(at: datetime) -> datetime:
    """When the window began in which that moment lies."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(WINDOW.total_seconds()), UTC)
