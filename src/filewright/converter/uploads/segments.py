"""The body of a request in pieces that are stored one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from filewright.converter.errors import TooLarge


async def ahead(chunks: AsyncIterator[bytes], most: int) -> tuple[bytes | None, AsyncIterator[bytes]]:
    """All of it, if that is no more than so many bytes; and in any case all of it, to be read."""
    first, size = [], 0
    async for chunk in chunks:
        first.append(chunk)
        size += len(chunk)
        if size > most:
            return None, _chained(first, chunks)
    return b"".join(first), _chained(first, chunks)


async def _chained(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while first:
        yield first.pop(0)
    async for chunk in rest:
        yield chunk


class Segments:
    """A stream of bytes cut into runs of a given size. Raises TooLarge past `limit` bytes."""

    def __init__(
        self, chunks: AsyncIterator[bytes], *, limit: int, seen: Callable[[bytes], object] = lambda _: None
    ) -> None:
        self._chunks = chunks
        self._left = limit
        self._seen = seen
        self._rest = b""

    async def more(self) -> bool:
        """Whether there is another byte."""
        while not self._rest:
            piece = await anext(self._chunks, None)
            if piece is None:
                return False
            if len(piece) > self._left:
                raise TooLarge("More bytes came than the upload was announced with.")
            self._left -= len(piece)
            self._seen(piece)
            self._rest = piece
        return True

    async def next(self, size: int) -> AsyncIterator[bytes]:
        """The next run, at most `size` bytes."""
        while size > 0 and await self.more():
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            yield piece
