"""What one tenant uploads twice is stored once: count who uses a content, and let its objects go with the last of them.

Every change of the count is one statement in the unit of work that makes or ends an artifact, so the count is right
whatever is killed when. Whoever completes an upload takes part in the content first and drops its own copy afterwards;
whoever erases lets go first and deletes afterwards, and only when nobody is left. A content that is begun anew in
between has objects of its own.

Bytes always arrive before their digest is believed, and no tenant ever meets another's: nobody learns here what others
have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from sqlalchemy import delete, select, update

from filewright.chassis.db.database import ReadSession, WriteSession
from filewright.chassis.db.dialect import insert_or_count
from filewright.converter.artifacts.models import (
    Artifact,
    ArtifactRow,
    FileHashRow,
    Part,
    artifact_of,
    as_json,
    parts_of,
)


async def take_part(session: WriteSession, artifact: Artifact) -> Artifact:
    """The artifact, consisting of the objects that hold this content already; of its own when they are the first."""
    row = await insert_or_count(
        session,
        FileHashRow,
        {
            "tenant": artifact.tenant,
            "sha256": artifact.sha256,
            "parts": as_json(artifact.parts),
            "bytes": artifact.bytes,
            "uses": 1,
            "created_at": artifact.created_at,
        },
        counter="uses",
    )
    return replace(artifact, parts=parts_of(row["parts"]), shared=True)


async def join(session: WriteSession, artifact_ids: Sequence[str]) -> Mapping[str, Artifact] | None:
    """One more user of the content of each of these artifacts, which one may not have been shared so far: by its id
    what the new one is to consist of. None, and nothing is counted, when one of them is erased.

    Artifacts are held first, then contents, each in their order, as in `let_go`.
    """
    held = select(ArtifactRow).where(ArtifactRow.id.in_(artifact_ids), ArtifactRow.erased_at.is_(None))
    held = held.order_by(ArtifactRow.id).with_for_update().execution_options(populate_existing=True)
    rows = (await session.scalars(held)).all()
    if len(rows) < len(artifact_ids):
        return None
    joined: dict[str, Artifact] = {}
    for row in sorted(rows, key=lambda row: (row.sha256, row.id)):
        shared = await _one_more(session, row)
        if not row.shared and shared.parts == parts_of(row.parts):
            row.shared = True
        joined[row.id] = shared
    await session.flush()
    return joined


async def _one_more(session: WriteSession, row: ArtifactRow) -> Artifact:
    """A content that nobody shared so far has two users from now on: the artifact, and the new one."""
    counted = await insert_or_count(
        session,
        FileHashRow,
        {
            "tenant": row.tenant,
            "sha256": row.sha256,
            "parts": row.parts,
            "bytes": row.bytes,
            "uses": 2,
            "created_at": row.created_at,
        },
        counter="uses",
    )
    return replace(artifact_of(row), parts=parts_of(counted["parts"]), shared=True)


async def let_go(session: WriteSession, artifact_ids: Iterable[str], now: datetime) -> None:
    """Mark these artifacts as erased. Of a content, the objects stay with the last artifact that consists of them, for
    whoever deletes them next; an artifact whose objects others need forgets them.
    """
    statement = (
        update(ArtifactRow)
        .where(ArtifactRow.id.in_(list(artifact_ids)), ArtifactRow.erased_at.is_(None))
        .values(erased_at=now)
        .returning(ArtifactRow.tenant, ArtifactRow.sha256, ArtifactRow.id, ArtifactRow.shared)
        .execution_options(synchronize_session=False)
    )
    erased = sorted(tuple(row) for row in (await session.execute(statement)).all() if row.shared)
    # In their order, so that two that erase at once never wait for one another.
    for (tenant, sha256), group in groupby(erased, key=lambda row: (row[0], row[1])):
        ids = [row[2] for row in group]
        last = await _count_down(session, tenant, sha256, len(ids))
        forgetting = ids[1:] if last else ids
        await session.execute(
            update(ArtifactRow)
            .where(ArtifactRow.id.in_(forgetting))
            .values(parts=[])
            .execution_options(synchronize_session=False)
        )


async def keys_in_use(session: ReadSession, tenant: str, sha256: str) -> set[str]:
    """The objects that this content consists of, as long as it has a user."""
    statement = select(FileHashRow.parts).where(FileHashRow.tenant == tenant, FileHashRow.sha256 == sha256)
    parts = (await session.scalars(statement)).one_or_none()
    return {part["key"] for part in parts or ()}


async def move(session: WriteSession, artifact: Artifact, parts: Sequence[Part]) -> bool:
    """Let the content of this artifact consist of other objects, unless somebody moved it meanwhile."""
    statement = select(FileHashRow).where(FileHashRow.tenant == artifact.tenant, FileHashRow.sha256 == artifact.sha256)
    row = (await session.scalars(statement.with_for_update())).one_or_none()
    if row is None or parts_of(row.parts) != artifact.parts:
        return False
    row.parts = as_json(parts)
    await session.execute(
        update(ArtifactRow)
        .where(
            ArtifactRow.tenant == artifact.tenant,
            ArtifactRow.sha256 == artifact.sha256,
            ArtifactRow.shared,
            ArtifactRow.erased_at.is_(None),
        )
        .values(parts=as_json(parts))
        .execution_options(synchronize_session=False)
    )
    return True


async def _count_down(session: WriteSession, tenant: str, sha256: str, by: int) -> bool:
    """Whether nobody is left."""
    this = (FileHashRow.tenant == tenant, FileHashRow.sha256 == sha256)
    counted = await session.scalars(
        update(FileHashRow)
        .where(*this)
        .values(uses=FileHashRow.uses - by)
        .returning(FileHashRow.uses)
        .execution_options(synchronize_session=False)
    )
    if counted.one() > 0:
        return False
    await session.execute(delete(FileHashRow).where(*this).execution_options(synchronize_session=False))
    return True
