"""Take bytes in: in one piece, in several that can be resumed, or as a form's file; and turn them into an artifact.

    create ──▶ receiving ──▶ complete        (an artifact exists; only now may a job use it)
                   │
                   └──▶ terminated           (by its owner or past its time; objects are deleted)

The row is committed before the first byte is stored, and every object of an upload has a key below `uploads/<id>/`.
Each change names the revision that it saw, so of two requests that write at once one is refused and nothing is mixed.
A long body is stored in segments: what was received before a connection broke, or a process was killed, is kept.

Where the store can sign, a client may send its bytes straight there (`direct`). Whoever holds that address may write
there again, so completing takes a copy first, under a key that nobody has an address of, and looks only at that.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Text, cast, select, update

from filewright.chassis import failpoints
from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.db.together import Together
from filewright.chassis.errors import FieldError
from filewright.chassis.ids import IdSource, is_id
from filewright.chassis.storage.port import (
    ObjectMissing,
    ObjectStore,
    SignedRequest,
    StoredObject,
    StoreUnavailable,
    TooManyBytes,
)
from filewright.chassis.tasks import to_its_end
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.problems import ChecksumMismatch, Conflict, InvalidRequest, NotFound
from filewright.converter.artifacts.models import Artifact, ArtifactRow, Part, artifact_of, as_json
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.errors import Expired, TooLarge
from filewright.converter.tiers import Caller
from filewright.converter.uploads import statements
from filewright.converter.uploads.models import UPLOAD_PREFIX, Upload, UploadRow, UploadState, upload_of
from filewright.converter.uploads.recognition import Recognition, recognise

log = get_logger(__name__)

SEGMENT_BYTES = 32 << 20
"""How much of a long body is stored at a time; a killed process loses at most this."""
MAX_FILENAME_CHARS = 4096
UNKNOWN_LENGTH = -1
DIRECT_LIFETIME = timedelta(hours=1)
"""How long after an upload's announcement its bytes may begin to go straight to the store."""

ROW_COMMITTED = failpoints.declare("uploads.create.committed", "an upload's row is there and no byte of it is stored")
SEGMENT_STORED = failpoints.declare(
    "uploads.segment.stored", "a segment's object is stored and the row does not say so"
)
SHARED = failpoints.declare(
    "uploads.complete.shared", "an artifact consists of what the tenant had, and the upload's own copy is still there"
)
BEFORE_COMPLETE = failpoints.declare("uploads.complete.before", "all bytes are stored and there is no artifact yet")

Created = Callable[[WriteSession, Upload], Awaitable[None]]
InUse = Callable[[ReadSession, str], Awaitable[bool]]
"""Whether something still has a right to an artifact, by its id."""


async def _by_nobody(_session: ReadSession, _artifact_id: str) -> bool:
    return False


@dataclass(frozen=True)
class Checksum:
    """What a client says the bytes of one request hash to."""

    algorithm: str
    digest: bytes


