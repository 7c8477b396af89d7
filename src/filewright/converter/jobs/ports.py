"""What the jobs need of the rooms below, as narrow protocols; `bootstrap` passes the real ones.

A planner says how, before anything is accepted; a converter does it, on files in a workspace, and knows nothing of
jobs; sources know which artifact an upload became; files move an artifact's bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from filewright.chassis.db.sessions import ReadSession
from filewright.converter.artifacts.models import Artifact
from filewright.converter.jobs.states import Stage
from filewright.converter.tiers import Tier


@dataclass(frozen=True)
class Hop:
    """One step of a route, as callers see it."""

    engine: str
    engine_version: str
    source: str
    target: str
    lossy: bool

    def as_json(self) -> dict[str, Any]:
        """The shape of the API, which is also how it is stored."""
        return {
            "engine": self.engine,
            "engine_version": self.engine_version,
            "from": self.source,
            "to": self.target,
            "lossy": self.lossy,
        }


@dataclass(frozen=True)
class Plan:
    """How an order would be carried out."""

    route: tuple[Hop, ...]
    source_format: str | None
    target_format: str
    options: Mapping[str, Any]
    """Checked, defaults filled in."""
    estimated_seconds: float


class Planner(Protocol):
    """Finds a route."""

    def plan(
        self, operation: str, source: Artifact, source_format: str | None, target: str, options: Mapping[str, Any]
    ) -> Plan:
        """The cheapest way; `target` is a format id or an extension, `source_format` the caller's word or None.

        Fast and pure. Raises UnsupportedFormat, UnsupportedConversion, TypeMismatch, or InvalidRequest for an option.
        """
        ...


@dataclass(frozen=True)
class Assignment:
    """What an attempt gives a converter: files that are there, and what is wanted of them."""

    source: Path
    filename: str
    """What the caller called it: for the products' names only."""
    source_format: str | None
    target_format: str
    options: Mapping[str, Any]
    tier: Tier
    operation: str = "convert"
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Product:
    """One finished file in the workspace, checked. `name` is what a caller may call it."""

    path: Path
    name: str
    media_type: str
    format: str
    bytes: int
    sha256: str
    pages: int | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None


@dataclass(frozen=True)
class Converted:
    """What a conversion gave: at least one product, and the route that was really taken."""

    products: tuple[Product, ...]
    route: tuple[Hop, ...]
    source_format: str | None = None
    fidelity: float | None = None


class Reporter(Protocol):
    """Where a converter says how far it is. What the caller of the job sees never goes back."""

    async def enter(self, stage: Stage) -> None:
        """A stage begins; it is written down when this returns. Must be awaited before `converting` begins: a death
        in that stage is blamed on the file, in any other it is not.
        """
        ...

    def note(self, stage: Stage) -> None:
        """A stage begins; it is written down soon. For use where nothing can be awaited."""
        ...

    def progress(self, fraction: float) -> None:
        """How much of the conversion is done, 0..1 over all its steps."""
        ...


class Converter(Protocol):
    """Carries an assignment out."""

    async def convert(
        self, assignment: Assignment, *, workspace: Path, reporter: Reporter, cancel: asyncio.Event
    ) -> Converted:
        """Inspect, convert and check; products lie in the workspace. Setting `cancel`, or cancelling the awaiting task,
        ends it within a second, with no process left.

        Raises a ConversionError for everything that is the file's, a limit's or an engine's fault, and
        SandboxUnavailable or OSError for what is this machine's.
        """
        ...


class Sources(Protocol):
    """Where inputs come from."""

    async def artifact_of_upload(self, session: ReadSession, tenant: str, upload_id: str) -> Artifact | None:
        """The artifact of a complete upload of this tenant; None when there is no such upload for it.

        Raises Conflict while it is still receiving, and Expired when its bytes are gone.
        """
        ...


class Files(Protocol):
    """The bytes of artifacts."""

    async def fetch(self, artifact: Artifact, path: Path) -> None:
        """Write all bytes to a new file and check them against the digest."""
        ...

    def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to but not including `end`."""
        ...


class Prunable(Protocol):
    """Something with rests that are past their time."""

    async def prune_once(self) -> int:
        """Remove one batch; how many were removed."""
        ...
