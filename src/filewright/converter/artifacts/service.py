"""The bytes of artifacts: read them, bring them to a path, store them, and make them be gone.

Rows are written in the unit of work of whoever calls; bytes are moved outside of any. Erasing marks the row first
(from then on nobody may read), deletes the objects after, and forgets their keys last: killed in between, the pruner
finishes it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Text, cast, select, update

from filewright.chassis import failpoints
from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.db.hot import Unit
from filewright.chassis.ids import IdSource
from filewright.chassis.storage.files import write_new_file
from filewright.chassis.storage.port import (
    ObjectDamaged,
    ObjectMissing,
    ObjectStore,
    SignedRequest,
    StoreUnavailable,
)
from filewright.chassis.storage.threads import begun_in_thread
from filewright.chassis.tasks import to_its_end
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.artifacts import contents
from filewright.converter.artifacts.models import ARTIFACT_PREFIX, Artifact, ArtifactRow, Part, artifact_of
from filewright.converter.errors import Expired

log = get_logger(__name__)

READ_BYTES = 1 << 20
READ_WHOLE_BYTES = 16 << 20
"""What is longer is not read to its end only to see whether it is sound; whoever reads it sees that."""
_HASHED_AT_ONCE = 64 << 10
"""To hash so many bytes takes no longer than to ask a thread to do it."""
ERASE_MARKED = failpoints.declare("artifacts.erase.marked", "an artifact is marked as erased and its objects are there")


class Artifacts:
    """All stored files."""

    def __init__(self, database: Database, store: ObjectStore, ids: IdSource) -> None:
        self._database = database
        self._store = store
        self._ids = ids

    # --- bytes ---------------------------------------------------------------------------------------------------

    async def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to but not including `end`. Raises Expired when they are gone.

        Who reads all of them gets the last of them only when the digest is right: StoreUnavailable otherwise.
        """
        stop = artifact.bytes if end is None else min(end, artifact.bytes)
        chunks = self._run_of(artifact, start, stop)
        async for chunk in self._proven(artifact, chunks) if stop - start == artifact.bytes else chunks:
            yield chunk

    def link(self, artifact: Artifact, *, at: datetime, disposition: str) -> SignedRequest | None:
        """How to read the bytes straight from the store; None when they have to come through here."""
        if len(artifact.parts) != 1:
            return None
        key = artifact.parts[0].key
        return self._store.sign_get(key, at=at, media_type=artifact.media_type, disposition=disposition)

    async def _proven(self, artifact: Artifact, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same, held back by one chunk, so that nobody gets all of a file that is not the one that was stored."""
        sha256, held = hashlib.sha256(), b""
        async for chunk in chunks:
            hashing = begun_in_thread(sha256.update, chunk) if len(chunk) > _HASHED_AT_ONCE else None
            if hashing is None:
                sha256.update(chunk)
            if held:
                yield held
            if hashing is not None:
                await to_its_end(hashing)
            held = chunk
        if sha256.hexdigest() != artifact.sha256:
            log.error("stored_bytes_differ", artifact_id=artifact.id)
            raise StoreUnavailable
        if held:
            yield held

    async def _run_of(self, artifact: Artifact, start: int, stop: int) -> AsyncIterator[bytes]:
        before = 0
        for part in artifact.parts:
            first, last = max(start - before, 0), min(stop - before, part.bytes)
            before += part.bytes
            if first < last:
                async for chunk in self._chunks(part.key, first, last):
                    yield chunk
        if before < artifact.bytes:
            raise Expired

    async def fetch(self, artifact: Artifact, path: Path) -> None:
        """Write all bytes to a new file. Raises ObjectDamaged when they are not those that were stored, or Expired."""
        if len(artifact.parts) == 1:
            await self._fetch_whole(artifact, path)
            return
        digest = await self.gather(artifact.parts, path)
        if digest != artifact.sha256:
            await asyncio.to_thread(path.unlink)
            raise ObjectDamaged(artifact.id)

    async def gather(self, parts: Sequence[Part], path: Path) -> str:
        """Write the parts, one after the other, to a new file; the digest of it all, in hex."""
        sha256 = hashlib.sha256()

        async def chunks() -> AsyncIterator[bytes]:
            for part in parts:
                async for chunk in self._chunks(part.key, 0, None):
                    sha256.update(chunk)
                    yield chunk

        await write_new_file(path, chunks(), sha256=None)
        return sha256.hexdigest()

    def local_path(self, parts: Sequence[Part]) -> Path | None:
        """Where the bytes are, when they are one plain file of this machine. For reading only."""
        return self._store.local_path(parts[0].key) if len(parts) == 1 else None

    # --- rows ----------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        return self._ids.new(ARTIFACT_PREFIX)

    def share(self, artifact: Artifact) -> Unit[Artifact]:
        """Make the artifact known, in the caller's unit of work; its objects are stored. It consists of what the tenant
        has of this content already: see whether `parts` are the given ones.

        Those that are not needed any more are the caller's to delete, after the commit and by `kept_for_all`.
        """
        return contents.add(artifact)

    async def kept_for_all(self, shared: Artifact, own: Sequence[Part]) -> bool:
        """After `share` was committed: whether the objects it found are whole, so that `own` may go.

        If not, all that consist of them get `own` in their place.
        """
        if await self.is_whole(shared.parts):
            return True
        async with self._database.write() as session:
            moved = await contents.move(session, shared, own)
        log.error("shared_bytes_lost", artifact_id=shared.id, replaced=moved)
        return not moved

    async def join(self, session: WriteSession, artifact_ids: Sequence[str]) -> Mapping[str, Artifact] | None:
        """One more of each of these, in the caller's unit of work: what it consists of, for it to be added as shared.

        None, and nothing is counted, when one of them is erased.
        """
        return await contents.join(session, artifact_ids)

    async def is_sound(self, artifact: Artifact) -> bool:
        """Whether its objects are there and, of what is not long, whether they hold what was stored."""
        if artifact.erased or not artifact.parts:
            return False
        try:
            if artifact.bytes > READ_WHOLE_BYTES:
                return await self.is_whole(artifact.parts)
            async for _ in self.read(artifact):
                pass
        except (Expired, StoreUnavailable, ObjectDamaged):
            return False
        return True

    async def keys_in_use(self, artifact_id: str) -> set[str]:
        """The objects of an erased artifact's content that others consist of still."""
        async with self._database.read() as session:
            row = await session.get(ArtifactRow, artifact_id)
            return set() if row is None else await contents.keys_in_use(session, row.tenant, row.sha256)

    async def get(self, session: ReadSession, tenant: str, artifact_id: str) -> Artifact | None:
        """The artifact, when it is this tenant's."""
        row = await session.get(ArtifactRow, artifact_id)
        return artifact_of(row) if row is not None and row.tenant == tenant else None

    async def keep_until(self, session: WriteSession, artifact_ids: Iterable[str], moment: datetime) -> None:
        """Keep these at least until then."""
        await session.execute(
            update(ArtifactRow)
            .where(ArtifactRow.id.in_(list(artifact_ids)), ArtifactRow.expires_at < moment)
            .values(expires_at=moment)
        )

    # --- the end -------------------------------------------------------------------------------------------------

    async def erase(self, artifact_ids: Sequence[str]) -> int:
        """Make these unreadable now and delete their objects; how many were there. Doing it twice does no harm."""
        async with self._database.write() as session:
            await self.mark_erased(session, artifact_ids)
        failpoints.hit(ERASE_MARKED)
        return await self._empty(artifact_ids)

    async def mark_erased(self, session: WriteSession, artifact_ids: Sequence[str]) -> None:
        """The first half of `erase`, in the caller's unit of work: nobody can read them any more."""
        await contents.let_go(session, artifact_ids, await self._database.now(session))

    async def prune_once(self, batch: int = 100) -> int:
        """Erase what is past its time, and finish what was begun; how many."""
        async with self._database.write() as session:
            now = await self._database.now(session)
            due = select(ArtifactRow.id).where(ArtifactRow.expires_at < now, ArtifactRow.erased_at.is_(None))
            await self.mark_erased(session, (await session.scalars(due.limit(batch))).all())
            begun = select(ArtifactRow.id).where(
                ArtifactRow.erased_at.is_not(None), cast(ArtifactRow.parts, Text) != "[]"
            )
            unfinished = (await session.scalars(begun.limit(batch))).all()
        return await self._empty(unfinished) if unfinished else 0

    async def _empty(self, artifact_ids: Sequence[str]) -> int:
        async with self._database.read() as session:
            rows = (await session.scalars(select(ArtifactRow).where(ArtifactRow.id.in_(list(artifact_ids))))).all()
            artifacts = [artifact_of(row) for row in rows if row.erased_at is not None]
        for artifact in artifacts:
            for part in artifact.parts:
                await self._store.delete(part.key)
        async with self._database.write() as session:
            emptied = [artifact.id for artifact in artifacts]
            await session.execute(update(ArtifactRow).where(ArtifactRow.id.in_(emptied)).values(parts=[]))
        return len(artifacts)

    async def is_whole(self, parts: Sequence[Part]) -> bool:
        """Whether these objects are there, each as long as it should be."""
        for part in parts:
            try:
                if (await self._store.head(part.key)).bytes != part.bytes:
                    return False
            except ObjectMissing:
                return False
        return True

    async def _chunks(self, key: str, start: int, end: int | None) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._store.get(key, start, end):
                yield chunk
        except ObjectMissing:
            log.info("artifact_gone_while_read")
            raise Expired from None

    async def _fetch_whole(self, artifact: Artifact, path: Path) -> None:
        try:
            await self._store.fetch(artifact.parts[0].key, path, sha256=artifact.sha256)
        except ObjectMissing:
            raise Expired from None
