"""What a caller orders, after the edge has checked its shape and before the service has looked anything up; and how it
will be carried out, once that is planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from filewright.converter.conversion.orders import Plan
from filewright.converter.operations.orders import CONVERT, OrderedStep

__all__ = ["CONVERT", "JobInput", "JobOrder", "OrderedStep", "Planned", "Reuse"]


@dataclass(frozen=True)
class JobInput:
    """One file to work on: an upload of the caller, an output of an earlier job of the caller, or an address from which
    it is to be fetched first. Exactly one.
    """

    upload: str | None = None
    url: str | None = None
    job: str | None = None
    output: int = 0
    """Which output of `job`, counted from 0."""
    source_format: str | None = None
    """The caller's word on what the file is (`from`); None: by content."""


class Reuse(StrEnum):
    """What an order may have to do with results that are there already."""

    ANY = "any"
    FRESH = "fresh"
    """It is to be worked on; its own result may answer the next."""
    NONE = "none"
    """Nor may its own answer any other."""


@dataclass(frozen=True)
class JobOrder:
    """A whole order."""

    inputs: tuple[JobInput, ...]
    to: str | None = None
    """A format id or an extension. With `steps`, what is to come out in the end."""
    operation: str = CONVERT
    options: Mapping[str, Any] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    tag: str | None = None
    batch: str | None = None
    """What it is ordered together with."""
    webhook_url: str | None = None
    """Who is to be told of the end."""
    steps: tuple[OrderedStep, ...] = ()
    """Instead of one operation: several, each of what the one before made."""
    reuse: Reuse = Reuse.ANY

    @property
    def is_conversion(self) -> bool:
        """Of one file, and nothing else: what most orders are."""
        return self.operation == CONVERT and not self.steps


@dataclass(frozen=True)
class Planned:
    """How an order will be carried out."""

    plan: Plan
    steps: tuple[OrderedStep, ...] = ()
    """None for a conversion of one file."""
