"""How much a directory holds, measured so that a hostile program can not make the measuring expensive."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

_BLOCK = 512
_SMALLEST = 1024
"""What even an empty file costs the disk."""
_MOST_ENTRIES = 200_000
_TOO_MUCH = 1 << 62


def used_bytes(directory: Path) -> int:
    """Bytes on disk of all files below; more than any limit when there are too many to count. Follows no link."""
    total, entries = 0, 0
    waiting = [os.fspath(directory)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    entries += 1
                    if entries > _MOST_ENTRIES:
                        return _TOO_MUCH
                    with contextlib.suppress(FileNotFoundError):
                        facts = entry.stat(follow_symlinks=False)
                        total += max(facts.st_blocks * _BLOCK, _SMALLEST)
                        if stat.S_ISDIR(facts.st_mode):
                            waiting.append(entry.path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # nobody nests this deep but to hide something
                return _TOO_MUCH
    return total
