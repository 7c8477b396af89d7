"""What a local store does with files, on a thread: take one in, put it in its place, and say what went wrong."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filewright.chassis.storage.files import OpenFile, write_all
from filewright.chassis.storage.intake import Intake
from filewright.chassis.storage.port import ObjectMissing, SeenFile, StoreFull, StoreUnavailable

NO_OBJECT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
"""What the system says where there is none."""
_MODE = 0o600
_FULL = {errno.ENOSPC, errno.EDQUOT}
_PLACING_TRIES = 20
_AHEAD_BYTES = 1 << 20
_SYNC_FILE_RANGE_WRITE = 2


def first_of_object(file: OpenFile, wanted: int, position: int) -> bytes:
    """Opened and begun at once: most objects are read by then."""
    open_object(file)
    return os.pread(file.descriptor, wanted, position)


def open_object(file: OpenFile) -> None:
    """Only a plain file is an object; a folder of objects is none."""
    file.open()
    if not stat.S_ISREG(os.fstat(file.descriptor).st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


class Incoming:
    """A temporary file, made when it is first written to or moved, and locked for as long as its writer lives. Used
    from threads, one call at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._placed = False
        self._file: OpenFile | None = None
        self._written = self._on_its_way = 0

    @property
    def is_closed(self) -> bool:
        """Nothing is left to let go of."""
        return self._file is None

    def write(self, block: bytes | memoryview, intake: Intake) -> None:
        intake.hash(block)
        with telling_failures():
            descriptor = self._opened().descriptor
            write_all(descriptor, block)
        self._written += len(block)
        if self._written - self._on_its_way >= _AHEAD_BYTES:
            _begin_writing(descriptor, self._on_its_way, self._written - self._on_its_way)
            self._on_its_way = self._written

    def adopt(self, source: OpenFile, seen: SeenFile) -> bool:
        """Be that file instead of a new one. Not, when it is another by now or could become it, lies on another file
        system, or is not this user's.
        """
        if not _is_settled(source.descriptor, seen):
            return False
        while self._file is None:
            path = self._folder / secrets.token_hex(16)
            try:
                # With a descriptor of a folder, which the path does not need, or Python links the link in /proc.
                os.link(f"/proc/self/fd/{source.descriptor}", path, src_dir_fd=source.descriptor, follow_symlinks=True)
            except OSError as error:
                if error.errno in _FULL:
                    raise
                return False
            with contextlib.suppress(FileNotFoundError):
                self._take(OpenFile(path, os.O_RDONLY | os.O_NOFOLLOW))
        os.fchmod(self._file.descriptor, _MODE)
        return True

    def move_to(self, target: Path) -> None:
        """Make the file durable, then visible, then the fact that it is visible durable; it is closed by then."""
        with telling_failures():
            os.fsync(self._opened().descriptor)
            made = self._place(target)
            self._placed = True
            self.discard()
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
            self._file = None

    def _opened(self) -> OpenFile:
        while self._file is None:
            path = self._folder / secrets.token_hex(16)
            self._take(OpenFile(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        return self._file

    def _take(self, file: OpenFile) -> None:
        """Open and lock it. A sweeper may have come between making and locking it; then it is gone or about to be."""
        file.open()
        if locked(file.descriptor) and file.path.exists():
            self._file = file
        else:
            file.close()

    def _place(self, target: Path) -> list[Path]:
        """Rename the file; returns the folders that got a new folder on the way."""
        for _ in range(_PLACING_TRIES):
            # A delete of a folder's last object may remove the folder in between.
            with contextlib.suppress(FileNotFoundError):
                made = _make_folder(target.parent)
                self._opened().path.replace(target)
                return made
        raise StoreUnavailable


def _is_settled(descriptor: int, seen: SeenFile) -> bool:
    """A plain file of this user's that nobody has open for writing, as the kernel says: else it gives no read lease."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return False
    if (status.st_size, status.st_mtime_ns) != (seen.bytes, seen.modified_ns):
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # the one for who wants to write; it is ignored
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True


def _begin_writing(descriptor: int, start: int, count: int) -> None:
    """Have the disk begin with them while more comes, so that `fsync` finds little left to do. Only that: it promises
    nothing, and where the system does not have it nothing is lost but time.
    """
    with contextlib.suppress(AttributeError):
        call = ctypes.CDLL(None).sync_file_range
        call(
            ctypes.c_int(descriptor),
            ctypes.c_int64(start),
            ctypes.c_int64(count),
            ctypes.c_uint(_SYNC_FILE_RANGE_WRITE),
        )


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


def locked(descriptor: int) -> bool:
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
def telling_failures(*, reading: str | None = None) -> Iterator[None]:
    """Speak of failures in the port's words; where an object is `reading`, that there is none is one of them."""
    try:
        yield
    except OSError as error:
        if reading is not None and error.errno in NO_OBJECT:
            raise ObjectMissing(reading) from None
        raise (StoreFull() if error.errno in _FULL else StoreUnavailable()) from error
