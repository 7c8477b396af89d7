"""What a virus scanner promises: it says of a file what it found, and it never says nothing.

Only a scanner's own, whole, explicit word makes a file clean. Whatever else happens (no answer, half of one, another
one than was expected, a line that breaks, time that runs out) is `ScannerUnavailable`: the file has not been scanned,
which is not the file's fault and may be tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol


class ScannerUnavailable(Exception):
    """No scanner has looked at the file. The message is for operators."""


class Finding(Enum):
    """What a scanner may say of a file."""

    CLEAN = auto()
    """It was looked through to its end, and nothing was found."""
    MALWARE = auto()
    NOT_LOOKED_INTO = auto()
    """Too large, too deep, too many parts or locked: the scanner has seen some of it at most."""


@dataclass(frozen=True)
class Verdict:
    """A finding, and how the scanner calls what it found: the signature's name, or the limit's."""

    finding: Finding
    name: str = ""


CLEAN = Verdict(Finding.CLEAN)


class Scanner(Protocol):
    """Looks at files before anything else opens them."""

    @property
    def active(self) -> bool:
        """Whether it looks at anything; where it does not, nobody need ask."""
        ...

    async def scan(self, path: Path) -> Verdict:
        """Look through a file. Cancelling ends it at once. Raises ScannerUnavailable, or OSError for the file."""
        ...

    async def usable(self) -> bool:
        """Whether a scan would get an answer now. Cheap: what was found out a moment ago counts."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """For operators: what scans here, and how each of them was when it was last asked."""
        ...
