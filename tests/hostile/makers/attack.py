"""What one attack is, and the bait that it is baited with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oracles.canaries import Canaries
from oracles.planted import Planted

CONVERTED = "converted"
"""The answer of a file that is converted with its hostile part inert."""


@dataclass(frozen=True)
class Bait:
    """Where a hostile file points: addresses that must not be asked, files that must not be read or written."""

    canaries: Canaries
    planted: Planted

    @property
    def url(self) -> str:
        return self.canaries.url

    @property
    def urls(self) -> Sequence[str]:
        return self.canaries.urls

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.canaries.port}"

    @property
    def udp(self) -> str:
        return f"udp://127.0.0.1:{self.canaries.udp_port}"

    @property
    def file(self) -> str:
        return str(self.planted.file)

    @property
    def files(self) -> Sequence[str]:
        """Absolute, and relative from where an input or a working directory may lie."""
        return [*map(str, self.planted.paths.values()), *(f"{'../' * up}canary.txt" for up in range(1, 5))]

    @property
    def links(self) -> Sequence[str]:
        """Every way to name what must stay unread."""
        return [*(f"{url}/x.png" for url in self.urls), *(f"file://{path}" for path in self.files), self.file]

    @property
    def pwned(self) -> Path:
        """A file that must never be there."""
        return self.planted.folder / self.planted.mark

    @property
    def pwned_name(self) -> str:
        return self.planted.mark


@dataclass(frozen=True)
class Attack:
    """One hostile file. `answers` are the only allowed ends: a code of the API, or `converted`."""

    name: str
    filename: str
    make: Callable[[Bait], bytes]
    targets: tuple[str, ...]
    ids: tuple[str, ...]
    answers: frozenset[str] = frozenset({CONVERTED})
    source_format: str | None = None

    @property
    def seconds(self) -> float:
        """Longest time it gets: what may end by its limit need not wait long for it."""
        return 3.0 if "timeout" in self.answers else 30.0


@dataclass(frozen=True)
class Twin:
    """A file that looks like an attack and is none; it must convert, and `words` must be in the product."""

    name: str
    filename: str
    make: Callable[[], bytes]
    target: str
    words: str = ""
    ids: tuple[str, ...] = ()


def ends(*codes: str) -> frozenset[str]:
    """The allowed answers."""
    return frozenset(codes)


BAD = ends("corrupt_input", "unsupported_format", "type_mismatch")
LARGE = ends("archive_bomb", "image_too_large", "resource_limit", "too_large", "too_many_pages", "timeout")
EITHER = frozenset({CONVERTED}) | BAD
ANY = EITHER | LARGE
