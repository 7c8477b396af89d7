"""What operators do about jobs whose input is kept from the engines: see them, let one run again, erase one.

Every act is written in the audit log, in the unit of work that does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import Audit
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database, ReadSession
from filewright.chassis.queue.outbox import announce, enqueue
from filewright.chassis.queue.port import Task
from filewright.chassis.web.problems import Conflict, NotFound
from filewright.converter.jobs import repository, topics
from filewright.converter.jobs.looking import views
from filewright.converter.jobs.looking.lookups import check_id
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.rules import JobRules
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.states import HELD, JobState
from filewright.converter.jobs.steering.again import fresh_start, keep_inputs
from filewright.converter.jobs.steering.erasing import Eraser

RELEASED = acts.declare("quarantine.released", "an operator let a quarantined job run again")
DISCARDED = acts.declare("quarantine.deleted", "an operator erased a quarantined or infected job's files")


class Quarantine:
    """All jobs in it, whosever they are."""

    def __init__(
        self, database: Database, notifier: Notifier, eraser: Eraser, audit: Audit, rules: JobRules | None = None
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._eraser = eraser
        self._audit = audit
        self._rules = rules or JobRules()

    async def page(self, *, after: str | None, limit: int) -> Sequence[JobRow]:
        """Jobs in quarantine and infected ones, newest first."""
        async with self._database.read() as session:
            return await repository.quarantined(session, before=after, limit=limit)

    async def release(self, job_id: str, *, actor: str) -> Job:
        """Queue a quarantined job again. Raises NotFound, Conflict, Expired."""
        async with self._database.write() as session:
            found = await _find(session, job_id)
            now = await self._database.now(session)
            await keep_inputs(session, job_id, until=now + self._rules.deadline)
            again = fresh_start(now, self._rules.deadline, self._rules.first_hint)
            row = await repository.release(session, job_id, now=now, **again)
            if row is None:
                raise Conflict("The job is not in quarantine.")
            enqueue(session, Task(topics.TASK_KIND, row.id, row.lane))
            session.after_commit(partial(announce, self._notifier))
            topics.announce_change(session, self._notifier, job_id, row.tenant)
            job = await views.job(session, row)
            await self._audit.record(session, RELEASED, actor=actor, tenant=found.tenant, subject=job_id)
            return job

    async def discard(self, job_id: str, *, actor: str) -> None:
        """Erase the job's files. Raises NotFound, Conflict when it is not held."""
        async with self._database.write() as session:
            found = await _find(session, job_id)
            if found.state not in HELD:
                raise Conflict("The job is not in quarantine.")
            now = await self._database.now(session)
            await repository.move_for_caller(session, job_id, found.tenant, JobState.ERASED, now=now)
            topics.announce_change(session, self._notifier, job_id, found.tenant)
            await self._audit.record(session, DISCARDED, actor=actor, tenant=found.tenant, subject=job_id)
        await self._eraser.erase(job_id)


async def _find(session: ReadSession, job_id: str) -> JobRow:
    check_id(job_id)
    row = await repository.find(session, job_id)
    if row is None:
        raise NotFound("There is no such job.")
    return row
