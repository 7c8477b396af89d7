"""The values that go into operations. What comes out is a conversion's `Plan` or `Converted`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from filewright.converter.engines.font_packs import FontPack
from filewright.converter.tiers import Tier

CONVERT = "convert"
"""The operation that routes are found for; all others have operators."""


@dataclass(frozen=True)
class OrderedStep:
    """One thing that is to be done with all files that there are by then."""

    operation: str
    to: str | None = None
    """A format id, an extension or a media type, where the operation leaves a choice."""
    options: Mapping[str, Any] = field(default_factory=dict)
    pointer: str = ""
    """Where in the order it stands, for errors: `/steps/0`, or nothing for an order of one operation."""

    def as_json(self) -> dict[str, Any]:
        """As a job keeps it."""
        return {"operation": self.operation, "to": self.to, "options": dict(self.options)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(kept["operation"], kept.get("to"), kept.get("options") or {})


@dataclass(frozen=True)
class Given:
    """One file to work on."""

    source: Path
    """Only read; may lie anywhere."""
    filename: str
    """What the user calls it."""
    source_format: str | None = None
    """The caller's word on what it is; None: by content."""


@dataclass(frozen=True)
class Task:
    """Files, and what is to be done with them, one step after the other."""

    inputs: tuple[Given, ...]
    steps: tuple[OrderedStep, ...]
    tier: Tier
    password: str | None = field(default=None, repr=False)
    """Of those inputs that have one."""
    party: str = ""
    """Whose they are; see `Work.party`."""
    fonts: FontPack | None = None
    """See `Work.fonts`."""
