"""What the jobs need of the rooms below, as narrow protocols; `bootstrap` passes the real ones.

A planner says how, before anything is accepted; a converter does it, on files in a workspace, and knows nothing of
jobs; sources know which artifact an upload became; files move an artifact's bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.storage.port import SignedRequest
from filewright.converter.artifacts.models import Artifact
from filewright.converter.conversion.orders import Assignment, Converted, Plan
from filewright.converter.conversion.orders import Stage as ConversionStage
from filewright.converter.engines.font_packs import FontPack
from filewright.converter.operations.orders import OrderedStep, Task


class Planner(Protocol):
    """Finds a route."""

    def plan(self, source_format: str, target: str, options: Mapping[str, Any] | None = None) -> Plan:
        """The cheapest way; `target` is a format id, an extension or a media type. Fast and pure.

        Raises UnsupportedFormat, UnsupportedConversion, EngineMissing or InvalidOptions.
        """
        ...


class Converter(Protocol):
    """Carries an assignment out."""

    async def convert(
        self,
        assignment: Assignment,
        *,
        workspace: Path,
        on_stage: Callable[[ConversionStage], None],
        on_progress: Callable[[float], None],
        cancel: asyncio.Event | None,
    ) -> Converted:
        """Inspect, convert and check; products lie in the workspace. Setting `cancel`, or cancelling the awaiting task,
        ends it within a second, with no process left.

        Raises a ConversionError for everything that is the file's, a limit's or an engine's fault, and
        SandboxUnavailable or OSError for what is this machine's.
        """
        ...


class Operations(Protocol):
    """Plans and carries out everything that is not a conversion of one file."""

    def plan(self, formats: Sequence[str | None], steps: Sequence[OrderedStep]) -> Plan:
        """How files of these formats would be worked on; None for one that nobody recognises. Fast and pure.

        Raises what a planner raises, and InvalidOrder.
        """
        ...

    def takes_anything(self, operation: str) -> bool:
        """Whether it does not matter to the operation what a file is."""
        ...

    async def carry_out(
        self,
        task: Task,
        *,
        workspace: Path,
        on_stage: Callable[[ConversionStage], None],
        on_progress: Callable[[float], None],
        cancel: asyncio.Event | None,
    ) -> Converted:
        """As `Converter.convert`, for all steps of a task."""
        ...


class Sources(Protocol):
    """Where inputs come from."""

    async def artifact_of_upload(self, on: ReadSession | Database, tenant: str, upload_id: str) -> Artifact | None:
        """The artifact of a complete upload of this tenant; None when there is no such upload for it.

        Raises Conflict while it is still receiving, and Expired when its bytes are gone.
        """
        ...

    def remembered(self, tenant: str, upload_id: str) -> Artifact | None:
        """The same as it was a short while ago; None when that is not known here. It may be gone by now."""
        ...


class Files(Protocol):
    """The bytes of artifacts."""

    async def fetch(self, artifact: Artifact, path: Path) -> None:
        """Write all bytes to a new file and check them against the digest."""
        ...

    def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to but not including `end`."""
        ...

    def link(self, artifact: Artifact, *, at: datetime, disposition: str) -> SignedRequest | None:
        """How to read the bytes straight from the store, for one without keys; None where that is not possible."""
        ...

    async def is_sound(self, artifact: Artifact) -> bool:
        """Whether the bytes are there and, of what is not long, whether they are those that were stored."""
        ...

    async def join(self, session: WriteSession, artifact_ids: Sequence[str]) -> Mapping[str, Artifact] | None:
        """Count one more user of the contents of each of these artifacts, in the caller's unit of work: what it is to
        consist of. None, and nothing is counted, when one of them is erased.
        """
        ...

    async def mark_erased(self, session: WriteSession, artifact_ids: Sequence[str]) -> None:
        """Make these unreadable, in the caller's unit of work; `erase` deletes their bytes afterwards."""
        ...

    async def erase(self, artifact_ids: Sequence[str]) -> int:
        """Make these unreadable at once, then delete their bytes; safe to repeat."""
        ...


class Fonts(Protocol):
    """What tenants have brought for their documents."""

    def lent(self, tenant: str) -> AbstractAsyncContextManager[FontPack | None]:
        """The tenant's fonts, there for as long as the context lasts; None for one that has none."""
        ...


class NoFonts:
    """Nobody has any."""

    def lent(self, tenant: str) -> AbstractAsyncContextManager[FontPack | None]:
        return nullcontext()


class Prunable(Protocol):
    """Something with rests that are past their time."""

    async def prune_once(self) -> int:
        """Remove one batch; how many were removed."""
        ...
