"""Uploads that are taken away, by their owner or past their time: their objects, then their rows."""

from __future__ import annotations

from collections.abc import Container

from sqlalchemy import Text, cast, select, update

from filewright.chassis.db.database import Database
from filewright.chassis.storage.port import ObjectStore
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.uploads.models import Upload, UploadRow, UploadState, upload_of


class Ending:
    """Each step may be repeated; what a crash leaves half done, the pruner does again."""

    def __init__(self, database: Database, store: ObjectStore, artifacts: Artifacts) -> None:
        self._database = database
        self._store = store
        self._artifacts = artifacts

    async def abandon(self, upload: Upload) -> None:
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
            await self.forget(upload)

    async def forget(self, upload: Upload) -> None:
        """Delete the objects, then the row: killed in between, the pruner comes here again."""
        await self._empty_folder(upload.id)
        async with self._database.write() as session:
            row = await session.get(UploadRow, upload.id)
            if row is not None and row.artifact_id is None:
                await session.delete(row)

    async def prune_unfinished(self, batch: int) -> int:
        """Those past their time that never became an artifact; how many."""
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
                await self.abandon(upload)
            else:
                await self.forget(upload)
        return len(uploads)

    async def prune_erased(self, batch: int) -> int:
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

    async def _empty_folder(self, upload_id: str, keep: Container[str] = ()) -> None:
        async for item in self._store.list(f"uploads/{upload_id}"):
            if item.key not in keep:
                await self._store.delete(item.key)
