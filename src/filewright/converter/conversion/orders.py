"""The values that go into a conversion and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from filewright.chassis.storage.port import SeenFile
from filewright.converter.conversion.fidelity import Fidelity
from filewright.converter.engines.font_packs import FontPack
from filewright.converter.tiers import Tier

UNKNOWN_MEDIA_TYPE = "application/octet-stream"


class Stage(StrEnum):
    """Where a conversion is, in the words of the API."""

    CONVERTING = "converting"
    CHECKING = "checking"


@dataclass(frozen=True)
class Hop:
    """One step of a route, as callers see it."""

    engine: str
    engine_version: str
    source: str
    target: str
    lossy: bool
    operation: str | None = None
    """What is done there; None for a conversion."""

    def as_json(self) -> dict[str, Any]:
        """The shape of the API."""
        shape = {
            "engine": self.engine,
            "engine_version": self.engine_version,
            "from": self.source,
            "to": self.target,
            "lossy": self.lossy,
        }
        return shape if self.operation is None else {**shape, "operation": self.operation}


@dataclass(frozen=True)
class Plan:
    """How a file would be converted, or several worked on."""

    source_format: str | None
    """Of the first file; None for one that nobody recognises, which only some operations take."""
    target_format: str | None
    """None where that depends on what is in the file."""
    route: tuple[Hop, ...]
    options: Mapping[str, Any]
    """Checked, defaults filled in."""
    estimated_seconds: float
    """CPU time for a typical small file; a big one takes longer."""
    many: bool = False
    """Whether it may give several files."""


@dataclass(frozen=True)
class Assignment:
    """One file, and what is wanted of it."""

    source: Path
    """Only read; may lie anywhere."""
    filename: str
    """What the user calls it: for its type, where the content leaves a choice, and for the products' names."""
    target_format: str
    tier: Tier
    source_format: str | None = None
    """The caller's word on what the file is; None: by content."""
    options: Mapping[str, Any] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    party: str = ""
    """Whose it is; see `Work.party`."""
    fonts: FontPack | None = None
    """See `Work.fonts`."""


@dataclass(frozen=True)
class Product:
    """One finished file in the workspace, checked. `name` is what a caller may call it."""

    path: Path
    name: str
    format: str | None
    """None for a file that nobody recognises, out of an archive."""
    media_type: str
    seen: SeenFile
    """As it was when it was checked."""
    pages: int | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None

    @property
    def bytes(self) -> int:
        return self.seen.bytes

    @property
    def sha256(self) -> str:
        return self.seen.sha256


@dataclass(frozen=True)
class Converted:
    """What a conversion gave: at least one product, and the route that was really taken."""

    source_format: str | None
    target_format: str | None
    route: tuple[Hop, ...]
    products: tuple[Product, ...]
    seconds: float
    fallen_back_from: tuple[str, ...] = ()
    """Engines that were tried before, and crashed or gave something broken."""
    fidelity: Fidelity | None = None
    """How true the product is to the source, where that was measured."""
