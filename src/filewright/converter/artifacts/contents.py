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
from typing import Any, cast

from sqlalchemy import Select, String, Table, delete, insert, select, update

from filewright.chassis.db.database import ReadSession, WriteSession
from filewright.chassis.db.hot import Chain, Look, Speech, Unit, given, make
from filewright.converter.artifacts.models import (
    PLAIN,
    Artifact,
    ArtifactRow,
    FileHashRow,
    Part,
    artifact_of,
    as_json,
    parts_of,
)

_ARTIFACTS, _CONTENTS = cast("Table", ArtifactRow.__table__), cast("Table", FileHashRow.__table__)


def _held(speech: Speech) -> Select[Any]:
    held = select(_ARTIFACTS).where(speech.among(_ARTIFACTS.c.id, "held"), _ARTIFACTS.c.erased_at.is_(None))
    return held.order_by(_ARTIFACTS.c.id).with_for_update()


def _count(speech: Speech) -> Any:
    row = speech.insert(_CONTENTS).values(
        {column.key: given(f"its_{column.key}", column.type) for column in _CONTENTS.c}
    )
    counted = row.on_conflict_do_update(index_elements=["tenant", "sha256"], set_={"uses": _CONTENTS.c.uses + 1})
    return counted.returning(_CONTENTS.c.parts)


def _share(_speech: Speech) -> Any:
    this = _ARTIFACTS.c.id == given("of_artifact", String())
    return update(_ARTIFACTS).where(this).values(shared=True).returning(_ARTIFACTS.c.id)


def _add(_speech: Speech) -> Any:
    values = {column.key: given(f"new_{column.key}", column.type) for column in _ARTIFACTS.c}
    return insert(_ARTIFACTS).values(values).returning(_ARTIFACTS.c.id)


_HELD = Look(_held)
_ADD = Chain(_add)
_COUNT = Chain(_count)
"""A content, or one more user of it: of several that do this at once, one inserts and each of the others counts."""
_SHARE = Chain(_share)


def add(artifact: Artifact) -> Unit[Artifact]:
    """Make the artifact known, consisting of the objects that hold this content already; of its own when they are the
    first.
    """
    shared = yield from _counted(artifact, users=1)
    values = {f"new_{name}": getattr(shared, name) for name in PLAIN}
    yield from make(_ADD, **values, new_parts=as_json(shared.parts))
    return shared


async def join(session: WriteSession, artifact_ids: Sequence[str]) -> Mapping[str, Artifact] | None:
    """One more user of the content of each of these artifacts, which one may not have been shared so far: by its id
    what the new one is to consist of. None, and nothing is counted, when one of them is erased.

    Artifacts are held first, then contents, each in their order, as in `let_go`.
    """
    rows = await session.ask(_HELD, held=list(artifact_ids))
    if len(rows) < len(artifact_ids):
        return None
    joined: dict[str, Artifact] = {}
    for known in sorted(map(artifact_of, rows), key=lambda known: (known.sha256, known.id)):
        shared = await session.carry(_counted(known, users=2))  # this one, if nobody was counted, and the new one
        if not known.shared and shared.parts == known.parts:
            await session.make(_SHARE, of_artifact=known.id)
        joined[known.id] = shared
    return joined


def _counted(artifact: Artifact, *, users: int) -> Unit[Artifact]:
    """The artifact, consisting of what its content does, which has one user more; `users` if nobody was counted yet."""
    row = yield from make(
        _COUNT,
        **{f"its_{name}": getattr(artifact, name) for name in ("tenant", "sha256", "bytes", "created_at")},
        its_parts=as_json(artifact.parts),
        its_uses=users,
    )
    return replace(artifact, parts=parts_of(row.parts), shared=True)


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
