"""Objects as plain files below one folder.

Written here by hand rather than through the object-store library, because a job that was accepted must survive a power
failure: a file is written under a temporary name, synced, renamed, and its folder synced. (The library renames without
syncing, and needs several times the memory.) Temporary files are locked while their writer lives; `sweep` removes
those whose lock is free, so a killed process leaves nothing for ever and a living one is never disturbed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.storage.files import NewFile, OpenFile, copied
from filewright.chassis.storage.intake import BLOCK_BYTES, Intake
from filewright.chassis.storage.local_files import (
    NO_OBJECT,
    Incoming,
    first_of_object,
    locked,
    open_object,
    telling_failures,
)
from filewright.chassis.storage.port import (
    ObjectInfo,
    ObjectMissing,
    SeenFile,
    SignedRequest,
    StoredObject,
    StoreUnavailable,
    check_key,
    check_prefix,
    check_range,
)
from filewright.chassis.storage.threads import begun_in_thread, in_thread, over
from filewright.chassis.tasks import to_its_end

WRITTEN = failpoints.declare("storage.put.written", "all bytes are in the temporary file, which is not renamed yet")
STORED = failpoints.declare("storage.put.stored", "the object is in its place and the caller does not know yet")

_TEMPORARY = ".incoming"  # no key starts with a dot, so no object is ever in here
_READ = os.O_RDONLY | os.O_NOFOLLOW
_LISTED_AT_ONCE = 500


class LocalStore:
    """The store below `root`, which is made when it is missing. Several processes may share it.

    A key cannot be both an object and the folder of another, which buckets would allow: do not build on that.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / _TEMPORARY
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)

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
        target = self._path(key)
        intake = Intake(max_bytes, digest=digest)
        file = Incoming(self._incoming)
        writing: asyncio.Future[None] | None = None
        last = b""

        def finish() -> None:
            if last:
                file.write(last, intake)
            _keep(file, target)

        try:
            async for block in intake.blocks(chunks):
                if last:  # one is written while the next comes
                    if writing is not None:
                        await to_its_end(writing)
                    writing = begun_in_thread(file.write, last, intake)
                last = block
            if writing is not None:
                await to_its_end(writing)
            await in_thread(finish)
        finally:
            if writing is not None:
                await over(writing)
            if not file.is_closed:
                await in_thread(file.discard)
        return intake.receipt(key)

    async def put_file(
        self, key: str, path: Path, *, max_bytes: int | None = None, owner: str = "", seen: SeenFile | None = None
    ) -> StoredObject:
        del owner  # nothing is sealed here
        target = self._path(key)
        if seen is not None and await in_thread(self._keep_itself, path, target, seen, max_bytes):
            return StoredObject(key, seen.bytes, seen.sha256)
        intake = Intake(max_bytes)
        source, file = OpenFile(path, _READ), Incoming(self._incoming)

        def write(block: memoryview) -> None:
            intake.admit(len(block))
            file.write(block, intake)

        try:
            await copied(
                source.open, lambda buffer: os.readv(source.descriptor, [buffer]), write, partial(_keep, file, target)
            )
        finally:
            source.close()
            if not file.is_closed:
                await in_thread(file.discard)
        return intake.receipt(key)

    def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        check_range(start, end)
        return self._read(key, start, end)

    async def _read(self, key: str, start: int, end: int | None) -> AsyncIterator[bytes]:
        """While one block is used, the next is read."""
        file = OpenFile(self._path(key), _READ)
        position = start
        ahead: asyncio.Future[bytes] | None = None

        def wanted() -> int:
            return BLOCK_BYTES if end is None else max(0, min(BLOCK_BYTES, end - position))

        try:
            with telling_failures(reading=key):
                block = await in_thread(first_of_object, file, wanted(), position)
            while block:
                is_last = len(block) < wanted()
                position += len(block)
                if is_last or position == end:
                    yield block
                    return
                ahead = begun_in_thread(os.pread, file.descriptor, wanted(), position)
                yield block
                with telling_failures():
                    block = await to_its_end(ahead)
        finally:
            if ahead is not None:
                await over(ahead)
            file.close()

    async def head(self, key: str) -> ObjectInfo:
        return await in_thread(self._head, key)

    async def delete(self, key: str) -> None:
        await in_thread(self._delete, key)

    async def delete_many(self, keys: Sequence[str]) -> None:
        def one_by_one() -> None:
            for key in keys:
                self._delete(key)

        await in_thread(one_by_one)

    async def copy(self, source: str, target: str) -> None:
        check_key(target)
        reading = self.get(source)
        first = await anext(reading, b"")  # before the put, so that a missing source touches nothing

        async def blocks() -> AsyncIterator[bytes]:
            yield first
            async for block in reading:
                yield block

        await self.put(target, blocks())

    def sign_put(
        self, key: str, *, size: int, at: datetime, lifetime: timedelta, sha256: str | None = None
    ) -> SignedRequest | None:
        """Nobody can reach a folder but through us."""
        del size, at, lifetime, sha256
        check_key(key)
        return None

    def sign_get(self, key: str, *, at: datetime, media_type: str, disposition: str) -> SignedRequest | None:
        """Nobody can reach a folder but through us."""
        del at, media_type, disposition
        check_key(key)
        return None

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        found = self._below(self._root / check_prefix(prefix))
        while batch := await in_thread(lambda: [*islice(found, _LISTED_AT_ONCE)]):
            for info in batch:
                yield info

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    async def fetch(self, key: str, path: Path, *, sha256: str | None = None) -> int:
        source, file = OpenFile(self._path(key), _READ), NewFile(path, sha256=sha256)

        def begin() -> None:
            with telling_failures(reading=key):
                open_object(source)
            file.open()

        def read(buffer: memoryview) -> int:
            with telling_failures():
                return os.readv(source.descriptor, [buffer])

        try:
            with file.whole():
                return await copied(begin, read, file.take)
        finally:
            source.close()

    async def sweep(self) -> int:
        return await in_thread(self._sweep)

    async def close(self) -> None:
        """Nothing is held open between calls."""

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _keep_itself(self, path: Path, target: Path, seen: SeenFile, max_bytes: int | None) -> bool:
        """Give the file its place under a further name, without reading it. Not, when it has to be copied."""
        source, file = OpenFile(path, _READ), Incoming(self._incoming)
        try:
            source.open()
            with telling_failures():
                if not file.adopt(source, seen):
                    return False
            Intake(max_bytes, digest=False).admit(seen.bytes)
            _keep(file, target)
        finally:
            source.close()
            file.discard()
        return True

    def _head(self, key: str) -> ObjectInfo:
        with telling_failures(reading=key):
            status = self._path(key).lstat()
        if not stat.S_ISREG(status.st_mode):
            raise ObjectMissing(key)
        return ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def _delete(self, key: str) -> None:
        path = self._path(key)
        with contextlib.suppress(ObjectMissing), telling_failures(reading=key):
            path.unlink()
            for folder in path.relative_to(self._root).parents[:-1]:
                try:
                    (self._root / folder).rmdir()
                except OSError:
                    return  # not empty: somebody's objects are in there

    def _below(self, folder: Path) -> Iterator[ObjectInfo]:
        def give_up(error: OSError) -> None:
            if error.errno not in NO_OBJECT:  # a folder that went away meanwhile is no trouble
                raise StoreUnavailable from error

        for parent, folders, names in os.walk(folder, onerror=give_up):
            with contextlib.suppress(ValueError):
                folders.remove(_TEMPORARY)
            for name in names:
                with contextlib.suppress(ObjectMissing, ValueError):  # a file that is none of ours has no key
                    yield self._head(str(Path(parent, name).relative_to(self._root)))

    def _sweep(self) -> int:
        removed = 0
        for path in list(self._incoming.iterdir()):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                if locked(file.fileno()):
                    path.unlink()
                    removed += 1
        return removed


def _keep(file: Incoming, target: Path) -> None:
    with telling_failures():
        failpoints.hit(WRITTEN)
    file.move_to(target)
    with telling_failures():
        failpoints.hit(STORED)
