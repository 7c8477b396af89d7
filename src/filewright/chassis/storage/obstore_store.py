"""Objects in a bucket (S3 and what speaks its language) or in memory, through the obstore library.

`open_store(url)` picks the adapter for an address, a local folder included. Every object goes with its SHA-256, so a
server that knows checksums refuses what was changed on the way. A bucket's own rules are `bucket.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import MemoryStore, S3Store

from filewright.chassis import failpoints
from filewright.chassis.storage.files import put_by_blocks, write_new_file
from filewright.chassis.storage.intake import BLOCK_BYTES, Intake
from filewright.chassis.storage.local import STORED, LocalStore
from filewright.chassis.storage.port import (
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    SeenFile,
    SignedRequest,
    StoredObject,
    StoreUnavailable,
    check_key,
    check_prefix,
    check_range,
)
from filewright.chassis.storage.presigning import Presigner
from filewright.chassis.storage.s3_address import S3Address, parse_s3_address
from filewright.chassis.storage.sigv4 import Signer
from filewright.chassis.storage.threads import in_thread

PART_BYTES = 5 << 20
"""S3 takes no smaller part (but the last). With 10,000 parts at most, an object may have 48 GiB."""
PARTS_AT_ONCE = 2
DELETED_AT_ONCE = 1000
"""S3 takes no longer list."""


def open_store(url: str, *, access_key_id: str | None = None, secret_access_key: str | None = None) -> ObjectStore:
    """The store at `file:///folder`, `memory://` or `s3://bucket/prefix?endpoint=http://host:port&region=…`.

    Without keys an S3 client asks the machine (environment, instance role) as every S3 client does, and signs nothing
    for others. `public_endpoint=https://host` in a bucket's address is how clients outside reach it (`none`: they
    cannot). Raises ValueError for an address that is none of these.
    """
    address = urlsplit(url)
    if address.scheme == "file" and address.path and not address.netloc:
        return LocalStore(Path(unquote(address.path)))
    if address.scheme == "memory":
        return ObstoreStore(MemoryStore())
    if address.scheme == "s3" and address.netloc:
        return _bucket(parse_s3_address(url), access_key_id, secret_access_key)
    raise ValueError("a storage URL is file:///folder, memory:// or s3://bucket")


def _bucket(address: S3Address, access_key_id: str | None, secret_access_key: str | None) -> ObstoreStore:
    config: dict[str, Any] = {"region": address.region, "checksum_algorithm": "SHA256"}
    if address.endpoint:
        config |= {"endpoint": address.endpoint, "virtual_hosted_style_request": False}
    presigner = None
    if access_key_id and secret_access_key:
        config |= {"access_key_id": access_key_id, "secret_access_key": secret_access_key}
        if address.public:
            presigner = Presigner(address, Signer(access_key_id, secret_access_key, address.region))
    store = S3Store(
        address.bucket,
        prefix=address.prefix or None,
        client_options={
            "allow_http": bool(address.endpoint and address.endpoint.startswith("http://")),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=60),  # of one request: a part, or 60 s without the end of a read
        },
        # Waits grow, and each is drawn at random, so that many clients do not come back at once.
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
        **config,
    )
    return ObstoreStore(store, presigner)


_DELETE_AGAIN = 3


class ObstoreStore:
    """Any store of the obstore library that is not a local folder."""

    def __init__(self, store: MemoryStore | S3Store, presigner: Presigner | None = None) -> None:
        self._store = store
        self._presigner = presigner

    async def put(
        self,
        key: str,
        chunks: AsyncIterable[bytes] | bytes,
        *,
        max_bytes: int | None = None,
        owner: str = "",
        digest: bool = True,
    ) -> StoredObject:
        del owner  # nothing is sealed here
        check_key(key)
        intake = Intake(max_bytes, digest=digest)
        blocks = _hashed(intake.blocks(chunks), intake) if digest else intake.blocks(chunks)
        first = await _up_to(PART_BYTES // BLOCK_BYTES, blocks)
        with _telling_failures(key):
            if sum(map(len, first)) < PART_BYTES:
                await self._store.put_async(key, b"".join(first), use_multipart=False)
            else:
                # The library gathers parts, and ends the upload without an object when `blocks` raises.
                await self._store.put_async(
                    key, _chained(first, blocks), chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
                )
        failpoints.hit(STORED)
        return intake.receipt(key)

    async def put_file(
        self, key: str, path: Path, *, max_bytes: int | None = None, owner: str = "", seen: SeenFile | None = None
    ) -> StoredObject:
        return await put_by_blocks(self, key, path, max_bytes=max_bytes, owner=owner, seen=seen)

    def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        check_range(start, end)
        return self._read(check_key(key), start, end)

    async def _read(self, key: str, start: int, end: int | None) -> AsyncIterator[bytes]:
        if start or end is not None:
            # A range that starts past the end is an error to every server, each in its own words: cut it to size.
            size = (await self.head(key)).bytes
            end = size if end is None else min(end, size)
            if start >= end:
                return
        with _telling_failures(key):
            options: dict[str, Any] = {} if end is None else {"range": (start, end)}
            answer = await self._store.get_async(key, options=options)
            expected = answer.range[1] - answer.range[0]
            async for chunk in answer.stream(min_chunk_size=BLOCK_BYTES):
                expected -= len(chunk)
                for at in range(0, len(chunk), BLOCK_BYTES):  # memory gives all of an object as one chunk
                    yield bytes(memoryview(chunk)[at : at + BLOCK_BYTES])
        if expected:
            raise StoreUnavailable

    async def head(self, key: str) -> ObjectInfo:
        with _telling_failures(key):
            return _info(await self._store.head_async(check_key(key)))

    async def delete(self, key: str) -> None:
        try:
            with _telling_failures(key):
                await self._delete(check_key(key))
        except ObjectMissing:
            return

    async def delete_many(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), DELETED_AT_ONCE):
            some = [check_key(key) for key in keys[start : start + DELETED_AT_ONCE]]
            try:
                with _telling_failures(some[0]):
                    await self._delete(some)
            except (
                ObjectMissing
            ):  # a store that minds, and says so of the first: what comes after it may still be there
                for key in some:
                    await self.delete(key)

    async def _delete(self, keys: str | list[str]) -> None:
        """Again if need be: to delete twice is to delete once, and what is sent as POST the client does not repeat
        when an idle connection was cut just then, as all of them are with one.
        """
        for _ in range(_DELETE_AGAIN):
            try:
                await self._store.delete_async(keys)
            except FileNotFoundError:
                raise
            except BaseError:
                continue
            return
        await self._store.delete_async(keys)

    async def copy(self, source: str, target: str) -> None:
        with _telling_failures(source):
            await self._store.copy_async(check_key(source), check_key(target), overwrite=True)

    def sign_put(
        self, key: str, *, size: int, at: datetime, lifetime: timedelta, sha256: str | None = None
    ) -> SignedRequest | None:
        check_key(key)
        if self._presigner is None:
            return None
        return self._presigner.put(key, size=size, at=at, lifetime=lifetime, sha256=sha256)

    def sign_get(self, key: str, *, at: datetime, media_type: str, disposition: str) -> SignedRequest | None:
        check_key(key)
        if self._presigner is None:
            return None
        return self._presigner.get(key, at=at, media_type=media_type, disposition=disposition)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        with _telling_failures(prefix):
            async for batch in self._store.list(check_prefix(prefix) or None):
                for meta in batch:
                    yield _info(meta)

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    async def fetch(self, key: str, path: Path, *, sha256: str | None = None) -> int:
        return await write_new_file(path, self.get(key), sha256=sha256)

    async def sweep(self) -> int:
        """Nothing to do: what is half-written in a bucket is its lifecycle rule's."""
        return 0

    async def close(self) -> None:
        """The library closes its connections by itself."""


def _info(meta: Any) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"])


async def _hashed(blocks: AsyncIterator[bytes], intake: Intake) -> AsyncIterator[bytes]:
    async for block in blocks:
        await in_thread(intake.hash, block)
        yield block


async def _up_to(count: int, blocks: AsyncIterator[bytes]) -> list[bytes]:
    first: list[bytes] = []
    while len(first) < count and (block := await anext(blocks, b"")):
        first.append(block)
    return first


async def _chained(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while first:
        yield first.pop(0)
    async for block in rest:
        yield block


@contextmanager
def _telling_failures(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ObjectMissing(key) from None
    except (BaseError, PermissionError) as error:
        raise StoreUnavailable from error
