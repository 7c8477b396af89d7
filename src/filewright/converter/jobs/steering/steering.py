"""What an owner does with a job that is there: stop it, let it run again, say what it was worth, erase its files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from filewright.chassis import failpoints
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.queue.outbox import announce, enqueue
from filewright.chassis.queue.port import Task
from filewright.chassis.web.problems import Conflict, invalid
from filewright.converter.errors import Cancelled
from filewright.converter.jobs import repository, topics
from filewright.converter.jobs.errors import stored
from filewright.converter.jobs.looking import lookups, views
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.ordering.room import check_room
from filewright.converter.jobs.rules import JobRules
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.states import PUBLIC_STATUS, Actor, JobState, PublicStatus, sources_of
from filewright.converter.jobs.steering.again import fresh_start, keep_inputs
from filewright.converter.tiers import Caller

MAX_COMMENT_CHARS = 2_000

CANCEL_ASKED = failpoints.declare("jobs.cancel.asked", "a running job is marked as cancelling, its worker not yet told")
ERASE_MARKED = failpoints.declare("jobs.delete.marked", "a job is marked as erased and its files are still there")

_NO_RETRY: Mapping[PublicStatus, str] = {
    PublicStatus.QUEUED: "The job waits already.",
    PublicStatus.RUNNING: "The job is running.",
    PublicStatus.SUCCEEDED: "The job has succeeded; order a new one to convert the file again.",
    PublicStatus.FAILED: "This file is kept from being tried again; change the file, or choose another target.",
    PublicStatus.EXPIRED: "The files of the job are gone; upload them again and order a new one.",
}


class Steering:
    """The commands to one job. Each is a guarded move in a unit of work of its own."""

    def __init__(
        self, database: Database, notifier: Notifier, erase_files: Callable[[str], Awaitable[None]], rules: JobRules
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._erase_files = erase_files
        self._rules = rules

    async def cancel(self, caller: Caller, job_id: str) -> Job:
        """See `Jobs.cancel`."""
        async with self._database.write() as session:
            row = await lookups.own(session, caller, job_id)
            if row.state != JobState.CANCELLING:
                row = await self._cancel(session, row)
            self._announce(session, job_id, caller.tenant)
            job = await views.job(session, row)
        failpoints.hit(CANCEL_ASKED)
        return job

    async def retry(self, caller: Caller, job_id: str) -> Job:
        """See `Jobs.retry`."""
        async with self._database.write() as session:
            before = await lookups.own(session, caller, job_id)
            if JobState(before.state) not in sources_of(JobState.QUEUED, Actor.CALLER):
                raise Conflict(_NO_RETRY[PUBLIC_STATUS[JobState(before.state)]])
            now = await repository.hold_gate(session, caller.tenant)
            standing = await repository.standing(session, caller.tenant, now=now)
            check_room(caller.tier, standing)
            await keep_inputs(session, job_id, until=now + self._rules.deadline)
            row = await repository.move_for_caller(
                session,
                job_id,
                caller.tenant,
                JobState.QUEUED,
                now=now,
                **fresh_start(now, self._rules.deadline, self._rules.first_hint),
            )
            if row is None:
                raise Conflict("The job has changed meanwhile; look at it again.")
            enqueue(session, Task(topics.TASK_KIND, row.id, row.lane))
            session.after_commit(partial(announce, self._notifier))
            self._announce(session, job_id, caller.tenant)
            return await views.job(session, row)

    async def rate(self, caller: Caller, job_id: str, stars: int, comment: str | None = None) -> Job:
        """See `Jobs.rate`."""
        if not 1 <= stars <= 5:
            raise invalid("/stars", "Give 1 to 5 stars.")
        if comment is not None and len(comment) > MAX_COMMENT_CHARS:
            raise invalid("/comment", f"Write at most {MAX_COMMENT_CHARS} characters.")
        async with self._database.write() as session:
            row = await lookups.own(session, caller, job_id)
            if not await repository.rate(session, job_id, caller.tenant, stars, comment):
                raise Conflict("Only a job that has succeeded or failed can be rated.")
            return await views.job(session, row)

    async def delete(self, caller: Caller, job_id: str) -> None:
        """See `Jobs.delete`."""
        async with self._database.write() as session:
            row = await lookups.own(session, caller, job_id)
            now = await self._database.now(session)
            if row.state != JobState.ERASED:
                await repository.move_for_caller(session, job_id, caller.tenant, JobState.ERASED, now=now)
                self._announce(session, job_id, caller.tenant)
        failpoints.hit(ERASE_MARKED)
        await self._erase_files(job_id)

    async def _cancel(self, session: WriteSession, job: JobRow) -> JobRow:
        """Whichever guard matches wins; the first is tried again, because a running job may fall back into waiting."""
        now = await self._database.now(session)
        for target in (JobState.CANCELLED, JobState.CANCELLING, JobState.CANCELLED):
            values = {"error": stored(Cancelled())} if target is JobState.CANCELLED else {}
            moved = await repository.move_for_caller(
                session, job.id, job.tenant, target, now=now, cancel_at=now, **values
            )
            if moved is not None:
                return moved
        raise Conflict("The job is over already; there is nothing to cancel.")

    def _announce(self, session: WriteSession, job_id: str, tenant: str) -> None:
        topics.announce_change(session, self._notifier, job_id, tenant)
        session.after_commit(lambda: self._notifier.notify(topics.stop(job_id)))
