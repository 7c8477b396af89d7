"""Take bytes in: in one piece, in several that can be resumed, or as a form's file; and turn them into an artifact.

    create ──▶ receiving ──▶ complete        (an artifact exists; only now may a job use it)
                   │
                   └──▶ terminated           (by its owner or past its time; objects are deleted)

The row is committed before the first byte is stored, and every object of an upload has a key below `uploads/<id>/`.
A long body is stored in segments: what was received before a connection broke, or a process was killed, is kept.
How bytes come in is in `receiving.py`, what they become in `completing.py`, and how they go in `ending.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import update

from filewright.chassis import failpoints
from filewright.chassis.cache.port import Cache, Uncached
from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.db.together import Together
from filewright.chassis.errors import FieldError
from filewright.chassis.ids import IdSource, is_id
from filewright.chassis.storage.port import ObjectStore, SignedRequest
from filewright.chassis.tasks import to_its_end
from filewright.chassis.web.problems import Conflict, InFlight, InvalidRequest, NotFound
from filewright.converter.artifacts.models import Artifact, Part, artifact_of
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.errors import Expired, TooLarge
from filewright.converter.tiers import Caller
from filewright.converter.uploads import repeats, statements
from filewright.converter.uploads.completing import Completed, Completing, compare
from filewright.converter.uploads.ending import Ending
from filewright.converter.uploads.models import (
    COMPLETE,
    UPLOAD_PREFIX,
    Upload,
    UploadRow,
    UploadState,
    known_as,
    upload_of,
)
from filewright.converter.uploads.receiving import Checksum, Receiving
from filewright.converter.uploads.segments import ahead

SEGMENT_BYTES = 32 << 20
"""How much of a long body is stored at a time; a killed process loses at most this."""
MAX_FILENAME_CHARS = 4096
UNKNOWN_LENGTH = -1

ROW_COMMITTED = failpoints.declare("uploads.create.committed", "an upload's row is there and no byte of it is stored")

Created = Callable[[WriteSession, Upload], Awaitable[None]]
InUse = Callable[[ReadSession, str], Awaitable[bool]]
"""Whether something still has a right to an artifact, by its id."""


async def _by_nobody(_session: ReadSession, _artifact_id: str) -> bool:
    return False


class Uploads:
    """All uploads. `scratch` is a directory for files that exist for a moment; `spared` is told of bytes that are not
    kept twice.
    """

    def __init__(
        self,
        *,
        database: Database,
        store: ObjectStore,
        artifacts: Artifacts,
        ids: IdSource,
        scratch: Path,
        in_use: InUse = _by_nobody,
        spared: Callable[[int], object] = lambda _bytes: None,
        cache: Cache | None = None,
        lifetime: timedelta = timedelta(hours=24),
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._ids = ids
        self._in_use = in_use
        self._lifetime = lifetime
        self._receiving = Receiving(database, store, segment_bytes)
        self._cache = cache or Uncached()
        self._completing = Completing(
            database, artifacts, self._receiving, scratch=scratch, spared=spared, cache=self._cache
        )
        self._ending = Ending(database, store, artifacts)
        self._known = Together(self._ask)
        self._repeats = repeats.Repeats(database, artifacts, ids, scratch, lifetime, spared)

    # --- looking ------------------------------------------------------------------------------------------------------

    async def get(self, caller: Caller, upload_id: str) -> Upload:
        """The upload. Raises NotFound, or Expired for one that is past its time."""
        return (await self._find(self._database, caller.tenant, upload_id))[0]

    async def look(self, caller: Caller, upload_id: str) -> tuple[Upload, Artifact | None]:
        """The upload, and the artifact once it is complete."""
        upload, artifact = await self._find(self._database, caller.tenant, upload_id)
        if artifact is not None and artifact.erased:
            raise Expired("The uploaded file is not kept any more; upload it again.")
        return upload, artifact

    async def artifact_of_upload(self, on: ReadSession | Database, tenant: str, upload_id: str) -> Artifact | None:
        """The artifact of a complete upload of this tenant; None when there is no such upload for it.

        Raises Conflict while it is still receiving, and Expired when its bytes are gone.
        """
        try:
            _, artifact = await self._find_for_order(on, tenant, upload_id)
        except NotFound:
            return None
        if artifact is None:
            raise Conflict("The upload is not complete yet; send the rest of its bytes first.")
        if artifact.erased:
            raise Expired("The uploaded file is not kept any more; upload it again.")
        self._cache.put(COMPLETE, known_as(tenant, upload_id), artifact)
        return artifact

    def remembered(self, tenant: str, upload_id: str) -> Artifact | None:
        """The same as it was a short while ago; None when that is not known here. It may be gone by now."""
        return self._cache.peek(COMPLETE, known_as(tenant, upload_id))

    async def standing(self, caller: Caller, upload_id: str) -> Upload:
        """The upload, for one who asks where to go on. Raises as `get`.

        One whose bytes have all arrived is completed first: the process that took the last of them may have been
        killed before it could, and whoever reads here that nothing is missing sends nothing more.
        """
        upload = await self.get(caller, upload_id)
        if upload.state is UploadState.RECEIVING and upload.received == upload.length:
            with contextlib.suppress(InFlight):  # another request is completing it
                return (await self._completing.finish(caller, upload)).upload
            return await self.get(caller, upload_id)
        return upload

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def create(
        self,
        caller: Caller,
        *,
        filename: str,
        length: int,
        sha256: str | None = None,
        metadata: str | None = None,
        within: Created | None = None,
    ) -> Upload:
        """Announce an upload of `length` bytes. `within` runs in the same unit of work. Raises TooLarge."""
        if length > caller.tier.max_input_bytes:
            raise _too_large(caller)
        values = self._announced(caller, filename, length, sha256, metadata)
        if within is None:
            upload = upload_of(await self._database.make(statements.ANNOUNCE, **values))
        else:
            async with self._database.write() as session:
                upload = upload_of(await session.make(statements.ANNOUNCE, **values))
                await within(session, upload)
        failpoints.hit(ROW_COMMITTED)
        return upload

    def direct(self, upload: Upload) -> SignedRequest | None:
        """How to send all bytes of this upload straight to the store; None when they have to come through here."""
        return self._receiving.direct(upload)

    async def append(
        self,
        caller: Caller,
        upload_id: str,
        offset: int,
        chunks: AsyncIterator[bytes],
        *,
        checksum: Checksum | None = None,
        cut_short: Callable[[], bool] = lambda: False,
    ) -> Upload:
        """Add bytes at `offset`. Whatever arrived is kept, also when the body breaks off; the last byte completes it.

        With a checksum, all of the request's bytes are kept or none: none when they do not match (ChecksumMismatch) or
        when the body was `cut_short`. Raises Conflict when `offset` is not where the upload stands.
        """
        upload = await self.get(caller, upload_id)
        if upload.received != offset:
            raise Conflict(f"The upload stands at {upload.received} bytes, not at {offset}.")
        if upload.state is UploadState.COMPLETE:
            return upload
        if checksum is None:
            upload = await self._receiving.append(upload, chunks)
        else:
            upload = await self._receiving.append_checked(upload, chunks, checksum, cut_short)
        return await self._completed_if_whole(caller, upload)

    async def replace(self, caller: Caller, upload_id: str, chunks: AsyncIterator[bytes]) -> Upload:
        """Take the whole file in one body, instead of whatever came before. Raises InvalidRequest for a wrong size,
        and Conflict when the upload is complete or another request with other bytes is faster.
        """
        upload = await self.get(caller, upload_id)
        if upload.state is UploadState.COMPLETE:
            raise Conflict("The upload is complete; its bytes do not change any more.")
        return await self._receiving.replace(upload, chunks, partial(self.get, caller, upload_id))

    async def receive(self, caller: Caller, filename: str, chunks: AsyncIterator[bytes]) -> Completed:
        """Take a file of unknown length in one go. Raises TooLarge; whatever it raises, nothing of it is left."""
        small, chunks = await ahead(chunks, repeats.MOST_BYTES)
        if small and (known := await self._repeats.taken(caller, opaque_name(filename), small)) is not None:
            return Completed(*known)
        upload = await self.create(caller, filename=filename, length=UNKNOWN_LENGTH)
        try:
            stored = await self._receiving.put(
                upload, chunks, limit=caller.tier.max_input_bytes, refusal=_too_large(caller)
            )
            parts = (Part(stored.key, stored.bytes),)
            whole = replace(upload, length=stored.bytes, received=stored.bytes, parts=parts)
            return await self._completing.finish(caller, whole, known_sha256=stored.sha256)
        except BaseException:
            await to_its_end(self._ending.abandon(upload))
            raise

    async def complete(self, caller: Caller, upload_id: str, sha256: str | None = None) -> Completed:
        """Make an artifact of what was received. Asking twice is asking once. Raises Conflict while bytes are missing.

        With `sha256` given, here or at the beginning, also InvalidRequest when the bytes have another digest.
        """
        upload, artifact = await self.look(caller, upload_id)
        if artifact is not None:
            compare(artifact.sha256, sha256)
            return Completed(upload, artifact)
        upload = await self._receiving.take_direct(upload)
        if upload.received != upload.length:
            raise Conflict(f"{upload.received} of {upload.length} bytes have arrived; send the rest first.")
        try:
            return await self._completing.finish(caller, upload, said_sha256=sha256)
        except InFlight:
            upload, artifact = await self.look(caller, upload_id)
            if artifact is None:
                raise
            compare(artifact.sha256, sha256)
            return Completed(upload, artifact)

    # --- the end ------------------------------------------------------------------------------------------------------

    async def terminate(self, caller: Caller, upload_id: str) -> None:
        """Take the upload away, and its bytes with it, unless a job was given them: then they are the job's."""
        upload = await self.get(caller, upload_id)
        async with self._database.write() as session:
            await session.execute(
                update(UploadRow)
                .where(UploadRow.id == upload.id)
                .values(state=UploadState.TERMINATED, revision=UploadRow.revision + 1)
            )
            used = upload.artifact_id is not None and await self._in_use(session, upload.artifact_id)
        if upload.artifact_id is None:
            await self._ending.forget(upload)
        elif not used:
            await self._artifacts.erase([upload.artifact_id])

    async def prune_once(self, batch: int = 100) -> int:
        """Delete uploads that are past their time and never became an artifact, and empty the folders of those whose
        artifact is erased; how many.
        """
        return await self._ending.prune_unfinished(batch) + await self._ending.prune_erased(batch)

    # --- below the surface --------------------------------------------------------------------------------------------

    async def _find(self, on: ReadSession | Database, tenant: str, upload_id: str) -> tuple[Upload, Artifact | None]:
        known = is_id(upload_id, UPLOAD_PREFIX)
        rows = await on.ask(statements.UPLOAD, of_upload=upload_id, of_tenant=tenant) if known else ()
        return _found(rows[0] if rows else None)

    async def _find_for_order(
        self, on: ReadSession | Database, tenant: str, upload_id: str
    ) -> tuple[Upload, Artifact | None]:
        """With all who order at that moment. Where a replica may answer, each client has a horizon of its own."""
        if on is not self._database or on.has_replicas:
            return await self._find(on, tenant, upload_id)
        return _found(await self._known((tenant, upload_id)) if is_id(upload_id, UPLOAD_PREFIX) else None)

    async def _ask(self, asked: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Any]:
        rows = await self._database.ask(statements.UPLOADS, of_uploads=[upload_id for _, upload_id in asked])
        return {(row.tenant, row.id): row for row in rows}

    def _announced(
        self, caller: Caller, filename: str, length: int, sha256: str | None, metadata: str | None
    ) -> dict[str, Any]:
        return {
            "new_id": self._ids.new(UPLOAD_PREFIX),
            "new_tenant": caller.tenant,
            "new_filename": opaque_name(filename),
            "new_length": length,
            "new_expected_sha256": sha256,
            "new_metadata_header": metadata,
            "no_parts": [],
            "lifetime": self._lifetime,
        }

    async def _completed_if_whole(self, caller: Caller, upload: Upload) -> Upload:
        if upload.received < upload.length:
            return upload
        return (await self._completing.finish(caller, upload)).upload


def _found(row: Any) -> tuple[Upload, Artifact | None]:
    if row is None:
        raise NotFound("There is no such upload.")
    if row.late:
        raise Expired("The upload took longer than its time; begin it again.")
    return upload_of(row), None if row.its_id is None else artifact_of(row, "its_")


def opaque_name(name: str) -> str:
    """A name as any database can keep it: nothing is interpreted, only what is no text is replaced."""
    readable = name.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(readable) > MAX_FILENAME_CHARS:
        raise InvalidRequest(
            f"A file name has at most {MAX_FILENAME_CHARS} characters.",
            errors=(FieldError("/filename", f"at most {MAX_FILENAME_CHARS} characters"),),
        )
    return readable


def _too_large(caller: Caller) -> TooLarge:
    return TooLarge(f"The file is larger than the {caller.tier.max_input_bytes} bytes that are allowed.")
