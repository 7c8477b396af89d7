"""A private directory for one run of one job, gone when the run is over.

Hostile programs leave odd things behind: directories nobody may enter, symbolic links to elsewhere, names that are no
text. Removal goes by open directories and never follows a link, and no link outlives the run that made it: whoever goes
on in the workspace, to read a product or to lay down the next input, is led nowhere else.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_PRIVATE = 0o700
_PARTS = ("in", "out", "tmp")


@dataclass(frozen=True)
class Workspace:
    """`inputs`, `out` for products, `tmp` for scratch. Use as a context manager, or call `remove`."""

    path: Path

    @classmethod
    def create(cls, jobs_dir: Path, name: str | None = None) -> Self:
        """Make `jobs_dir/name`, or a random name; FileExistsError when somebody has it already."""
        jobs_dir.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        path = jobs_dir / (name or secrets.token_hex(16))
        path.mkdir(mode=_PRIVATE)
        for part in _PARTS:
            (path / part).mkdir(mode=_PRIVATE)
        return cls(path.resolve())

    @property
    def inputs(self) -> Path:
        return self.path / "in"

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def tmp(self) -> Path:
        return self.path / "tmp"

    def remove(self) -> None:
        """Remove all of it, whatever a program made of it; a second call does nothing."""
        remove_tree(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def sweep(jobs_dir: Path) -> int:
    """Remove what a killed process left in `jobs_dir`; how many entries. Only for when nothing runs there."""
    removed = 0
    if not jobs_dir.is_dir():
        return 0
    for entry in list(os.scandir(jobs_dir)):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(Path(entry.path))
        else:
            Path(entry.path).unlink(missing_ok=True)
        removed += 1
    return removed


def cut_links(path: Path, *, most: int | None = None) -> bool:
    """Remove the symbolic links below it, and make its parts directories again; for when no process works there.

    False, and not all of it done, when there are more than `most` entries.
    """
    seen = 0
    waiting = [os.fsencode(path)]
    while waiting:
        for entry in _listed(waiting.pop()):
            seen += 1
            if most is not None and seen > most:
                return False
            if entry.is_symlink():
                _unlinked(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
    for part in _PARTS:
        if not (path / part).is_dir():
            (path / part).unlink(missing_ok=True)
            (path / part).mkdir(mode=_PRIVATE)
    return True


def _listed(directory: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except PermissionError:
        with os.scandir(_opened_up(directory)) as entries:
            return list(entries)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # a link that no path leads to leads nobody anywhere
            return []
        raise


def _unlinked(entry: bytes) -> None:
    try:
        os.unlink(entry)  # noqa: PTH108 - bytes, for names that are no text
    except PermissionError:
        _opened_up(os.path.dirname(entry))  # noqa: PTH120
        os.unlink(entry)  # noqa: PTH108


def remove_tree(path: Path) -> None:
    """Remove it and all below, however deep and however locked; for when no process works in it any more.

    Directories are first moved to the top, so that no path grows beyond what the kernel takes.
    """
    top = os.fsencode(path)
    try:
        waiting = [_opened_up(top)]
    except FileNotFoundError:
        return
    while waiting:
        directory = waiting[-1]
        inner = _clear(directory, top)
        if inner:
            waiting.extend(inner)
        else:
            os.rmdir(waiting.pop())  # noqa: PTH106 - bytes, for names that are no text


def _clear(directory: bytes, top: bytes) -> list[bytes]:
    """Unlink what is no directory; the directories, each now right below `top`."""
    moved = []
    with os.scandir(directory) as entries:
        for entry in list(entries):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108
                continue
            target = os.path.join(top, secrets.token_hex(16).encode())  # noqa: PTH118
            os.rename(_opened_up(entry.path), target)  # noqa: PTH104
            moved.append(target)
    return moved


def _opened_up(directory: bytes) -> bytes:
    """The same directory, which we may now list and change."""
    if stat.S_ISDIR(os.lstat(directory).st_mode):
        os.chmod(directory, _PRIVATE)  # noqa: PTH101
    return directory
