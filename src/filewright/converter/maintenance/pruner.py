"""Delete what is past its time, and what nobody owns: the files of jobs, then their rows, and what crashes left.

Nothing is searched for in the store: before an object is written there is a row that says where it will be. So each
step starts from rows, deletes objects, and then says in the row that it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from filewright.chassis import failpoints
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.storage.port import ObjectStore, StoreUnavailable
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.jobs import repository
from filewright.converter.jobs.running.results import drop_products
from filewright.converter.jobs.steering.erasing import Eraser

SWEPT = failpoints.declare("pruner.sweep.after", "a dead attempt's objects are deleted and its row does not say so")

_AT_ONCE = 4
"""Jobs that are emptied side by side: most of it is waiting for the store, and requests want connections, too."""

log = get_logger(__name__)
PruneOnce = Callable[[], Awaitable[int]]


class Pruner:
    """`others` are the features that prune their own: uploads, artifacts, idempotency keys.

    `settle` is how long an attempt must be over before its objects are taken for orphans: longer than any worker that
    lost its lease needs to notice. `remember` is how long the row of an erased job is kept.
    """

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        eraser: Eraser,
        *,
        others: Sequence[PruneOnce] = (),
        settle: timedelta = timedelta(minutes=15),
        remember: timedelta = timedelta(days=30),
        batch: int = 100,
    ) -> None:
        self._database = database
        self._store = store
        self._eraser = eraser
        self._others = others
        self._settle = settle
        self._remember = remember
        self._batch = batch

    async def run_once(self) -> int:
        """One batch of everything; how many things were removed. What fails does not keep the rest from its turn.

        Raises DatabaseUnavailable, without which nothing can be done, and StoreUnavailable after all have had a turn.
        """
        removed, away = 0, None
        for step in (self._expire, self._clear, self._sweep, *self._others, self._forget):
            try:
                removed += await step()
            except DatabaseUnavailable:
                raise
            except StoreUnavailable as error:
                away = error
            except Exception:
                log.exception("prune_failed", step=getattr(step, "__qualname__", repr(step)))
        if away is not None:
            raise away
        return removed

    async def _expire(self) -> int:
        """Jobs past their retention become `expired` for their owners; their files are unreadable from here on."""
        async with self._database.write() as session:
            now = await self._database.now(session)
            return len(await repository.erase_expired(session, now=now, limit=self._batch))

    async def _clear(self) -> int:
        """Empty erased jobs, also those whose erasing a crash cut short. One that can not be does not keep the rest."""
        async with self._database.read() as session:
            erased = await repository.uncleared(session, limit=self._batch)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def clear(job_id: str) -> None:
            async with turns:
                await self._eraser.erase(job_id)

        for trouble in await asyncio.gather(*map(clear, erased), return_exceptions=True):
            if trouble is not None:
                raise trouble
        return len(erased)

    async def _sweep(self) -> int:
        """Delete what attempts without a result have stored."""
        async with self._database.read() as session:
            before = await self._database.now(session) - self._settle
            attempts = await repository.unswept_attempts(session, ended_before=before, limit=self._batch)
        for attempt in attempts:
            dropped = await drop_products(self._store, attempt.job_id, attempt.number)
            failpoints.hit(SWEPT)
            if dropped:
                log.info("orphans_deleted", job_id=attempt.job_id, attempt=attempt.number, objects=dropped)
            async with self._database.write() as session:
                await repository.mark_swept(session, attempt)
        return len(attempts)

    async def _forget(self) -> int:
        async with self._database.write() as session:
            now = await self._database.now(session)
            return await repository.forget_jobs(session, before=now - self._remember, limit=self._batch)