@dataclass(frozen=True)
class Completed:
    """An upload and the artifact that it became."""

    upload: Upload
    artifact: Artifact


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
        lifetime: timedelta = timedelta(hours=24),
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._database = database
        self._store = store
        self._artifacts = artifacts
        self._ids = ids
        self._scratch = scratch
        self._in_use = in_use
        self._spared = spared
        self._lifetime = lifetime
        self._segment_bytes = segment_bytes
        self._known = Together(self._ask)

    # --- looking -------------------------------------------------------------------------------------------------

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
        return artifact

    async def standing(self, caller: Caller, upload_id: str) -> Upload:
        """The upload, for one who asks where to go on. Raises as `get`.

        One whose bytes have all arrived is completed first: the process that took the last of them may have been
        killed before it could, and whoever reads here that nothing is missing sends nothing more.
        """
        upload = await self.get(caller, upload_id)
        if upload.state is UploadState.RECEIVING and upload.received == upload.length:
            with contextlib.suppress(Conflict):  # another request is completing it
                return (await self._finish(caller, upload)).upload
            return await self.get(caller, upload_id)
        return upload

    # --- receiving -----------------------------------------------------------------------------------------------

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
        if upload.state is not UploadState.RECEIVING or upload.length < 1:
            return None
        return self._store.sign_put(
            _direct_key(upload.id),
            size=upload.length,
            at=upload.created_at,
            lifetime=DIRECT_LIFETIME,
            sha256=upload.expected_sha256,
        )

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
            return await self._append_kept(caller, upload, chunks)
        return await self._append_checked(caller, upload, chunks, checksum, cut_short)

    async def replace(self, caller: Caller, upload_id: str, chunks: AsyncIterator[bytes]) -> Upload:
        """Take the whole file in one body, instead of whatever came before. Raises InvalidRequest for a wrong size."""
        upload = await self.get(caller, upload_id)
        if upload.state is UploadState.COMPLETE:
            raise Conflict("The upload is complete; its bytes do not change any more.")
        stored = await self._put(upload, chunks, limit=upload.length, refusal=_wrong_size(upload.length))
        if stored.bytes != upload.length:
            await self._store.delete(stored.key)
            raise _wrong_size(upload.length)
        moved = await self._move(upload, [Part(stored.key, stored.bytes)], drop=[stored.key])
        await self._drop(part.key for part in upload.parts)
        return moved

    async def receive(self, caller: Caller, filename: str, chunks: AsyncIterator[bytes]) -> Completed:
        """Take a file of unknown length in one go. Raises TooLarge; whatever it raises, nothing of it is left."""
        upload = await self.create(caller, filename=filename, length=UNKNOWN_LENGTH)
        try:
            stored = await self._put(upload, chunks, limit=caller.tier.max_input_bytes, refusal=_too_large(caller))
            parts = (Part(stored.key, stored.bytes),)
            whole = replace(upload, length=stored.bytes, received=stored.bytes, parts=parts)
            return await self._finish(caller, whole, known_sha256=stored.sha256)
        except BaseException:
            await to_its_end(self._abandon(upload))
            raise

    async def complete(self, caller: Caller, upload_id: str, sha256: str | None = None) -> Completed:
        """Make an artifact of what was received. Asking twice is asking once. Raises Conflict while bytes are missing.

        With `sha256` given, here or at the beginning, also InvalidRequest when the bytes have another digest.
        """
        upload, artifact = await self.look(caller, upload_id)
        if artifact is not None:
            _compare(artifact.sha256, sha256)
            return Completed(upload, artifact)
        upload = await self._take_direct(upload)
        if upload.received != upload.length:
            raise Conflict(f"{upload.received} of {upload.length} bytes have arrived; send the rest first.")
        return await self._finish(caller, upload, said_sha256=sha256)

    # --- the end -------------------------------------------------------------------------------------------------

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
            await self._forget(upload)
        elif not used:
            await self._artifacts.erase([upload.artifact_id])

    async def prune_once(self, batch: int = 100) -> int:
        """Delete uploads that are past their time and never became an artifact, and empty the folders of those whose
        artifact is erased; how many.
        """
        return await self._prune_unfinished(batch) + await self._prune_erased(batch)

    # --- sent straight to the store ------------------------------------------------------------------------------

    async def _take_direct(self, upload: Upload) -> Upload:
        """The upload with what was sent straight to the store, in place of whatever came before; or as it is."""
        if self.direct(upload) is None:
            return upload
        direct = _direct_key(upload.id)
        try:
            await self._check_size(upload, direct)  # most often there is none, and to ask is cheaper than to try
            await self._store.copy(direct, key := _new_key(upload))
        except ObjectMissing:
            return upload
        await self._check_size(upload, key)  # it may have been written again meanwhile
        failpoints.hit(SEGMENT_STORED)
        moved = await self._move(upload, [Part(key, upload.length)], drop=[key])
        await self._drop((direct, *(part.key for part in upload.parts)))
        return moved

    async def _check_size(self, upload: Upload, key: str) -> None:
        """Raises InvalidRequest, and deletes the object, when it has another size; ObjectMissing when there is none."""
        if (await self._store.head(key)).bytes != upload.length:
            await self._store.delete(key)
            raise _wrong_size(upload.length)

    # --- below the surface ---------------------------------------------------------------------------------------

    async def _prune_unfinished(self, batch: int) -> int:
        async with self._database.read() as session:
            now = await self._database.now(session)
            due = (
                select(UploadRow)
                .where(UploadRow.artifact_id.is_(None), UploadRow.expires_at < now)
                .order_by(UploadRow.expires_at)
                .limit(batch)
            )
            uploads = [upload_of(row) for row in (await session.scalars(due)).all()]
        for upload in uploads:
            if upload.state is UploadState.RECEIVING:
                await self._abandon(upload)
            else:
                await self._forget(upload)
        return len(uploads)

    async def _prune_erased(self, batch: int) -> int:
        """An artifact's erasing deletes the objects that it knows; here go those that a killed request left beside."""
        async with self._database.read() as session:
            due = (
                select(UploadRow.id, ArtifactRow.id)
                .join(ArtifactRow, ArtifactRow.id == UploadRow.artifact_id)
                .where(ArtifactRow.erased_at.is_not(None), cast(UploadRow.parts, Text) != "[]")
                .limit(batch)
            )
            found = [(upload_id, artifact_id) for upload_id, artifact_id in await session.execute(due)]
        for upload_id, artifact_id in found:
            await self._empty_folder(upload_id, keep=await self._artifacts.keys_in_use(artifact_id))
            async with self._database.write() as session:
                await session.execute(update(UploadRow).where(UploadRow.id == upload_id).values(parts=[]))
        return len(found)

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

    async def _append_kept(self, caller: Caller, upload: Upload, chunks: AsyncIterator[bytes]) -> Upload:
        segments = _Segments(chunks, limit=upload.length - upload.received)
        while await segments.more():
            stored = await self._put(upload, segments.next(self._segment_bytes))
            failpoints.hit(SEGMENT_STORED)
            upload = await self._move(upload, [*upload.parts, Part(stored.key, stored.bytes)], drop=[stored.key])
        return await self._completed_if_whole(caller, upload)

    async def _append_checked(
        self,
        caller: Caller,
        upload: Upload,
        chunks: AsyncIterator[bytes],
        checksum: Checksum,
        cut_short: Callable[[], bool],
    ) -> Upload:
        digest = hashlib.new(checksum.algorithm, usedforsecurity=False)
        segments = _Segments(chunks, limit=upload.length - upload.received, seen=digest.update)
        stored: list[StoredObject] = []
        try:
            while await segments.more():
                stored.append(await self._put(upload, segments.next(self._segment_bytes)))
            if cut_short():
                raise InvalidRequest("The body ended too early, so its checksum cannot be compared.")
            if digest.digest() != checksum.digest:
                raise ChecksumMismatch("The bytes do not match `Upload-Checksum`; send them again.")
        except BaseException:
            await to_its_end(self._drop(item.key for item in stored))
            raise
        parts = [*upload.parts, *(Part(item.key, item.bytes) for item in stored)]
        return await self._completed_if_whole(
            caller, await self._move(upload, parts, drop=[item.key for item in stored])
        )

    async def _completed_if_whole(self, caller: Caller, upload: Upload) -> Upload:
        if upload.received < upload.length:
            return upload
        return (await self._finish(caller, upload)).upload

    async def _put(
        self,
        upload: Upload,
        chunks: AsyncIterator[bytes],
        *,
        limit: int | None = None,
        refusal: Exception | None = None,
    ) -> StoredObject:
        try:
            return await self._store.put(_new_key(upload), chunks, max_bytes=limit, owner=upload.tenant)
        except TooManyBytes as error:
            raise refusal or error from None

    async def _move(self, upload: Upload, parts: Sequence[Part], *, drop: Sequence[str] = ()) -> Upload:
        """Set the parts, if nobody else changed the upload meanwhile; else drop what was stored, and raise Conflict."""
        grown = replace(upload, parts=tuple(parts), received=sum(part.bytes for part in parts))
        async with self._database.write() as session:
            moved = await self._update(session, grown)
        if moved is None:
            await self._drop(drop)
            raise Conflict("Another request is writing to this upload; ask where it stands and go on from there.")
        return moved

    async def _update(self, session: WriteSession, upload: Upload, **more: Any) -> Upload | None:
        """The guarded change to what it holds now: only of an upload that is receiving, and was not changed since."""
        done = await session.execute(
            update(UploadRow)
            .where(
                UploadRow.id == upload.id,
                UploadRow.revision == upload.revision,
                UploadRow.state == UploadState.RECEIVING,
            )
            .values(
                parts=as_json(upload.parts),
                received=upload.received,
                length=upload.length,
                revision=upload.revision + 1,
                **more,
            )
            .returning(UploadRow.id)
        )
        if done.first() is None:
            return None
        return replace(upload, revision=upload.revision + 1, **more)

    async def _finish(
        self, caller: Caller, upload: Upload, *, known_sha256: str | None = None, said_sha256: str | None = None
    ) -> Completed:
        """Look at the bytes, then make the artifact and complete the upload in one commit."""
        sha256, recognition = await self._examine(upload, known_sha256)
        _compare(sha256, said_sha256)
        _compare(sha256, upload.expected_sha256)
        failpoints.hit(BEFORE_COMPLETE)
        async with self._database.write() as session:
            now = await self._database.now(session)
            artifact = Artifact(
                id=self._artifacts.new_id(),
                tenant=upload.tenant,
                filename=upload.filename,
                media_type=recognition.media_type,
                format=recognition.format,
                bytes=upload.received,
                sha256=sha256,
                parts=upload.parts,
                created_at=now,
                expires_at=now + timedelta(seconds=caller.tier.retention_seconds),
            )
            done = await self._update(session, upload, state=UploadState.COMPLETE, artifact_id=artifact.id)
            if done is None:
                raise Conflict("Another request is completing this upload.")
            artifact = await self._artifacts.share(session, artifact)
        if artifact.parts != upload.parts:
            await self._drop_copy(upload, artifact)
        return Completed(done, artifact)

    async def _drop_copy(self, upload: Upload, shared: Artifact) -> None:
        """The tenant had these bytes already. What a crash leaves here goes when the upload's artifact does."""
        failpoints.hit(SHARED)
        try:
            if await self._artifacts.kept_for_all(shared, upload.parts):
                await self._drop(part.key for part in upload.parts)
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

    async def _abandon(self, upload: Upload) -> None:
        """End an upload that never became an artifact."""
        async with self._database.write() as session:
            done = await session.execute(
                update(UploadRow)
                .where(UploadRow.id == upload.id, UploadRow.state == UploadState.RECEIVING)
                .values(state=UploadState.TERMINATED, revision=UploadRow.revision + 1)
                .returning(UploadRow.id)
            )
            ended = done.first() is not None
        if ended:
            await self._forget(upload)

    async def _forget(self, upload: Upload) -> None:
        """Delete the objects, then the row: killed in between, the pruner comes here again."""
        await self._empty_folder(upload.id)
        async with self._database.write() as session:
            row = await session.get(UploadRow, upload.id)
            if row is not None and row.artifact_id is None:
                await session.delete(row)

    async def _empty_folder(self, upload_id: str, keep: Container[str] = ()) -> None:
        async for item in self._store.list(f"uploads/{upload_id}"):
            if item.key not in keep:
                await self._store.delete(item.key)

    async def _drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            await self._store.delete(key)


