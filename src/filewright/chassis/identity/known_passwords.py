"""Passwords that everybody knows: they are tried first, so nobody may choose one. Nothing is asked over the network.

Two sources: the list of frequent passwords in `zxcvbn` (MIT; about thirty thousand), and, when the operator has it, the
file of Have I Been Pwned, whose lines are SHA-1 in capitals, a colon and a count, in order of the digest. That one has
tens of gigabytes, so it is searched where it lies, by halving.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Protocol

_LINE = 64
"""Longer than a line of the file: 40 digits, a colon, a count."""


class KnownPasswords(Protocol):
    """Somebody's list."""

    def has(self, password: str) -> bool:
        """Whether the password is on it; may read a file."""
        ...


class FrequentPasswords:
    """The packaged list, which is in lower case: capitals do not make one of them unknown."""

    def has(self, password: str) -> bool:
        """As the protocol says."""
        return password.lower() in _frequent()


@cache
def _frequent() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - megabytes, for whoever sets a password

    return frozenset(FREQUENCY_LISTS["passwords"])


class BreachedPasswords:
    """The file of Have I Been Pwned, "ordered by hash". Raises ValueError for a file that is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            if not _is_line(file.readline(_LINE)):
                raise ValueError("the lines of the file are not SHA-1 digests with counts")

    def has(self, password: str) -> bool:
        """As the protocol says. Raises OSError."""
        wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        with self._path.open("rb") as file:
            low, high = 0, file.seek(0, os.SEEK_END)
            while low < high:
                middle = (low + high) // 2
                file.seek(middle)
                if middle:
                    file.readline(_LINE)  # the rest of a line that began before
                line = file.readline(_LINE)
                found = line[:40].upper()
                if found == wanted:
                    return True
                if not found or found > wanted:
                    high = middle
                else:
                    low = middle + 1
            return False


class AnyOf:
    """Several lists as one."""

    def __init__(self, *lists: KnownPasswords) -> None:
        self._lists = lists

    def has(self, password: str) -> bool:
        """As the protocol says."""
        return any(known.has(password) for known in self._lists)


def _is_line(line: bytes) -> bool:
    digest, colon, count = line.partition(b":")
    return len(digest) == 40 and not digest.strip(b"0123456789ABCDEFabcdef") and bool(colon) and count.strip().isdigit()
