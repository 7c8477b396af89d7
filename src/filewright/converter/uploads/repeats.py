"""A small file that its tenant has already: it is an artifact with one statement, and nothing of it is stored.

Only who brought all of the bytes gets what is known by their digest, and only of the same tenant's. What is there is
looked at first, and counted in the statement itself: a content that somebody lets go of at that moment is found by
nobody. In every case of doubt there is no answer, and the file goes the way of all others.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from filewright.chassis.db.database import Database
from filewright.chassis.ids import IdSource
from filewright.chassis.storage.port import StoreUnavailable
from filewright.chassis.storage.threads import in_thread
from filewright.converter.artifacts.models import Artifact, Part, artifact_of, parts_of
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.tiers import Caller
from filewright.converter.uploads import statements
from filewright.converter.uploads.models import UPLOAD_PREFIX, Upload, upload_of
from filewright.converter.uploads.recognition import Recognition, recognise

MOST_BYTES = 1 << 20
"""What is longer is not held in memory to find out."""
_HASHED_AT_ONCE = 64 << 10
"""To hash so many bytes takes no longer than to ask a thread to do it."""


@dataclass(frozen=True)
class Repeats:
    """Finds them. `spared` is told of bytes that are not stored."""

    database: Database
    artifacts: Artifacts
    ids: IdSource
    scratch: Path
    lifetime: timedelta
    spared: Callable[[int], object]

    async def taken(self, caller: Caller, filename: str, data: bytes) -> tuple[Upload, Artifact] | None:
        """An upload that is complete, and its artifact; None when these bytes are not there."""
        if not 0 < len(data) <= caller.tier.max_input_bytes:
            return None
        sha256 = _digest(data) if len(data) <= _HASHED_AT_ONCE else await in_thread(_digest, data)
        found = await self.database.ask(statements.CONTENT, of_tenant=caller.tenant, of_sha256=sha256)
        if not found or not await self._is_whole(parts := parts_of(found[0].parts)):
            return None
        recognition = await in_thread(self._recognised, parts, filename, data)
        row = await self.database.make(
            statements.TAKE_AGAIN,
            of_tenant=caller.tenant,
            of_sha256=sha256,
            upload_id=self.ids.new(UPLOAD_PREFIX),
            file_id=self.artifacts.new_id(),
            file_filename=filename,
            file_media_type=recognition.media_type,
            file_format=recognition.format,
            file_load=recognition.load,
            no_parts=[],
            lifetime=self.lifetime,
            retention=timedelta(seconds=caller.tier.retention_seconds),
        )
        if row is None:
            return None
        self.spared(len(data))
        return upload_of(row), artifact_of(row, "its_")

    async def _is_whole(self, parts: Sequence[Part]) -> bool:
        try:
            return await self.artifacts.is_whole(parts)
        except StoreUnavailable:
            return False

    def _recognised(self, parts: Sequence[Part], filename: str, data: bytes) -> Recognition:
        """Blocking. By the file that is there, if it is one of this machine; else by one for a moment."""
        here = self.artifacts.local_path(parts)
        if here is not None:
            return recognise(here, filename)
        path = self.scratch / secrets.token_hex(12)
        try:
            path.write_bytes(data)
            return recognise(path, filename)
        finally:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
