"""Objects as plain files below one folder.

Written here by hand rather than through the object-store library, because a job that was accepted must survive a power
failure: a file is written under a temporary name, synced, renamed, and its folder synced. (The library renames without
syncing, and needs several times the memory.) Temporary files are locked while their writer lives; `sweep` removes
those whose lock is free, so a killed process leaves nothing for ever and a living one is never disturbed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.storage.files import OpenFile, write_all, write_new_file
from filewright.chassis.storage.intake import BLOCK_BYTES, Intake
from filewright.chassis.storage.port import (
    ObjectInfo,
    ObjectMissing,
    SignedRequest,
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
_NO_OBJECT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
_LISTED_AT_ONCE = 500
_PLACING_TRIES = 20


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
        file = _Incoming(self._incoming)
        try:
            await in_thread(file.open)
            async for block in intake.blocks(chunks):
                await in_thread(file.write, block, intake)
            with _telling_failures():
                failpoints.hit(WRITTEN)
            await in_thread(file.move_to, target)
            with _telling_failures():
                failpoints.hit(STORED)
        finally:
            await in_thread(file.discard)
        return intake.receipt(key)

    def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        check_range(start, end)
        return self._read(key, start, end)

    async def _read(self, key: str, start: int, end: int | None) -> AsyncIterator[bytes]:
        file = OpenFile(self._path(key), os.O_RDONLY | os.O_NOFOLLOW)
        position = start

        def wanted() -> int:
            return BLOCK_BYTES if end is None else max(0, min(BLOCK_BYTES, end - position))

        try:
            with _telling_failures(reading=key):
                block = await in_thread(_first_of_object, file, wanted(), position)
            while block:
                yield block
                position += len(block)
                if position == end:
                    return
                with _telling_failures():
                    block = await in_thread(os.pread, file.descriptor, wanted(), position)
        finally:
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
        return await write_new_file(path, self.get(key), sha256=sha256)

    async def sweep(self) -> int:
        return await in_thread(self._sweep)

    async def close(self) -> None:
        """Nothing is held open between calls."""

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _head(self, key: str) -> ObjectInfo:
        with _telling_failures(reading=key):
            status = self._path(key).lstat()
        if not stat.S_ISREG(status.st_mode):
            raise ObjectMissing(key)
        return ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def _delete(self, key: str) -> None:
        path = self._path(key)
        with contextlib.suppress(ObjectMissing), _telling_failures(reading=key):
            path.unlink()
            for folder in path.relative_to(self._root).parents[:-1]:
                try:
                    (self._root / folder).rmdir()
                except OSError:
                    return  # not empty: somebody's objects are in there

    def _below(self, folder: Path) -> Iterator[ObjectInfo]:
        def give_up(error: OSError) -> None:
            if error.errno not in _NO_OBJECT:  # a folder that went away meanwhile is no trouble
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
                if _locked(file.fileno()):
                    path.unlink()
                    removed += 1
        return removed


def _first_of_object(file: OpenFile, wanted: int, position: int) -> bytes:
    """Opened and begun at once: most objects are read by then."""
    file.open()
    if not stat.S_ISREG(os.fstat(file.descriptor).st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return os.pread(file.descriptor, wanted, position)


class _Incoming:
    """A temporary file, locked for as long as its writer lives. Used from threads, one call at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._placed = False
        self._file: OpenFile | None = None

    def open(self) -> None:
        with _telling_failures():
            while self._file is None:
                path = self._folder / secrets.token_hex(16)
                file = OpenFile(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                file.open()
                # A sweeper may have come between creating and locking; then the file is gone or about to be.
                if _locked(file.descriptor) and os.fstat(file.descriptor).st_nlink:
                    self._file = file
                else:
                    file.close()

    def write(self, block: bytes, intake: Intake) -> None:
        intake.hash(block)
        with _telling_failures():
            write_all(self._opened.descriptor, block)

    def move_to(self, target: Path) -> None:
        """Make the file durable, then visible, then the fact that it is visible durable."""
        with _telling_failures():
            os.fsync(self._opened.descriptor)
            made = self._place(target)
            self._placed = True
            for folder in [target.parent, *made]:
                # A folder that is gone by now went with the object: deleted by another as soon as it was visible.
                with contextlib.suppress(FileNotFoundError):
                    _sync_folder(folder)

    def discard(self) -> None:
        """Let go of the file; when it was not moved to its place, remove it."""
        if self._file is not None:
            if not self._placed:
                self._file.path.unlink(missing_ok=True)
            self._file.close()

    @property
    def _opened(self) -> OpenFile:
        if self._file is None:
            raise RuntimeError("the file was never opened")
        return self._file

    def _place(self, target: Path) -> list[Path]:
        """Rename the file; returns the folders that got a new folder on the way."""
        for _ in range(_PLACING_TRIES):
            # A delete of a folder's last object may remove the folder in between.
            with contextlib.suppress(FileNotFoundError):
                made = _make_folder(target.parent)
                self._opened.path.replace(target)
                return made
        raise StoreUnavailable


def _make_folder(folder: Path) -> list[Path]:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        # `exist_ok` would look again at what was in the way, which a delete may have removed by then.
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
    return [path.parent for path in missing]


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
def _telling_failures(*, reading: str | None = None) -> Iterator[None]:
    """Speak of failures in the port's words; where an object is `reading`, that there is none is one of them."""
    try:
        yield
    except OSError as error:
        if reading is not None and error.errno in _NO_OBJECT:
            raise ObjectMissing(reading) from None
        raise (StoreFull() if error.errno in _FULL else StoreUnavailable()) from error
