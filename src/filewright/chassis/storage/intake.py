"""What every adapter does with bytes on their way in: count, cut off, hash, and gather into blocks."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator

from filewright.chassis.storage.port import StoredObject, TooManyBytes

BLOCK_BYTES = 1 << 20
"""Small chunks are gathered up to this, so that a write costs one thread hop per MiB and not per 64 KiB."""


class Intake:
    """Watches the bytes of one object pass by. Without `digest` the receipt has none: whoever seals what is stored has
    hashed it before, and reading proves it.
    """

    def __init__(self, max_bytes: int | None, *, digest: bool = True) -> None:
        self._max_bytes = max_bytes
        self._sha256 = hashlib.sha256() if digest else None
        self.bytes = 0

    async def blocks(self, chunks: AsyncIterable[bytes] | bytes, *, exact: bool = False) -> AsyncIterator[bytes]:
        """The same bytes in blocks of 1 MiB or a little more, `exact`: of that size. The last may be smaller, none is
        empty. What comes in such blocks is passed on as it is. Raises TooManyBytes.
        """
        gathered: list[bytes | memoryview] = []
        held = 0
        async for chunk in _pieces(chunks):
            self.admit(len(chunk))
            rest = memoryview(chunk)
            while exact and held + len(rest) > BLOCK_BYTES:
                gathered.append(rest[: BLOCK_BYTES - held])
                rest = rest[BLOCK_BYTES - held :]
                yield b"".join(gathered)
                gathered, held = [], 0
            gathered.append(chunk if len(rest) == len(chunk) else rest)
            held += len(rest)
            if held >= BLOCK_BYTES:
                yield b"".join(gathered)  # a single one is not copied
                gathered, held = [], 0
        if held:
            yield b"".join(gathered)

    def hash(self, block: bytes | memoryview) -> None:
        """Take the block into the digest. Costs 0.7 ms per MiB; hashlib lets other threads run meanwhile."""
        if self._sha256 is not None:
            self._sha256.update(block)

    def receipt(self, key: str) -> StoredObject:
        """What passed by in all."""
        return StoredObject(key, self.bytes, "" if self._sha256 is None else self._sha256.hexdigest())

    def admit(self, count: int) -> None:
        """So many bytes come. Raises TooManyBytes."""
        self.bytes += count
        if self._max_bytes is not None and self.bytes > self._max_bytes:
            raise TooManyBytes(self._max_bytes)


async def _pieces(chunks: AsyncIterable[bytes] | bytes) -> AsyncIterator[bytes]:
    """The chunks, a huge one cut up, so that a sender's choice of chunk does not decide about our memory."""
    if isinstance(chunks, bytes | bytearray | memoryview):
        view = memoryview(chunks)
        for start in range(0, len(view), BLOCK_BYTES):
            yield bytes(view[start : start + BLOCK_BYTES])
        return
    async for chunk in chunks:
        if len(chunk) < 2 * BLOCK_BYTES:
            yield chunk
            continue
        for start in range(0, len(chunk), BLOCK_BYTES):
            yield chunk[start : start + BLOCK_BYTES]
