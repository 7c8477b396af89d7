"""What a store of objects promises, whatever it is made of.

An object has a key and bytes. It appears whole, at once, or not at all; it is not changed afterwards (writing the same
key again replaces it whole). A store knows nothing of how long an object lives, and of its owner only whose key seals
it, where objects are sealed.

    ObjectMissing                  there is none under that key
    TooManyBytes                   more came than was allowed; nothing was kept
    ObjectDamaged                  what is stored is not what was written
    StoreUnavailable (503)         the disk or the service fails; try again later
    └── StoreFull                  no space; only an operator or the pruner helps
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from filewright.chassis.errors import ProblemError

MAX_KEY_CHARS = 512
_SEGMENT = r"[A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,199}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


class ObjectMissing(Exception):
    """No object has this key; perhaps it was deleted."""


class ObjectDamaged(Exception):
    """The bytes read are not those that were written. They must not be used."""


class TooManyBytes(Exception):
    """More than `max_bytes` came. Nothing was stored."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"more than {max_bytes} bytes")
        self.max_bytes = max_bytes


class StoreUnavailable(ProblemError):
    """The store cannot be reached or failed in the middle. Nothing half-written is visible."""

    code = "storage_unavailable"
    status = 503
    title = "The service cannot reach its file storage at the moment; please try again shortly"
    retryable = True

    def __init__(self, detail: str | None = None, *, retry_after: float = 2.0) -> None:
        super().__init__(detail, retry_after=retry_after)


class StoreFull(StoreUnavailable):
    """There is no space left for the object."""

    title = "The service's file storage is full at the moment; please try again later"


@dataclass(frozen=True)
class StoredObject:
    """What was just stored, as it was counted and hashed on its way in. `sha256` is in lower-case hex."""

    key: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class SeenFile:
    """A file of this machine, as somebody has read it to its end. `modified_ns` is its `st_mtime_ns`."""

    bytes: int
    sha256: str
    modified_ns: int


@dataclass(frozen=True)
class ObjectInfo:
    """What the store knows of an object without reading it."""

    key: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class SignedRequest:
    """A request that anybody may send straight to the store until `expires_at`: with these headers, and no other."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class ObjectStore(Protocol):
    """Keeps objects. Every method may raise StoreUnavailable, and ValueError for a key that `check_key` refuses."""

    async def put(
        self,
        key: str,
        chunks: AsyncIterable[bytes] | bytes,
        *,
        max_bytes: int | None = None,
        owner: str = "",
        digest: bool = True,
    ) -> StoredObject:
        """Store what comes, hashing it on the way; at most 16 MiB of it are in memory at once.

        `owner` is the tenant whose bytes they are, for a store that keeps a key for each. Without `digest` they are not
        hashed, and the receipt has none.

        When this returns, the object is whole and survives a power failure as well as the store does. When it raises
        (also what `chunks` raises), or is cancelled, the key has what it had before; only a failure in the very last
        step may leave the new object there, whole.

        Raises:
            TooManyBytes: more than `max_bytes` came.
            StoreFull: no space left.
        """
        ...

    async def put_file(
        self, key: str, path: Path, *, max_bytes: int | None = None, owner: str = "", seen: SeenFile | None = None
    ) -> StoredObject:
        """As `put`, of all bytes of a file of this machine that nobody writes to. Raises OSError too, when it cannot be
        read.

        When the caller has `seen` it, and it is the same still, a store may believe the digest and keep the file
        itself, of which the caller then removes its own name. Others take a digest: compare the receipt's.
        """
        ...

    def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The object's bytes from `start` up to and without `end`, in chunks of up to about 1 MiB.

        Like a slice: an end past the object's is its end. Reading an object that is deleted meanwhile gives all of it
        or raises. Raises ObjectMissing at the first step; ValueError at once for a negative bound.
        """
        ...

    async def head(self, key: str) -> ObjectInfo:
        """Size and age. Raises ObjectMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Afterwards there is no object under this key; it is no error when there was none before."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> None:
        """As `delete` of each, in as few requests as the store allows."""
        ...

    async def copy(self, source: str, target: str) -> None:
        """Store the bytes of one object under another key too. Raises ObjectMissing; then `target` is as before."""
        ...

    def sign_put(
        self, key: str, *, size: int, at: datetime, lifetime: timedelta, sha256: str | None = None
    ) -> SignedRequest | None:
        """Let somebody without keys store exactly `size` bytes here; None when this store, or the size, allows none.

        `at` is now by the one clock that all processes share. With `sha256` the store is asked to refuse other bytes.
        Who uses the request may use it again until it expires, so what is read from this key can change at any
        moment: copy the object to a key of its own before looking at it.
        """
        ...

    def sign_get(self, key: str, *, at: datetime, media_type: str, disposition: str) -> SignedRequest | None:
        """Let somebody without keys read the object, as this type and with this `Content-Disposition`; or None.

        The address is the same for all who ask within one window of a few minutes, and the answer may be kept for as
        long, so that caches between have something to keep. An answer may outlive the object by that time.
        """
        ...

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Every object whose key lies below the folder `prefix` (all of them for ""), in no promised order.

        Objects written or deleted meanwhile may or may not appear.
        """
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the object's bytes are when they are a plain file of this machine. For reading only."""
        ...

    async def fetch(self, key: str, path: Path, *, sha256: str | None = None) -> int:
        """Copy the object into a new file at `path`; returns its size. With `sha256`, also prove that it is the same.

        Raises:
            ObjectMissing: no such object.
            ObjectDamaged: the bytes have another digest; the file is gone again.
            OSError: the file cannot be written (no space there, it exists already).
        """
        ...

    async def sweep(self) -> int:
        """Remove what killed processes left half-written; returns how many. Safe beside processes that write."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def check_key(key: str) -> str:
    """The key itself, when it is one; ValueError otherwise.

    Segments of ASCII letters, digits and `_=.-` between single slashes, none starting with a dot. So a key can
    neither leave the store's folder nor mean something else to another store.
    """
    if len(key) > MAX_KEY_CHARS or not _KEY.fullmatch(key):
        raise ValueError("an object key is made of letters, digits and _=.- between single slashes")
    return key


def check_prefix(prefix: str) -> str:
    """As `check_key`, but "" is allowed and one slash at the end is dropped."""
    return check_key(prefix.removesuffix("/")) if prefix else ""


def check_range(start: int, end: int | None) -> None:
    """ValueError for a negative bound, which Python's slices would count from the end and HTTP would not."""
    if start < 0 or (end is not None and end < 0):
        raise ValueError("a range of bytes counts from 0")
