"""What travels from a reader to a writer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CHUNK = 1 << 18


class Content(Protocol):
    """The bytes of a member, read once from front to end."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; nothing at the end."""
        ...


@dataclass(frozen=True)
class Member:
    """A file or a folder. Links and devices have no way through: they are left out by the readers."""

    name: str
    """With `/` between folders; as the archive has it, which may be hostile."""
    size: int
    """Bytes of content; reading gives exactly so many, or raises."""
    modified: float
    """Seconds since 1970."""
    content: Content | None
    """None for a folder."""
    executable: bool = False


Members = Iterator[Member]
