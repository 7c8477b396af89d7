"""Files as the stores use them: surely closed, wholly written, and gone when something failed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from filewright.chassis.storage.intake import BLOCK_BYTES
from filewright.chassis.storage.port import ObjectDamaged, ObjectStore, SeenFile, StoredObject
from filewright.chassis.storage.threads import in_thread

_BUFFER_BYTES = 256 << 10
_PORTION_BYTES = 16 << 20


class OpenFile:
    """A descriptor that is surely closed: the object is there before the file is open, so a cancellation while a
    thread opens it loses nothing.
    """

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        self._flags = flags
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        if self._descriptor is None:
            raise RuntimeError("the file is not open")
        return self._descriptor

    def open(self) -> None:
        self._descriptor = os.open(self.path, self._flags | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


class NewFile(OpenFile):
    """One that was not there before, to be written in `whole`; with `sha256`, what it takes must have that digest."""

    def __init__(self, path: Path, *, sha256: str | None) -> None:
        super().__init__(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self._made = False
        self._wanted = sha256
        self._digest = hashlib.sha256()

    def open(self) -> None:
        super().open()
        self._made = True

    def take(self, block: bytes | memoryview) -> None:
        if self._wanted is not None:
            self._digest.update(block)
        write_all(self.descriptor, block)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Afterwards it is closed; on any failure, also that of another digest, it is gone again."""
        try:
            yield
            if self._wanted is not None and self._digest.hexdigest() != self._wanted:
                raise ObjectDamaged("the object's digest is not the one it was stored with")
        except BaseException:
            if self._made:
                os.unlink(self.path)  # noqa: PTH108 - an instant, and nobody may cancel it
            raise
        finally:
            self.close()


async def copied(
    begin: Callable[[], None],
    read: Callable[[memoryview], int],
    write: Callable[[memoryview], None],
    finish: Callable[[], None] = lambda: None,
) -> int:
    """Bytes on their way from one file into another, on a thread: `begin`, then `read` into a buffer and `write` what
    is in it until there is no more, then `finish`; how many. Neither a hop nor new memory is paid for each block.
    """
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    total = 0

    def portion() -> bool:
        nonlocal total
        if total == 0:
            begin()
        until = total + _PORTION_BYTES  # whoever is cancelled waits no longer than for so many
        while total < until:
            count = read(buffer)
            if not count:
                finish()
                return False
            write(buffer[:count])
            total += count
        return True

    while await in_thread(portion):
        continue
    return total


async def read_file(path: Path, *, block_bytes: int) -> AsyncGenerator[bytes, None]:
    """The file's bytes, in blocks. Close the generator (`aclosing`) when it may be left before its end."""
    file = OpenFile(path, os.O_RDONLY)
    try:
        await in_thread(file.open)
        while block := await in_thread(os.read, file.descriptor, block_bytes):
            yield block
    finally:
        file.close()


async def write_new_file(path: Path, chunks: AsyncIterator[bytes], *, sha256: str | None) -> int:
    """Write the chunks to a file that does not exist yet; returns its size. On any failure the file is gone again.

    Not synced: it is a copy, and the object it came from is safe.
    """
    block = await anext(chunks, b"")  # before the file, so that a missing object makes none
    size = 0
    file = NewFile(path, sha256=sha256)
    with file.whole():
        await in_thread(file.open)
        while block:
            await in_thread(file.take, block)
            size += len(block)
            block = await anext(chunks, b"")
    return size


async def put_by_blocks(
    store: ObjectStore,
    key: str,
    path: Path,
    *,
    max_bytes: int | None = None,
    owner: str = "",
    seen: SeenFile | None = None,
) -> StoredObject:
    """`put_file` of a store that has no shorter way for a file."""
    del seen  # the digest is taken of what is sent
    async with aclosing(read_file(path, block_bytes=BLOCK_BYTES)) as blocks:
        return await store.put(key, blocks, max_bytes=max_bytes, owner=owner)


def write_all(descriptor: int, block: bytes | memoryview) -> None:
    """All of the block, however little the system takes at a time."""
    remaining = memoryview(block)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]
