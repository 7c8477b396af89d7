"""Free jobs whose worker is gone, wake those that waited long enough, end those that missed their deadline.

The rows are the truth: whose lease ran out is taken from its worker by voiding the token, whatever that worker still
believes. Any number of rescuers may run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement

from filewright.chassis import failpoints
from filewright.chassis.audit.log import Audit
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.jobs import repository, topics
from filewright.converter.jobs.running.held import record_held

RESCUING = failpoints.declare("rescuer.inside", "overdue jobs are ended and those with a lost lease not yet free")

log = get_logger(__name__)


class Rescuer:
    """One batch of each kind per run."""

    def __init__(
        self, database: Database, notifier: Notifier, metrics: Metrics, audit: Audit, *, batch: int = 100
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._audit = audit
        self._batch = batch
        self._rescued = metrics.counter("jobs_rescued", "Jobs taken from workers that were gone.")

    async def run_once(self) -> int:
        """Do what time has made due; how many jobs were moved."""
        async with self._database.read() as session:
            if not await repository.anything_due(session, now=await self._database.now(session)):
                return 0
        overdue = await self._end_overdue()
        failpoints.hit(RESCUING)
        return overdue + await self._rescue(repository.lapsed) + await self._wake()

    async def adopt(self, instance: str) -> int:
        """Take over, at once, every job that another instance holds; how many.

        Only for the start of the embedded shape, whose data directory belongs to one process: whoever held a lease
        before is dead, and nobody needs to wait for its end.
        """
        freed = 0
        while True:
            async with self._database.write() as session:
                now = await self._database.now(session)
                ids = await repository.rescue(
                    session, now=now, limit=self._batch, orphaned=repository.held_by_others(instance)
                )
                await record_held(self._audit, session, ids)
            if not ids:
                return freed
            freed += len(ids)
            log.info("jobs_adopted", jobs=len(ids))

    async def take_over(self, instances: Sequence[str]) -> int:
        """Free, at once, every job that these instances hold, which are known to be dead; how many.

        For a worker that starts where another has died: what that one held need not wait for the end of its lease.
        """
        freed = 0
        while ids := await self._rescue(lambda _: repository.held_by(instances)):
            freed += ids
        return freed

    async def _end_overdue(self) -> int:
        async with self._database.write() as session:
            now = await self._database.now(session)
            ids = await repository.end_overdue(session, now=now, limit=self._batch)
            await self._announce(session, ids)
            return len(ids)

    async def _rescue(self, orphaned: Callable[[datetime], ColumnElement[bool]]) -> int:
        async with self._database.write() as session:
            now = await self._database.now(session)
            ids = await repository.rescue(session, now=now, limit=self._batch, orphaned=orphaned(now))
            await self._announce(session, ids)
            await record_held(self._audit, session, ids)
        if ids:
            self._rescued.inc(len(ids))
            log.warning("jobs_rescued", jobs=len(ids))
        return len(ids)

    async def _wake(self) -> int:
        async with self._database.write() as session:
            now = await self._database.now(session)
            ids = await repository.wake_retries(session, now=now, limit=self._batch)
            await self._announce(session, ids)
            return len(ids)

    async def _announce(self, session: WriteSession, job_ids: Sequence[str]) -> None:
        if not job_ids:
            return
        for job_id, tenant in await repository.tenants_of(session, job_ids):
            topics.announce_change(session, self._notifier, job_id, tenant)
            session.after_commit(partial(self._notifier.notify, topics.stop(job_id)))
