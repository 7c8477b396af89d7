"""What every adapter does with bytes on their way in: count, cut off, hash, and gather into blocks."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator

from filewright.chassis.storage.port import StoredObject, TooManyBytes

BLOCK_BYTES = 1 << 20
"""Small chunks are gathered up to this, so that a write costs one thread hop per MiB and not per 64 KiB."""


class Intake:
    """Watches the bytes of one object pass by."""

    def __init__(self, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes
        self._sha256 = hashlib.sha256()
        self.bytes = 0

    async def blocks(self, chunks: AsyncIterable[bytes] | bytes, size: int = BLOCK_BYTES) -> AsyncIterator[bytes]:
        """The same bytes in blocks of `size` (the last one smaller, none empty). Raises TooManyBytes."""
        gathered = bytearray()
        async for chunk in _pieces(chunks, size):
            self._admit(len(chunk))
            if not gathered and len(chunk) == size:
                yield chunk
                continue
            gathered += chunk
            while len(gathered) >= size:
                yield bytes(gathered[:size])
                del gathered[:size]
        if gathered:
            yield bytes(gathered)

    def hash(self, block: bytes) -> None:
        """Take the block into the digest. Costs 0.7 ms per MiB; hashlib lets other threads run meanwhile."""
        self._sha256.update(block)

    def receipt(self, key: str) -> StoredObject:
        """What passed by in all."""
        return StoredObject(key, self.bytes, self._sha256.hexdigest())

    def _admit(self, count: int) -> None:
        self.bytes += count
        if self._max_bytes is not None and self.bytes > self._max_bytes:
            raise TooManyBytes(self._max_bytes)


async def _pieces(chunks: AsyncIterable[bytes] | bytes, size: int) -> AsyncIterator[bytes]:
    """The chunks, a huge one cut up, so that a sender's choice of chunk does not decide about our memory."""
    if isinstance(chunks, bytes | bytearray | memoryview):
        view = memoryview(chunks)
        for start in range(0, len(view), size):
            yield bytes(view[start : start + size])
        return
    async for chunk in chunks:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size] if len(chunk) > size else chunk