class _Segments:
    """A stream of bytes cut into runs of a given size. Raises InvalidRequest past `limit` bytes."""

    def __init__(
        self, chunks: AsyncIterator[bytes], *, limit: int, seen: Callable[[bytes], object] = lambda _: None
    ) -> None:
        self._chunks = chunks
        self._left = limit
        self._seen = seen
        self._rest = b""

    async def more(self) -> bool:
        """Whether there is another byte."""
        while not self._rest:
            piece = await anext(self._chunks, None)
            if piece is None:
                return False
            if len(piece) > self._left:
                raise TooLarge("More bytes came than the upload was announced with.")
            self._left -= len(piece)
            self._seen(piece)
            self._rest = piece
        return True

    async def next(self, size: int) -> AsyncIterator[bytes]:
        """The next run, at most `size` bytes."""
        while size > 0 and await self.more():
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            yield piece


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


def _new_key(upload: Upload) -> str:
    return f"uploads/{upload.id}/{upload.received:012d}-{secrets.token_hex(8)}"


def _direct_key(upload_id: str) -> str:
    """The one key of an upload that somebody else may write to."""
    return f"uploads/{upload_id}/direct"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(sha256: str, said: str | None) -> None:
    if said is not None and said.lower() != sha256:
        raise InvalidRequest(
            "The stored bytes have another SHA-256 than you said; upload the file again.",
            errors=(FieldError("/sha256", "not the digest of the bytes that arrived"),),
        )


def _too_large(caller: Caller) -> TooLarge:
    return TooLarge(f"The file is larger than the {caller.tier.max_input_bytes} bytes that are allowed.")


def _wrong_size(length: int) -> InvalidRequest:
    return InvalidRequest(f"The upload was announced with {length} bytes; send exactly as many.")
