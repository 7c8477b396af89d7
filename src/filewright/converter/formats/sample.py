"""What detection looks at: the ends of a file, and small pieces between them, never more than a fixed sum.

Everything in this package runs in the server on files of strangers, so every read goes through `Sample`, which counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

HEAD_BYTES = 64 << 10
TAIL_BYTES = (64 << 10) + 22
"""Enough for the end record of a ZIP with the longest comment."""
BUDGET_BYTES = 64 << 20
"""All reads of one sample together. Only hostile files come near it."""


@dataclass(frozen=True)
class Detection:
    """What the content of a file says about its type."""

    format: str | None
    """Id in the catalogue; None when nothing known was recognised."""
    encrypted: bool = False
    """It cannot be opened without a password."""
    confident: bool = True
    """False when the content only allows this type (plain text, a name believed), and does not prove it."""
    note: str = ""
    """What the content is instead, or what is wrong with it, in a few words for a person."""
    damaged: bool = False
    """It claims to be of this type, and is not well-formed."""
    texts: int | None = None
    """Of a package: what its texts have when they are unpacked, as its directory says. Bytes."""


class Sample:
    """A file, opened for looking. Reads past the budget come back empty."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = self._file.seek(0, 2)
        self._budget = BUDGET_BYTES
        self.head = self.read(0, HEAD_BYTES)
        self.tail = self.head if self.size <= HEAD_BYTES else self.read(max(0, self.size - TAIL_BYTES), TAIL_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def whole(self) -> bool:
        """Whether the head is the whole file."""
        return self.size <= HEAD_BYTES

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer at the end of the file or of the budget."""
        length = min(length, self._budget)
        if length <= 0 or not 0 <= offset < self.size:
            return b""
        self._file.seek(offset)
        piece = self._file.read(length)
        self._budget -= len(piece)
        return piece
