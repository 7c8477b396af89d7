"""Erase a tenant: its key first, then its files, then its rows, and a certificate when nothing is left.

    ordered ─▶ stop      its jobs lose their leases, its files can be read by nobody
            ─▶ shred     its key is destroyed: what was copied before stays closed for ever
            ─▶ delete    every object that a row names, or that lies where its rows say
            ─▶ forget    every row of every table that is not kept
            ─▶ prove     look for all of it once more; only then sign

Each step may be repeated, and the order is such that one that was cut short is found and finished: rows go last,
because they say where objects are. What a worker or an upload was storing in these seconds is dropped by it, since its
row is gone, or collected later as nobody's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, MetaData, Table, Update, delete, func, select, update

from filewright.chassis import failpoints
from filewright.chassis.audit import acts
from filewright.chassis.audit.log import SYSTEM, Audit
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.db.sessions import ReadSession, WriteSession
from filewright.chassis.ids import IdSource
from filewright.chassis.storage.encryption.tenants import TenantKeys, ref_of
from filewright.chassis.storage.port import ObjectStore, StoreUnavailable
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.artifacts.models import ArtifactRow, FileHashRow
from filewright.converter.jobs import repository, topics
from filewright.converter.jobs.models import JobRow
from filewright.converter.privacy.certificates import Signer
from filewright.converter.privacy.models import ERASURE_PREFIX, ErasureRow
from filewright.converter.privacy.records import RECORDS, TENANT, tables_of_tenants
from filewright.converter.uploads.models import UploadRow

SHREDDED = failpoints.declare("privacy.erase.shredded", "a tenant's key is destroyed and its files are there")
DELETED = failpoints.declare("privacy.erase.deleted", "a tenant's files are gone and its rows are there")
FORGOTTEN = failpoints.declare("privacy.erase.forgotten", "a tenant's rows are gone and nothing is signed")

ASKED = acts.declare("erasure.asked", "somebody asked that all that is kept of them be erased")
DONE = acts.declare("erasure.done", "an erasure was carried out: key, files and rows are gone")

TOPIC = "erasures"
_AT_ONCE = 32
_BATCH = 1000

log = get_logger(__name__)


Leaving = Callable[[WriteSession, str], Awaitable[object]]
"""What a feature does, in the unit of work that stops a tenant, when it leaves."""


@dataclass(frozen=True)
class Erasure:
    """An erasure as its tenant sees it."""

    id: str
    done: bool
    requested_at: datetime
    finished_at: datetime | None
    certificate: Mapping[str, Any] | None


class NotErased(Exception):
    """Something of the tenant is there still; the next run looks again."""


class Erasures:
    """Takes orders and carries them out. `metadata` is that of every table of the program."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        ids: IdSource,
        signer: Signer,
        notifier: Notifier,
        metadata: MetaData,
        *,
        audit: Audit,
        keys: TenantKeys | None = None,
        leaving: Sequence[Leaving] = (),
    ) -> None:
        self._database = database
        self._audit = audit
        self._store = store
        self._ids = ids
        self._signer = signer
        self._notifier = notifier
        self._tables = tables_of_tenants(metadata)
        self._keys = keys
        self._leaving = leaving

    # --- orders --------------------------------------------------------------------------------------------------

    async def order(self, tenant: str, *, actor: str | None = None) -> Erasure:
        """Erase everything of this tenant, soon. Asked for again before it is done, it is the same erasure."""
        async with self._database.write() as session:
            found = await session.scalars(
                select(ErasureRow).where(ErasureRow.tenant == tenant, ErasureRow.finished_at.is_(None)).limit(1)
            )
            row = found.first()
            if row is None:
                row = ErasureRow(
                    id=self._ids.new(ERASURE_PREFIX),
                    tenant=tenant,
                    state="ordered",
                    requested_at=await self._database.now(session),
                    progress={},
                )
                session.add(row)
                await session.flush()
                await self._audit.record(session, ASKED, actor=actor or tenant, tenant=tenant, subject=row.id)
                log.info("erasure_ordered", erasure_id=row.id)
            session.after_commit(lambda: self._notifier.notify(TOPIC))
            return _erasure(row)

    @acting.by_system("whoever knows the id may look, and its tenant is nobody by then")
    async def get(self, erasure_id: str) -> Erasure | None:
        """Whoever knows the id may look: its tenant is nobody any more by then."""
        async with self._database.read() as session:
            row = await session.get(ErasureRow, erasure_id)
            return None if row is None else _erasure(row)

    # --- the work ------------------------------------------------------------------------------------------------

    async def run_once(self) -> int:
        """Carry out what is ordered; how many were finished."""
        async with self._database.read() as session:
            due = select(ErasureRow.id, ErasureRow.tenant).where(ErasureRow.finished_at.is_(None))
            orders = (await session.execute(due.order_by(ErasureRow.id).limit(10))).all()
        done = 0
        for erasure_id, tenant in orders:
            try:
                await self.carry_out(erasure_id, tenant)
                done += 1
            except (NotErased, StoreUnavailable, DatabaseUnavailable, OSError) as error:
                log.warning("erasure_not_done_yet", erasure_id=erasure_id, reason=repr(error))
        return done

    async def carry_out(self, erasure_id: str, tenant: str) -> None:
        """All of it. Raises NotErased when something came in between."""
        await self._stop(tenant)
        key = None if self._keys is None else await self._keys.destroy(tenant)
        failpoints.hit(SHREDDED)
        objects = await self._delete_objects(tenant)
        await self._note(erasure_id, objects=objects, key=key)
        failpoints.hit(DELETED)
        rows = await self._forget(tenant)
        await self._note(erasure_id, rows=rows)
        failpoints.hit(FORGOTTEN)
        await self._prove(tenant)
        await self._sign(erasure_id, tenant)

    async def _stop(self, tenant: str) -> None:
        async with self._database.write() as session:
            now = await self._database.now(session)
            for leave in self._leaving:
                await leave(session, tenant)
            for job_id in await repository.erase_live(session, tenant, now=now):
                topics.announce_change(session, self._notifier, job_id, tenant)
                session.after_commit(_telling(self._notifier, topics.stop(job_id)))
            await session.execute(
                update(ArtifactRow)
                .where(ArtifactRow.tenant == tenant, ArtifactRow.erased_at.is_(None))
                .values(erased_at=now)
                .execution_options(synchronize_session=False)
            )

    async def _delete_objects(self, tenant: str) -> int:
        deleted = 0
        async for keys in self._keys_of_objects(tenant):
            await self._store.delete_many(keys)
            deleted += len(keys)
        return deleted

    async def _keys_of_objects(self, tenant: str) -> AsyncIterator[list[str]]:
        """The keys that rows name, then those that lie in the folders of its uploads and jobs; some of them twice."""
        for parts in (ArtifactRow.parts, FileHashRow.parts, UploadRow.parts):
            async for named in self._all(select(parts).where(parts.class_.tenant == tenant)):
                yield [part["key"] for row in named for part in row[0]]
        for folder, ids in (("uploads", UploadRow.id), ("results", JobRow.id)):
            async for found in self._all(select(ids).where(ids.class_.tenant == tenant)):
                listed = await _side_by_side(self._listed(f"{folder}/{row[0]}") for row in found)
                yield [key for keys in listed for key in keys]

    async def _listed(self, folder: str) -> list[str]:
        return [info.key async for info in self._store.list(folder)]

    async def _all(self, statement: Any) -> AsyncIterator[list[Any]]:
        """The answer, in batches that were all read before the first is given: what they name is changed meanwhile."""
        async with self._database.read() as session:
            found = (await session.execute(statement)).all()
        for at in range(0, len(found), _BATCH):
            yield list(found[at : at + _BATCH])

    async def _forget(self, tenant: str) -> Mapping[str, int]:
        """Whoever refers to another goes before it."""
        gone: Counter[str] = Counter()
        for table in reversed(self._tables):
            if RECORDS[table.name].kept:
                continue
            async with self._database.write() as session:
                count = select(func.count()).select_from(table).where(table.c[TENANT] == tenant)
                gone[str(table.name)] += (await session.scalars(count)).one()
                await session.execute(_forgetting(table, tenant))
        return gone

    async def _prove(self, tenant: str) -> None:
        """Raises NotErased for a row, or a key, that is there."""
        async with self._database.read() as session:
            for table in self._tables:
                record = RECORDS[table.name]
                if not record.kept and not record.goes_on and await _has_rows(session, table, tenant):
                    raise NotErased(table.name)
        if self._keys is not None and await self._keys.exists(tenant):
            raise NotErased("key")

    async def _note(self, erasure_id: str, **counted: Any) -> None:
        """Add to what earlier runs counted: what they deleted is not there to be counted again."""
        async with self._database.write() as session:
            row = await session.get(ErasureRow, erasure_id, with_for_update=True)
            if row is None or row.finished_at is not None:
                return
            row.state = "running"
            row.progress = _added(row.progress, counted)

    async def _sign(self, erasure_id: str, tenant: str) -> None:
        subject = ref_of(tenant).hex()
        async with self._database.write() as session:
            row = await session.get(ErasureRow, erasure_id, with_for_update=True)
            if row is None or row.finished_at is not None:
                return
            now = await self._database.now(session)
            counted = row.progress
            row.certificate = self._signer.certificate(
                {
                    "erasure": erasure_id,
                    "subject": subject,
                    "requested_at": row.requested_at.isoformat(),
                    "finished_at": now.isoformat(),
                    "objects_deleted": counted.get("objects", 0),
                    "rows_deleted": counted.get("rows", {}),
                    "key_destroyed": counted.get("key"),
                    "kept": {name: record.kept for name, record in RECORDS.items() if record.kept},
                }
            )
            row.state, row.finished_at, row.tenant = "done", now, subject
            await session.flush()
            details = {"objects": counted.get("objects", 0), "key_destroyed": counted.get("key")}
            await self._audit.record(session, DONE, actor=SYSTEM, tenant=subject, subject=erasure_id, details=details)
        log.info("erasure_done", erasure_id=erasure_id, objects=counted.get("objects", 0))


