"""Objects as plain files below one folder.

Written here by hand rather than through the object-store library, because a job that was accepted must survive a power
failure: a file is written under a temporary name, synced, renamed, and its folder synced. (The library renames without
syncing, and needs several times the memory.) Temporary files are locked while their writer lives; `sweep` removes
those whose lock is free, so a killed process leaves nothing for ever and a living one is never disturbed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.storage.files import write_all, write_new_file
from filewright.chassis.storage.intake import BLOCK_BYTES, Intake
from filewright.chassis.storage.port import (
    ObjectInfo,
    ObjectMissing,
    StoredObject,
    StoreFull,
    StoreUnavailable,
    check_key,
    check_prefix,
    check_range,
)
from filewright.chassis.storage.threads import in_thread

WRITTEN = failpoints.declare("storage.put.written", "all bytes are in the temporary file, which is not renamed yet")
STORED = failpoints.declare("storage.put.stored", "the object is in its place and the caller does not know yet")

_TEMPORARY = ".incoming"  # no key starts with a dot, so no object is ever in here
_FULL = {errno.ENOSPC, errno.EDQUOT}


class LocalStore:
    """The store below `root`, which is made when it is missing. Several processes may share it.

    A key cannot be both an object and the folder of another, which buckets would allow: do not build on that.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / _TEMPORARY
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def put(
        self, key: str, chunks: AsyncIterable[bytes] | bytes, *, max_bytes: int | None = None
    ) -> StoredObject:
        target = self._path(key)
        intake = Intake(max_bytes)
        file = await asyncio.to_thread(_Incoming, self._incoming)
        try:
            async for block in intake.blocks(chunks):
                await in_thread(file.write, block, intake)
            failpoints.hit(WRITTEN)
            await in_thread(file.move_to, target)
            failpoints.hit(STORED)
        finally:
            await in_thread(file.discard)
        return intake.receipt(key)

    def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        check_range(start, end)
        return self._read(key, start, end)

    async def _read(self, key: str, start: int, end: int | None) -> AsyncIterator[bytes]:
        descriptor = await asyncio.to_thread(self._open, key)
        try:
            position = start
            while end is None or position < end:
                wanted = BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - position)
                block = await in_thread(os.pread, descriptor, wanted, position)
                if not block:
                    return
                yield block
                position += len(block)
        finally:
            os.close(descriptor)

    async def head(self, key: str) -> ObjectInfo:
        return await asyncio.to_thread(self._head, key)

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._delete, key)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        folder = self._root / check_prefix(prefix)
        for key in await asyncio.to_thread(self._keys_below, folder):
            with contextlib.suppress(ObjectMissing):
                yield await asyncio.to_thread(self._head, key)

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    async def fetch(self, key: str, path: Path, *, sha256: str | None = None) -> int:
        return await write_new_file(path, self.get(key), sha256=sha256)

    async def sweep(self) -> int:
        return await asyncio.to_thread(self._sweep)

    async def close(self) -> None:
        """Nothing is held open between calls."""

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _open(self, key: str) -> int:
        try:
            return os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectMissing(key) from None

    def _head(self, key: str) -> ObjectInfo:
        try:
            status = self._path(key).lstat()
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectMissing(key) from None
        return ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def _delete(self, key: str) -> None:
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), _telling_failures():
            path.unlink()
            for folder in path.relative_to(self._root).parents[:-1]:
                try:
                    (self._root / folder).rmdir()
                except OSError:
                    return  # not empty: somebody's objects are in there

    def _keys_below(self, folder: Path) -> Sequence[str]:
        return sorted(
            str(Path(parent, name).relative_to(self._root))
            for parent, _, names in os.walk(folder)
            if _TEMPORARY not in Path(parent).parts[len(self._root.parts) :]
            for name in names
        )

    def _sweep(self) -> int:
        removed = 0
        for path in list(self._incoming.iterdir()):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                if _locked(file.fileno()):
                    path.unlink()
                    removed += 1
        return removed


class _Incoming:
    """A temporary file, locked for as long as its writer lives. Used from threads, one call at a time."""

    def __init__(self, folder: Path) -> None:
        self._placed = False
        with _telling_failures():
            while True:
                self._path = folder / secrets.token_hex(16)
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                # A sweeper may have come between creating and locking; then the file is gone or about to be.
                if _locked(self._descriptor) and os.fstat(self._descriptor).st_nlink:
                    return
                os.close(self._descriptor)

    def write(self, block: bytes, intake: Intake) -> None:
        intake.hash(block)
        with _telling_failures():
            write_all(self._descriptor, block)

    def move_to(self, target: Path) -> None:
        with _telling_failures():
            os.fsync(self._descriptor)
            while True:
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                try:
                    self._path.replace(target)
                except FileNotFoundError:
                    continue  # a delete of the folder's last object removed the folder in between
                break
            self._placed = True
            _sync_folder(target.parent)

    def discard(self) -> None:
        """Let go of the file; when it was not moved to its place, remove it."""
        if not self._placed:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def _locked(descriptor: int) -> bool:
    """Whether the lock could be had; it is let go of when the file is closed, also by the death of the process."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _telling_failures() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise (StoreFull() if error.errno in _FULL else StoreUnavailable()) from error
