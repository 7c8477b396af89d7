"""Find objects that no row knows of any more, and delete them: the last net below the pruner.

The pruner starts from rows, and every object has one that names its folder before it is written. What can still be
left over is what was written *after* its row was done with: by a worker that was frozen for hours, or by a client that
used the address of an upload again. So this loop walks through the store itself, slowly, and asks the rows.

Only what is old, lies where uploads and results lie, belongs to nothing that is still going on, and is named by no
artifact at all is deleted. An object is never given a new row when it is old, so between looking and deleting nothing
can change. Where rows still exist that say "look here", the pruner will: those are left to it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Text, cast, or_, select

from filewright.chassis.db.database import Database, ReadSession
from filewright.chassis.storage.port import ObjectInfo, ObjectStore
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import AttemptRow, JobOutputRow
from filewright.converter.uploads.models import UploadRow

log = get_logger(__name__)

BATCH = 1_000
_ASKED_AT_ONCE = 50
_UPLOADED = re.compile(r"uploads/(upl_[0-9a-z]{26})/[^/]+")
_MADE = re.compile(r"results/(job_[0-9a-z]{26})/([0-9]{1,9})/[^/]+")


@dataclass(frozen=True)
class _Found:
    """An object, and whose it would be: an upload's, or a job's n-th attempt's."""

    key: str
    upload: str | None = None
    job: str | None = None
    attempt: int = 0


class OrphanCollector:
    """Run `run_once` again and again: each looks at the next `batch` objects; after the last it begins anew.

    `grace` is how old an object must be by the store's clock: longer than any upload or job may take, and than any two
    clocks may differ. Several collectors do no harm to one another.
    """

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        metrics: Metrics,
        *,
        grace: timedelta = timedelta(days=3),
        batch: int = BATCH,
    ) -> None:
        self._database = database
        self._store = store
        self._grace = grace
        self._batch = batch
        self._walk: AsyncIterator[ObjectInfo] | None = None
        self._deleted = metrics.counter("orphans_deleted", "Objects that no row knew of.")

    async def run_once(self) -> int:
        """One step of the walk; how many objects were looked at, less than `batch` at the walk's end."""
        try:
            seen = await self._next_objects()
        except BaseException:
            self._walk = None  # from the beginning: where it broke off is nowhere
            raise
        orphans = await self._orphans_among(seen)
        for key in orphans:
            await self._store.delete(key)
            self._deleted.inc()
        if orphans:
            log.warning("orphans_deleted", objects=len(orphans), example=orphans[0])
        return len(seen)

    async def _next_objects(self) -> list[ObjectInfo]:
        if self._walk is None:
            self._walk = _all_of(self._store)
        seen: list[ObjectInfo] = []
        async for item in self._walk:
            seen.append(item)
            if len(seen) == self._batch:
                return seen
        self._walk = None
        return seen

    async def _orphans_among(self, seen: Sequence[ObjectInfo]) -> list[str]:
        async with self._database.read() as session:
            before = await self._database.now(session) - self._grace
            found = [owned for item in seen if item.modified_at < before and (owned := _owner(item.key))]
            if not found:
                return []
            suspects = await _belonging_to_nothing_at_work(session, found)
            suspects = await _not_among_their_owners_files(session, suspects)
            return await _named_by_no_artifact(session, [item.key for item in suspects])


async def _all_of(store: ObjectStore) -> AsyncIterator[ObjectInfo]:
    for folder in ("uploads", "results"):
        async for item in store.list(folder):
            yield item


def _owner(key: str) -> _Found | None:
    """None for what is none of ours, and so is nobody's to delete."""
    if match := _UPLOADED.fullmatch(key):
        return _Found(key, upload=match[1])
    if match := _MADE.fullmatch(key):
        return _Found(key, job=match[1], attempt=int(match[2]))
    return None


async def _belonging_to_nothing_at_work(session: ReadSession, found: Sequence[_Found]) -> list[_Found]:
    """Without those of uploads that are no artifact yet, and of attempts that run or that the pruner has to empty."""
    uploads = {item.upload for item in found if item.upload}
    jobs = {item.job for item in found if item.job}
    open_uploads = select(UploadRow.id).where(UploadRow.id.in_(uploads), UploadRow.artifact_id.is_(None))
    receiving = set((await session.scalars(open_uploads)).all())
    unswept = select(AttemptRow.job_id, AttemptRow.number).where(
        AttemptRow.job_id.in_(jobs), AttemptRow.swept.is_(False)
    )
    working = {(job, number) for job, number in (await session.execute(unswept)).all()}
    return [item for item in found if item.upload not in receiving and (item.job, item.attempt) not in working]


async def _not_among_their_owners_files(session: ReadSession, found: Sequence[_Found]) -> list[_Found]:
    """Without those that their own upload's or job's files consist of: nearly all, found by primary keys."""
    uploads = {item.upload for item in found if item.upload}
    jobs = {item.job for item in found if item.job}
    received = select(UploadRow.artifact_id).where(UploadRow.id.in_(uploads))
    made = select(JobOutputRow.artifact_id).where(JobOutputRow.job_id.in_(jobs))
    rows = await session.scalars(
        select(ArtifactRow.parts).where(or_(ArtifactRow.id.in_(received), ArtifactRow.id.in_(made)))
    )
    named = _keys_in(rows.all())
    return [item for item in found if item.key not in named]


async def _named_by_no_artifact(session: ReadSession, keys: Sequence[str]) -> list[str]:
    """Without those that any artifact consists of. A search through all of them, for the few that are left."""
    named: set[str] = set()
    text = cast(ArtifactRow.parts, Text)
    for at in range(0, len(keys), _ASKED_AT_ONCE):
        mentions = or_(*(text.contains(key, autoescape=True) for key in keys[at : at + _ASKED_AT_ONCE]))
        named |= _keys_in((await session.scalars(select(ArtifactRow.parts).where(mentions))).all())
    return [key for key in keys if key not in named]


def _keys_in(rows: Iterable[list[dict[str, Any]]]) -> set[str]:
    return {part["key"] for parts in rows for part in parts}
