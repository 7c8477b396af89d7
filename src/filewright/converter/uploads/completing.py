"""From all bytes of an upload to an artifact: what they are, by their digest and their content."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.cache.port import Cache
from filewright.chassis.db.database import Database
from filewright.chassis.db.hot import Unit
from filewright.chassis.errors import FieldError
from filewright.chassis.storage.port import StoreUnavailable
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.problems import InFlight, InvalidRequest
from filewright.converter.artifacts.models import Artifact
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.tiers import Caller
from filewright.converter.uploads.models import COMPLETE, Upload, UploadState, known_as
from filewright.converter.uploads.receiving import Receiving
from filewright.converter.uploads.recognition import Recognition, recognise

SHARED = failpoints.declare(
    "uploads.complete.shared", "an artifact consists of what the tenant had, and the upload's own copy is still there"
)
BEFORE_COMPLETE = failpoints.declare("uploads.complete.before", "all bytes are stored and there is no artifact yet")

log = get_logger(__name__)


@dataclass(frozen=True)
class Completed:
    """An upload and the artifact that it became."""

    upload: Upload
    artifact: Artifact


class Completing:
    """`scratch` is a directory for files that exist for a moment; `spared` is told of bytes that are not kept twice."""

    def __init__(
        self,
        database: Database,
        artifacts: Artifacts,
        receiving: Receiving,
        *,
        scratch: Path,
        spared: Callable[[int], object],
        cache: Cache,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._receiving = receiving
        self._scratch = scratch
        self._spared = spared
        self._cache = cache

    async def finish(
        self, caller: Caller, upload: Upload, *, known_sha256: str | None = None, said_sha256: str | None = None
    ) -> Completed:
        """Look at the bytes, then make the artifact and complete the upload in one commit.

        Raises InFlight when another request was faster, mostly with the same.
        """
        sha256, recognition = await self._examine(upload, known_sha256)
        compare(sha256, said_sha256)
        compare(sha256, upload.expected_sha256)
        failpoints.hit(BEFORE_COMPLETE)
        completed = await self._database.carry(lambda: self._complete(caller, upload, sha256, recognition))
        if completed.artifact.parts != upload.parts:
            await self._drop_copy(upload, completed.artifact)
        self._cache.put(COMPLETE, known_as(upload.tenant, upload.id), completed.artifact)
        return completed

    def _complete(self, caller: Caller, upload: Upload, sha256: str, recognition: Recognition) -> Unit[Completed]:
        artifact_id = self._artifacts.new_id()
        done = yield from self._receiving.update(upload, state=UploadState.COMPLETE, artifact_id=artifact_id)
        if done is None:
            raise InFlight("Another request has changed this upload meanwhile.", retry_after=1)
        complete, now = done
        artifact = Artifact(
            id=artifact_id,
            tenant=upload.tenant,
            filename=upload.filename,
            media_type=recognition.media_type,
            format=recognition.format,
            load=recognition.load,
            bytes=upload.received,
            sha256=sha256,
            parts=upload.parts,
            created_at=now,
            expires_at=now + timedelta(seconds=caller.tier.retention_seconds),
        )
        return Completed(complete, (yield from self._artifacts.share(artifact)))

    async def _drop_copy(self, upload: Upload, shared: Artifact) -> None:
        """The tenant had these bytes already. What a crash leaves here goes when the upload's artifact does."""
        failpoints.hit(SHARED)
        try:
            if await self._artifacts.kept_for_all(shared, upload.parts):
                await self._receiving.drop(part.key for part in upload.parts)
                self._spared(shared.bytes)
        except StoreUnavailable:
            log.info("copy_left_to_pruner", upload_id=upload.id)

    async def _examine(self, upload: Upload, known_sha256: str | None) -> tuple[str, Recognition]:
        """Digest and type. A file that lies in one piece on this machine is looked at where it is."""
        here = self._artifacts.local_path(upload.parts)
        if here is not None:
            sha256 = known_sha256 if known_sha256 is not None else await asyncio.to_thread(_digest, here)
            return sha256, await asyncio.to_thread(recognise, here, upload.filename)
        path = self._scratch / f"{upload.id}-{secrets.token_hex(4)}"
        try:
            sha256 = await self._artifacts.gather(upload.parts, path)
            if known_sha256 not in {None, sha256}:
                log.error("stored_bytes_differ", upload_id=upload.id)
                raise StoreUnavailable
            return sha256, await asyncio.to_thread(recognise, path, upload.filename)
        finally:
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(path.unlink)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compare(sha256: str, said: str | None) -> None:
    """Raises InvalidRequest when something was said, and it is something else."""
    if said is not None and said.lower() != sha256:
        raise InvalidRequest(
            "The stored bytes have another SHA-256 than you said; upload the file again.",
            errors=(FieldError("/sha256", "not the digest of the bytes that arrived"),),
        )
