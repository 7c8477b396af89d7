"""Signed heads, copied to the store every hour: what the database's owner rewrites, these contradict.

Give the store's keys the right to write and not to replace (object lock, versions) where that matters. Copies are never
deleted from here; one is a few hundred bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Head, Seals
from filewright.chassis.db.database import Database
from filewright.chassis.storage.port import ObjectStore

EVERY_SECONDS = 3600.0
FOLDER = "audit/heads"


class Copies:
    """Run `run_once` again and again; any number may."""

    def __init__(self, database: Database, store: ObjectStore, audit: Audit, seals: Seals) -> None:
        self._database = database
        self._store = store
        self._audit = audit
        self._seals = seals
        self._last = 0

    async def run_once(self) -> int:
        """Copy the head, unless nothing was written since; 1 when it was copied."""
        async with self._database.read() as session:
            head = await self._audit.head(session)
        if head.seq <= self._last:
            return 0
        await self._store.put(f"{FOLDER}/{head.seq:020d}-{head.hash[:16]}.json", _once(self._seals.document(head)))
        self._last = head.seq
        return 1

    async def all(self, *, latest: int | None = None) -> list[tuple[str, Head | None]]:
        """Every copy by its key, or the latest so many; None for one that is not what was signed."""
        keys = sorted([item.key async for item in self._store.list(FOLDER)])
        return [(key, await self._read(key)) for key in (keys if latest is None else keys[-latest:])]

    async def _read(self, key: str) -> Head | None:
        return self._seals.read(b"".join([piece async for piece in self._store.get(key)]))


async def _once(document: bytes) -> AsyncIterator[bytes]:
    yield document
