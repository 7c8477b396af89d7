"""Any store, with everything in it encrypted: the same port, so nobody above knows.

Encrypted objects lie under their key with `.fwe` behind it. What was stored before encryption was switched on lies
there without it, and is read as it is; but only when the store itself says that it is that old, so nobody can put an
open object in the place of a sealed one later.

Nobody can be sent straight to the store, since only we can open what is in it: signed addresses are None here, and
all bytes go through the API.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from filewright.chassis.storage.encryption.format import (
    CHUNK_BYTES,
    HEAD_BYTES,
    SEALED_BYTES,
    Chunks,
    new_object,
    opened,
    plain_bytes,
    read_head,
)
from filewright.chassis.storage.encryption.master import KeyRefused
from filewright.chassis.storage.encryption.tenants import TenantKey, TenantKeys
from filewright.chassis.storage.files import put_by_blocks, write_new_file
from filewright.chassis.storage.intake import Intake
from filewright.chassis.storage.port import (
    ObjectDamaged,
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    SeenFile,
    SignedRequest,
    StoredObject,
    StoreUnavailable,
    check_key,
    check_range,
)
from filewright.chassis.storage.threads import in_thread
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

SUFFIX = ".fwe"
_SKEW = timedelta(minutes=5)
_SMALL = CHUNK_BYTES
"""Sealing so little takes less time than going to a thread."""


class EncryptedStore:
    """The store `inner`, whose objects are sealed with `keys`."""

    def __init__(self, inner: ObjectStore, keys: TenantKeys) -> None:
        self._inner = inner
        self._keys = keys

    # --- writing -------------------------------------------------------------------------------------------------

    async def put(
        self,
        key: str,
        chunks: AsyncIterable[bytes] | bytes,
        *,
        max_bytes: int | None = None,
        owner: str = "",
        digest: bool = True,
    ) -> StoredObject:
        check_key(key)
        return await self._put(key, chunks, await self._key_of(owner), max_bytes, digest=digest)

    async def _put(
        self,
        key: str,
        chunks: AsyncIterable[bytes] | bytes,
        tenant_key: TenantKey,
        max_bytes: int | None = None,
        *,
        digest: bool = True,
    ) -> StoredObject:
        intake = Intake(max_bytes, digest=digest)
        await self._inner.put(key + SUFFIX, _sealed(intake, chunks, tenant_key, key), digest=False)
        return intake.receipt(key)

    async def put_file(
        self, key: str, path: Path, *, max_bytes: int | None = None, owner: str = "", seen: SeenFile | None = None
    ) -> StoredObject:
        return await put_by_blocks(self, key, path, max_bytes=max_bytes, owner=owner, seen=seen)

    async def copy(self, source: str, target: str) -> None:
        """Opened and sealed anew, for the same tenant: an object opens under its own name only."""
        check_key(target)
        try:
            beginning = await _take(self._stored(source, 0, HEAD_BYTES), HEAD_BYTES)
        except ObjectMissing:
            await self._require_old(source)
            await self._put(target, self._inner.get(source), await self._key_of(""))
            return
        head = read_head(bytes(beginning))
        reading = self.get(source)
        first = await anext(reading, b"")  # before the put, so that a damaged source touches nothing

        async def blocks() -> AsyncIterator[bytes]:
            yield first
            async for block in reading:
                yield block

        await self._put(target, blocks(), await self._find(source, head.ref, head.key_id))

    async def delete(self, key: str) -> None:
        await asyncio.gather(self._inner.delete(check_key(key) + SUFFIX), self._inner.delete(key))

    async def delete_many(self, keys: Sequence[str]) -> None:
        await self._inner.delete_many([name for key in keys for name in (check_key(key) + SUFFIX, key)])

    # --- reading -------------------------------------------------------------------------------------------------

    def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        check_range(start, end)
        return self._read(check_key(key), start, end)

    async def _read(self, key: str, start: int, end: int | None) -> AsyncIterator[bytes]:
        first = start // CHUNK_BYTES
        # What comes after a chunk tells whether it is the last one, so one byte more than is wanted is asked for.
        wanted = None if end is None else max(first, -(-end // CHUNK_BYTES))
        until = None if wanted is None else HEAD_BYTES + wanted * SEALED_BYTES + 1
        async with aclosing(self._stored(key, 0, HEAD_BYTES if first else until)) as beginning:
            try:
                taken = await _take(beginning, HEAD_BYTES)
            except ObjectMissing:
                await self._require_old(key)
                async for block in self._inner.get(key, start, end):
                    yield block
                return
            chunks = await self._opener(key, bytes(taken[:HEAD_BYTES]))
            if end is not None and start >= end:
                return
            skip, left = start - first * CHUNK_BYTES, None if end is None else end - start
            rest = _chained(bytes(taken[HEAD_BYTES:]), beginning) if first == 0 else None
            async with aclosing(rest or self._stored(key, HEAD_BYTES + first * SEALED_BYTES, until)) as sealed:
                async for plain in self._opened(key, chunks, sealed, first, wanted):
                    piece = plain[skip:] if left is None else plain[skip : skip + left]
                    skip = max(0, skip - len(plain))
                    if left is not None:
                        left -= len(piece)
                    if piece:
                        yield piece

    async def _opened(
        self, key: str, chunks: Chunks, sealed: AsyncIterator[bytes], first: int, wanted: int | None
    ) -> AsyncIterator[bytes]:
        """Chunks from the first one up to and without the one numbered `wanted`, opened, many at a time."""
        rest, number = bytearray(), first  # one buffer for all: memory that is new costs more than the cipher
        async for block in sealed:
            rest += block
            count = (len(rest) - 1) // SEALED_BYTES  # of these it is known that something follows
            if count:
                with memoryview(rest) as known:
                    # A MiB is opened in less time than the way to a thread and back takes.
                    plain = chunks.open(number, known[: count * SEALED_BYTES], last=False)
                del rest[: count * SEALED_BYTES]
                number += count
                yield plain
        if number == wanted and len(rest) == 1:
            return  # the one byte more
        if rest:
            yield chunks.open(number, rest, last=True)
        elif number == first:
            await self._prove_end(key, chunks, first)

    async def _prove_end(self, key: str, chunks: Chunks, first: int) -> None:
        """Nothing is there from this chunk on: see that the one before is the last, and not where it was cut off."""
        size = plain_bytes((await self._inner.head(key + SUFFIX)).bytes)
        last = max(0, size - 1) // CHUNK_BYTES
        if last >= first:
            raise ObjectDamaged("an encrypted object has no chunks")
        sealed = await _take(self._stored(key, HEAD_BYTES + last * SEALED_BYTES), SEALED_BYTES + 1)
        chunks.open(last, sealed, last=True)

    async def head(self, key: str) -> ObjectInfo:
        try:
            return _as_seen(await self._inner.head(check_key(key) + SUFFIX))
        except ObjectMissing:
            return await self._require_old(key)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        async for info in self._inner.list(prefix):
            yield _as_seen(info)

    async def fetch(self, key: str, path: Path, *, sha256: str | None = None) -> int:
        return await write_new_file(path, self.get(key), sha256=sha256)

    # --- what is not possible here -------------------------------------------------------------------------------

    def sign_put(
        self, key: str, *, size: int, at: datetime, lifetime: timedelta, sha256: str | None = None
    ) -> SignedRequest | None:
        """Nobody else can seal what they send."""
        del size, at, lifetime, sha256
        check_key(key)
        return None

    def sign_get(self, key: str, *, at: datetime, media_type: str, disposition: str) -> SignedRequest | None:
        """Nobody else can open what they get."""
        del at, media_type, disposition
        check_key(key)
        return None

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    async def sweep(self) -> int:
        return await self._inner.sweep()

    async def close(self) -> None:
        await self._inner.close()

    # --- keys ----------------------------------------------------------------------------------------------------

    def _stored(self, key: str, start: int, end: int | None = None) -> AsyncGenerator[bytes, None]:
        return _chained(b"", self._inner.get(key + SUFFIX, start, end))

    async def _opener(self, key: str, beginning: bytes) -> Chunks:
        head = read_head(beginning)
        return opened(head, await self._find(key, head.ref, head.key_id), key)

    async def _key_of(self, owner: str) -> TenantKey:
        try:
            return await self._keys.of(owner)
        except (OSError, KeyRefused) as error:
            log.warning("tenant_key_unavailable", reason=str(error))
            raise StoreUnavailable from error

    async def _find(self, key: str, ref: bytes, key_id: bytes) -> TenantKey:
        try:
            found = await self._keys.find(ref, key_id)
        except (OSError, KeyRefused) as error:
            log.warning("tenant_key_unavailable", reason=str(error))
            raise StoreUnavailable from error
        if found is None:
            raise ObjectMissing(f"{key}: its key was destroyed")
        return found

    async def _require_old(self, key: str) -> ObjectInfo:
        """An object that is not sealed. Raises ObjectMissing, and ObjectDamaged for one that ought to be sealed."""
        info = await self._inner.head(key)
        if info.modified_at > self._keys.begun + _SKEW:
            raise ObjectDamaged("an open object lies where only sealed ones may be")
        return info


async def _sealed(
    intake: Intake, chunks: AsyncIterable[bytes] | bytes, tenant_key: TenantKey, name: str
) -> AsyncIterator[bytes]:
    """The head, then the chunks. One block is always held back, because the last one is sealed as such."""
    head, sealing = new_object(tenant_key, name)
    beginning, held, number = head.as_bytes(), b"", 0

    def seal(block: bytes, *, last: bool) -> bytes:
        intake.hash(block)
        return sealing.seal(number, block, last=last, after=beginning)

    async for block in intake.blocks(chunks, exact=True):
        if held:
            yield await in_thread(seal, held, last=False)
            beginning, number = b"", number + len(held) // CHUNK_BYTES
        held = block
    if len(held) <= _SMALL:
        yield seal(held, last=True)
    else:
        yield await in_thread(seal, held, last=True)


async def _take(blocks: AsyncIterator[bytes], least: int) -> bytearray:
    """At least so many bytes, or all there are."""
    taken = bytearray()
    while len(taken) < least and (block := await anext(blocks, b"")):
        taken += block
    return taken


async def _chained(first: bytes, blocks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    if first:
        yield first
    async for block in blocks:
        yield block


def _as_seen(stored: ObjectInfo) -> ObjectInfo:
    if not stored.key.endswith(SUFFIX):
        return stored
    return replace(stored, key=stored.key.removesuffix(SUFFIX), bytes=plain_bytes(stored.bytes))