def _forgetting(table: Table, tenant: str) -> Delete | Update:
    blanked = RECORDS[table.name].blanked
    if blanked is None:
        return delete(table).where(table.c[TENANT] == tenant)
    return update(table).where(table.c[TENANT] == tenant).values({**blanked, TENANT: ref_of(tenant).hex()})


async def _has_rows(session: ReadSession, table: Any, tenant: str) -> bool:
    return (
        await session.execute(select(table.c[TENANT]).where(table.c[TENANT] == tenant).limit(1))
    ).first() is not None


async def _side_by_side(work: Iterable[Awaitable[Any]]) -> list[Any]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Awaitable[Any]) -> Any:
        async with room:
            return await item

    return list(await asyncio.gather(*(one(item) for item in work)))


def _telling(notifier: Notifier, topic: str) -> Callable[[], Awaitable[None]]:
    async def tell() -> None:
        await notifier.notify(topic)

    return tell


def _added(before: Mapping[str, Any], counted: Mapping[str, Any]) -> dict[str, Any]:
    after = dict(before)
    for name, value in counted.items():
        if isinstance(value, int):
            after[name] = after.get(name, 0) + value
        elif isinstance(value, Mapping):
            after[name] = dict(Counter(after.get(name, {})) + Counter(value))
        elif value is not None:
            after[name] = value
    return after


def _erasure(row: ErasureRow) -> Erasure:
    return Erasure(row.id, row.finished_at is not None, row.requested_at, row.finished_at, row.certificate)
