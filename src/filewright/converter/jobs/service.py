"""What callers may do with jobs: order, look, wait, listen, stop, try again, rate, take the result, delete.

Every method takes the `Caller` and sees only that tenant's jobs; a job of another tenant is as unknown as one that
never was. Each opens its own unit of work. What work means is left to the runner, when it is done to the worker, and
what went wrong on the way to the loops of `maintenance`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from filewright.chassis import failpoints
from filewright.chassis.cache.port import Cache, Uncached
from filewright.chassis.coordination.port import Listener, Notifier
from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.db.hot import Rows
from filewright.chassis.db.together import Together
from filewright.chassis.ids import IdSource, is_id
from filewright.chassis.queue.outbox import announce, enqueue
from filewright.chassis.queue.port import Task
from filewright.chassis.storage.port import SignedRequest
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.downloads import content_disposition
from filewright.chassis.web.problems import Conflict, NotFound, invalid
from filewright.converter.errors import Cancelled
from filewright.converter.jobs import kept, lookups, repository, statements, topics, views
from filewright.converter.jobs.admission import Pressure
from filewright.converter.jobs.errors import stored
from filewright.converter.jobs.feed import Change, Feed
from filewright.converter.jobs.lookups import JOB_PREFIX, check_id
from filewright.converter.jobs.models import JobEventRow, JobRow
from filewright.converter.jobs.ordering import JobRules, Ordering, Reusing
from filewright.converter.jobs.orders import JobOrder
from filewright.converter.jobs.paces import Paces
from filewright.converter.jobs.patience import Patience
from filewright.converter.jobs.planning import Planning
from filewright.converter.jobs.ports import Files, Operations, Planner, Sources
from filewright.converter.jobs.quarantine import keep_inputs
from filewright.converter.jobs.room import check_room
from filewright.converter.jobs.schemas import Job, JobEvent, JobPage, OpenedOutput, Output, Quote
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.statements import TASK_KIND
from filewright.converter.jobs.states import PUBLIC_STATUS, Actor, JobState, PublicStatus, sources_of, stored_states
from filewright.converter.jobs.wishes import Within, WithinAll
from filewright.converter.operations.nothing import NoOperations
from filewright.converter.tiers import Caller

MAX_PAGE = 100
MAX_COMMENT_CHARS = 2_000
PREVIEW_TAG = "preview"
"""The tag of a job whose result is only looked at: it is no choice of a target."""

ACCEPTED = failpoints.declare("jobs.submit.accepted", "a job is committed and its caller has not been told")
CANCEL_ASKED = failpoints.declare("jobs.cancel.asked", "a running job is marked as cancelling, its worker not yet told")
ERASE_MARKED = failpoints.declare("jobs.delete.marked", "a job is marked as erased and its files are still there")

log = get_logger(__name__)
Ask = Callable[..., Awaitable[Rows]]


@dataclass(frozen=True)
class Standing:
    """What a caller has under way and has used."""

    unfinished: int
    used: int
    """Conversions of this month."""
    credits: int
    """That are left."""


def _by_the_way(_source: str, _target: str) -> None:
    """For whoever does not learn."""


class Jobs:
    """The service. `erase_files` empties an erased job; the pruner does it again for what a crash left. `chosen` is
    told the source and the target of each job that is accepted. Without `reusing`, every order is worked on.
    """

    def __init__(
        self,
        *,
        database: Database,
        sources: Sources,
        files: Files,
        planner: Planner,
        operations: Operations | None = None,
        notifier: Notifier,
        ids: IdSource,
        sealer: Sealer,
        erase_files: Callable[[str], Awaitable[None]],
        chosen: Callable[[str, str], None] = _by_the_way,
        cache: Cache | None = None,
        rules: JobRules | None = None,
        reusing: Reusing | None = None,
        paces: Paces | None = None,
        pressure: Callable[[], Pressure] = Pressure,
    ) -> None:
        self._pressure = pressure
        self._database = database
        self._files = files
        self._notifier = notifier
        self._erase_files = erase_files
        self._chosen = chosen
        self._cache = cache or Uncached()
        self._rules = rules or JobRules()
        self._patiently = Patience()
        self._revisions = Together(self._ask_revisions)
        self._ordering = Ordering(
            database=database,
            sources=sources,
            planning=Planning(planner, operations or NoOperations()),
            ids=ids,
            sealer=sealer,
            rules=self._rules,
            reusing=reusing,
            paces=paces,
            pressure=pressure,
        )

    # --- ordering ------------------------------------------------------------------------------------------------

    async def submit(self, caller: Caller, order: JobOrder, *, within: Within | None = None) -> Job:
        """Accept an order: when this returns, the job is on disk and will reach an end.

        `within` runs in the same unit of work, so that what it writes is there if and only if the job is. Raises
        InvalidRequest, NotFound, Expired, ConcurrencyLimited, and what the planner refuses.
        """
        job = await self._ordering.accept(caller, order, within)
        await self._announce_accepted(caller)
        failpoints.hit(ACCEPTED)
        self._note_accepted(order, job)
        return job

    async def submit_all(
        self, caller: Caller, orders: Sequence[JobOrder], *, within: WithinAll | None = None
    ) -> Sequence[Job]:
        """Accept all of these orders or none. Raises as `submit`."""
        jobs = await self._ordering.accept_all(caller, orders, within)
        await self._announce_accepted(caller)
        for order, job in zip(orders, jobs, strict=True):
            self._note_accepted(order, job)
        return jobs

    async def of_batch(self, caller: Caller, batch: str) -> Sequence[Job]:
        """The jobs that were ordered together, in their order; none if it is not the caller's."""
        async with self._database.read() as session:
            rows = await repository.of_batch(session, caller.tenant, batch)
            return await views.jobs(session, rows)

    async def standing(self, caller: Caller) -> Standing:
        """How much of what it may have the caller has."""
        row = await repository.standing(self._database, caller.tenant)
        return Standing(row.unfinished, row.used, row.credits)

    async def check_room(self, caller: Caller) -> None:
        """Refuse now what `submit` would refuse later for want of room: before a file is taken in. Raises
        ConcurrencyLimited, QuotaExceeded.
        """
        await self._ordering.check_room(caller)

    async def dry_run(self, caller: Caller, order: JobOrder) -> Quote:
        """What `submit` would do, or raise; nothing is stored, and nothing fetched."""
        return await self._ordering.quote(caller, order)

    # --- looking -------------------------------------------------------------------------------------------------

    async def get(self, caller: Caller, job_id: str) -> Job:
        """The job. Raises NotFound."""
        return await self._look_up(self._database.ask_anywhere, caller, job_id)

    async def list_page(
        self,
        caller: Caller,
        *,
        cursor: str | None = None,
        limit: int = 20,
        status: PublicStatus | None = None,
        tag: str | None = None,
    ) -> JobPage:
        """The caller's jobs, newest first. `cursor` is the `next_cursor` of the page before."""
        if cursor is not None and not is_id(cursor, JOB_PREFIX):
            raise invalid("/cursor", "This is not a cursor of this list; take `next_cursor` of the last page as it is.")
        limit = max(1, min(limit, MAX_PAGE))
        states = None if status is None else sorted(stored_states(status))

        async def look(session: ReadSession) -> JobPage:
            rows = await repository.page(session, caller.tenant, before=cursor, limit=limit + 1, states=states, tag=tag)
            shown = rows[:limit]
            return JobPage(
                data=await views.jobs(session, shown), next_cursor=shown[-1].id if len(rows) > limit else None
            )

        return await self._database.look(look)

    async def wait(
        self,
        caller: Caller,
        job_id: str,
        revision: int | None = None,
        timeout: float = 20.0,  # noqa: ASYNC109 - an answer after the time, not an error
    ) -> Job:
        """The job as soon as its status is another than at `revision` (None: now), at the latest after `timeout`.

        A job that is over is given at once: there is nothing to wait for.
        """
        async with self._notifier.listen(topics.changed(job_id)) as listener:
            job = await self._latest(caller, job_id)
            seen = job.status if revision is None else await self._status_at(job_id, revision)
            over = asyncio.get_running_loop().time() + timeout
            while job.status is seen and not _is_over(job) and await self._pause(listener, over):
                job = await self._latest(caller, job_id)
            return job

    async def wait_until_over(
        self,
        caller: Caller,
        job_id: str,
        timeout: float,  # noqa: ASYNC109 - an answer after the time, not an error
    ) -> Job:
        """The job as soon as it is over, at the latest after `timeout` as it is then."""
        async with self._notifier.listen(topics.over(job_id)) as listener:
            over = asyncio.get_running_loop().time() + timeout
            while not await self._has_ended(caller, job_id) and await self._pause(listener, over):
                pass
            return await self._latest(caller, job_id)

    async def events(self, caller: Caller, job_id: str, after: int = 0) -> AsyncIterator[JobEvent]:
        """The job's events after the event `after`, then each as it happens; ends with `done`.

        Await this for the check that the job is there (NotFound), then iterate what it returns.
        """
        async with self._database.read() as session:
            await lookups.own(session, caller, job_id)
        return self._stream(caller, job_id, after)

    def changes(self, caller: Caller, since: int | None = None) -> AsyncGenerator[Change, None]:
        """All the caller's jobs that are not over, then each change of any of them; see `feed.py`.

        `since` is the mark of the last change that arrived, to be told what was missed.
        """
        feed = Feed(
            self._database,
            self._notifier,
            caller.tenant,
            look_again=self._rules.look_again,
            patience=self._patiently,
            pressure=self._pressure,
        )
        return feed.changes(since)

    async def output(self, caller: Caller, job_id: str, n: int) -> Output:
        """What the n-th output is, counted from 0. Raises as `open_output`."""
        return (await self._database.look(lambda session: lookups.output(session, caller, job_id, n)))[0]

    async def open_output(
        self, caller: Caller, job_id: str, n: int, start: int = 0, end: int | None = None
    ) -> OpenedOutput:
        """The n-th output and its bytes from `start` up to but not including `end`.

        Raises NotFound, Conflict while the job is not over, the job's own error when it failed, and Expired when its
        files are gone.
        """
        output, artifact = await self._database.look(lambda session: lookups.output(session, caller, job_id, n))
        return OpenedOutput(output, self._files.read(artifact, start, end))

    async def link_output(self, caller: Caller, job_id: str, n: int) -> SignedRequest | None:
        """How to read the n-th output straight from the store, for a few minutes; None where that is not possible.

        Raises as `open_output`.
        """
        async with self._database.read() as session:
            output, artifact = await lookups.output(session, caller, job_id, n)
            now = await self._database.now(session)
        return self._files.link(artifact, at=now, disposition=content_disposition(output.name))

    # --- steering ------------------------------------------------------------------------------------------------

    async def cancel(self, caller: Caller, job_id: str) -> Job:
        """Stop the job: at once when it waits, within about a second when it runs. Raises Conflict when it is over.

        Asking twice is asking once.
        """
        async with self._database.write() as session:
            row = await lookups.own(session, caller, job_id)
            if row.state != JobState.CANCELLING:
                row = await self._cancel(session, row)
            self._announce(session, job_id, caller.tenant)
            job = await views.job(session, row)
        failpoints.hit(CANCEL_ASKED)
        return job

    async def retry(self, caller: Caller, job_id: str) -> Job:
        """Queue a job again that failed or was cancelled. Raises Conflict when its state does not allow it.

        A password is not kept after a job has ended: a protected file has to be ordered anew.
        """
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
                **views.fresh_start(now, self._rules.deadline, self._rules.first_hint),
            )
            if row is None:
                raise Conflict("The job has changed meanwhile; look at it again.")
            enqueue(session, Task(TASK_KIND, row.id, row.lane))
            session.after_commit(partial(announce, self._notifier))
            self._announce(session, job_id, caller.tenant)
            return await views.job(session, row)

    async def rate(self, caller: Caller, job_id: str, stars: int, comment: str | None = None) -> Job:
        """Keep what the owner thinks of the result; a second rating replaces the first. Raises Conflict too early."""
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
        """Erase inputs and outputs now, whatever the job is doing; it is `expired` afterwards.

        A file that another job still has to read, or made, stays with that job. Deleting twice is deleting once.
        """
        async with self._database.write() as session:
            row = await lookups.own(session, caller, job_id)
            now = await self._database.now(session)
            if row.state != JobState.ERASED:
                await repository.move_for_caller(session, job_id, caller.tenant, JobState.ERASED, now=now)
                self._announce(session, job_id, caller.tenant)
        failpoints.hit(ERASE_MARKED)
        await self._erase_files(job_id)

    # --- below the surface ---------------------------------------------------------------------------------------

    async def _announce_accepted(self, caller: Caller) -> None:
        await announce(self._notifier)
        await self._notifier.notify(topics.changed_of(caller.tenant))  # nobody waits for a job that is not known yet

    def _note_accepted(self, order: JobOrder, job: Job) -> None:
        if order.is_conversion and order.tag != PREVIEW_TAG and job.source_format and job.target_format:
            self._chosen(job.source_format, job.target_format)
        log.info("job_accepted", job_id=job.id, source=job.source_format, target=job.target_format)

    async def _latest(self, caller: Caller, job_id: str) -> Job:
        """As `get`, for one who was told that something has changed: a replica may not have it yet."""
        return await self._look_up(self._database.ask, caller, job_id)

    async def _look_up(self, ask: Ask, caller: Caller, job_id: str) -> Job:
        check_id(job_id)
        job = await kept.unchanged(self._cache, partial(self._revision_of, ask), job_id, caller.tenant)
        if job is None:
            job = _shown(await ask(statements.JOB, of_job=job_id, of_tenant=caller.tenant), self._pressure())
            kept.keep(self._cache, job)
        return job

    async def _revision_of(self, ask: Ask, job_id: str, tenant: str) -> int | None:
        """Its revision, if it is that tenant's. Where a replica may answer, each client has a horizon of its own."""
        if not self._database.has_replicas:
            return await self._revisions((job_id, tenant))
        rows = await ask(statements.REVISION, of_job=job_id, of_tenant=tenant)
        return rows[0].revision if rows else None

    async def _ask_revisions(self, asked: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        rows = await self._database.ask(statements.REVISIONS, of_jobs=[job_id for job_id, _ in asked])
        return {(row.id, row.tenant): row.revision for row in rows}

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

    async def _has_ended(self, caller: Caller, job_id: str) -> bool:
        """Whether it is over, or was never there."""
        rows = await self._database.ask(statements.STATE, of_job=job_id, of_tenant=caller.tenant)
        return not rows or PUBLIC_STATUS[JobState(rows[0].state)] not in _LIVE

    async def _status_at(self, job_id: str, revision: int) -> PublicStatus | None:
        async with self._database.read() as session:
            state = await repository.state_at(session, job_id, revision)
        return PUBLIC_STATUS[state] if state else None

    async def _pause(self, listener: Listener, over: float) -> bool:
        """Wait for news or for the next look; False when the time is over."""
        left = over - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        await listener.wait(min(left, self._rules.look_again))
        return True

    async def _stream(self, caller: Caller, job_id: str, after: int) -> AsyncIterator[JobEvent]:
        async with self._notifier.listen(topics.changed(job_id)) as listener:
            while True:
                job, moves = await self._patiently(partial(self._job_and_moves, caller, job_id, after))
                for move in moves:
                    yield views.state_event(move)
                if _is_over(job):
                    yield views.done_event(job)
                    return
                if job.revision > max(after, moves[-1].seq if moves else 0):
                    yield views.progress_event(job)
                after = job.revision
                await self._until_other(listener, job_id, after)

    async def _until_other(self, listener: Listener, job_id: str, revision: int) -> None:
        """Until the job is not as it was. Being woken is cheap: many are woken together when Redis comes back."""
        while True:
            await listener.wait(self._rules.look_again * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the looks
            if await self._patiently(partial(self._revision, job_id)) != revision:
                return

    async def _job_and_moves(self, caller: Caller, job_id: str, after: int) -> tuple[Job, Sequence[JobEventRow]]:
        async with self._database.read() as session:
            job = await views.job(session, await lookups.own(session, caller, job_id))
            return job, await repository.events_after(session, job_id, after)

    async def _revision(self, job_id: str) -> int | None:
        async with self._database.read() as session:
            return await repository.revision_of(session, job_id)


_LIVE = frozenset({PublicStatus.QUEUED, PublicStatus.RUNNING})
_NO_RETRY: Mapping[PublicStatus, str] = {
    PublicStatus.QUEUED: "The job waits already.",
    PublicStatus.RUNNING: "The job is running.",
    PublicStatus.SUCCEEDED: "The job has succeeded; order a new one to convert the file again.",
    PublicStatus.FAILED: "This file is kept from being tried again; change the file, or choose another target.",
    PublicStatus.EXPIRED: "The files of the job are gone; upload them again and order a new one.",
}


def _shown(rows: Rows, pressure: Pressure) -> Job:
    if not rows:
        raise NotFound("There is no such job.")
    return views.shown(rows[0], pressure)


def _is_over(job: Job) -> bool:
    return job.status not in _LIVE
