"""Bytes on their way into the store, and the row that says which of them are there.

Each change names the revision that it saw, so of two requests that write at once one is refused and nothing is mixed.
Where the store can sign, a client may send its bytes straight there (`direct`). Whoever holds that address may write
there again, so completing takes a copy first, under a key that nobody has an address of, and looks only at that.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from filewright.chassis import failpoints
from filewright.chassis.db.database import Database
from filewright.chassis.db.hot import Unit, make
from filewright.chassis.storage.port import ObjectMissing, ObjectStore, SignedRequest, StoredObject, TooManyBytes
from filewright.chassis.tasks import to_its_end
from filewright.chassis.web.problems import ChecksumMismatch, Conflict, InvalidRequest
from filewright.converter.artifacts.models import Part, as_json
from filewright.converter.uploads.models import Upload, UploadState
from filewright.converter.uploads.segments import Segments
from filewright.converter.uploads.statements import GO_ON

DIRECT_LIFETIME = timedelta(hours=1)
"""How long after an upload's announcement its bytes may begin to go straight to the store."""
SEGMENT_STORED = failpoints.declare(
    "uploads.segment.stored", "a segment's object is stored and the row does not say so"
)


@dataclass(frozen=True)
class Checksum:
    """What a client says the bytes of one request hash to."""

    algorithm: str
    digest: bytes


class Receiving:
    """Writes to uploads that are receiving, and to no others. A body is stored in runs of `segment_bytes`."""

    def __init__(self, database: Database, store: ObjectStore, segment_bytes: int) -> None:
        self._database = database
        self._store = store
        self._segment_bytes = segment_bytes

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

    async def append(self, upload: Upload, chunks: AsyncIterator[bytes]) -> Upload:
        """Whatever arrives is kept, also when the body breaks off."""
        segments = Segments(chunks, limit=upload.length - upload.received)
        while await segments.more():
            stored = await self.put(upload, segments.next(self._segment_bytes))
            failpoints.hit(SEGMENT_STORED)
            upload = await self.move(upload, [*upload.parts, Part(stored.key, stored.bytes)], drop=[stored.key])
        return upload

    async def append_checked(
        self,
        upload: Upload,
        chunks: AsyncIterator[bytes],
        checksum: Checksum,
        cut_short: Callable[[], bool],
    ) -> Upload:
        """All of these bytes are kept or none. Raises InvalidRequest, ChecksumMismatch."""
        digest = hashlib.new(checksum.algorithm, usedforsecurity=False)
        segments = Segments(chunks, limit=upload.length - upload.received, seen=digest.update)
        stored: list[StoredObject] = []
        try:
            while await segments.more():
                stored.append(await self.put(upload, segments.next(self._segment_bytes)))
            if cut_short():
                raise InvalidRequest("The body ended too early, so its checksum cannot be compared.")
            if digest.digest() != checksum.digest:
                raise ChecksumMismatch("The bytes do not match `Upload-Checksum`; send them again.")
        except BaseException:
            await to_its_end(self.drop(item.key for item in stored))
            raise
        parts = [*upload.parts, *(Part(item.key, item.bytes) for item in stored)]
        return await self.move(upload, parts, drop=[item.key for item in stored])

    async def replace(
        self, upload: Upload, chunks: AsyncIterator[bytes], look_again: Callable[[], Awaitable[Upload]]
    ) -> Upload:
        """The whole file in one body, instead of whatever came before. Raises InvalidRequest for a wrong size.

        A client that got no answer repeats its request, and the first may still run: whichever is late finds the same
        bytes there, and leaves them. `look_again` tells the upload as it is by then.
        """
        stored = await self.put(upload, chunks, limit=upload.length, refusal=_wrong_size(upload.length))
        if stored.bytes != upload.length:
            await self._store.delete(stored.key)
            raise _wrong_size(upload.length)
        try:
            moved = await self.move(upload, [Part(stored.key, stored.bytes)], drop=[stored.key])
        except Conflict:
            found = await look_again()
            if not await self._holds(found, stored):
                raise
            return found
        await self.drop(part.key for part in upload.parts)
        return moved

    async def _holds(self, upload: Upload, whole: StoredObject) -> bool:
        """Whether it has these bytes, from one request."""
        if upload.state is not UploadState.RECEIVING or len(upload.parts) != 1 or upload.received != whole.bytes:
            return False
        digest = hashlib.sha256()
        try:
            async for block in self._store.get(upload.parts[0].key):
                digest.update(block)
        except ObjectMissing:
            return False
        return digest.hexdigest() == whole.sha256

    async def take_direct(self, upload: Upload) -> Upload:
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
        moved = await self.move(upload, [Part(key, upload.length)], drop=[key])
        await self.drop((direct, *(part.key for part in upload.parts)))
        return moved

    async def _check_size(self, upload: Upload, key: str) -> None:
        """Raises InvalidRequest, and deletes the object, when it has another size; ObjectMissing when there is none."""
        if (await self._store.head(key)).bytes != upload.length:
            await self._store.delete(key)
            raise _wrong_size(upload.length)

    async def put(
        self,
        upload: Upload,
        chunks: AsyncIterator[bytes],
        *,
        limit: int | None = None,
        refusal: Exception | None = None,
    ) -> StoredObject:
        """Store these bytes under a key of their own. Raises `refusal` for more than `limit`."""
        try:
            return await self._store.put(_new_key(upload), chunks, max_bytes=limit, owner=upload.tenant)
        except TooManyBytes as error:
            raise refusal or error from None

    async def move(self, upload: Upload, parts: Sequence[Part], *, drop: Sequence[str] = ()) -> Upload:
        """Set the parts, if nobody else changed the upload meanwhile; else drop what was stored, and raise Conflict."""
        grown = replace(upload, parts=tuple(parts), received=sum(part.bytes for part in parts))
        moved = await self._database.carry(lambda: self.update(grown))
        if moved is None:
            await self.drop(drop)
            raise Conflict("Another request is writing to this upload; ask where it stands and go on from there.")
        return moved[0]

    def update(self, upload: Upload, **more: Any) -> Unit[tuple[Upload, datetime] | None]:
        """The guarded change to what it holds now: only of an upload that is receiving, and was not changed since.
        As it is then, and when that was.
        """
        next_ = replace(upload, revision=upload.revision + 1, **more)
        done = yield from make(
            GO_ON,
            of_upload=upload.id,
            of_revision=upload.revision,
            its_parts=as_json(next_.parts),
            its_received=next_.received,
            its_length=next_.length,
            its_state=next_.state.value,
            its_artifact_id=next_.artifact_id,
        )
        return None if done is None else (next_, done.at)

    async def drop(self, keys: Iterable[str]) -> None:
        """Take these objects away."""
        for key in keys:
            await self._store.delete(key)


def _new_key(upload: Upload) -> str:
    return f"uploads/{upload.id}/{upload.received:012d}-{secrets.token_hex(8)}"


def _direct_key(upload_id: str) -> str:
    """The one key of an upload that somebody else may write to."""
    return f"uploads/{upload_id}/direct"


def _wrong_size(length: int) -> InvalidRequest:
    return InvalidRequest(f"The upload was announced with {length} bytes; send exactly as many.")
