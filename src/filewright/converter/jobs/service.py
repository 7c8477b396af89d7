"""What callers may do with jobs: order, look, wait, listen, stop, try again, rate, take the result, delete.

Every method takes the `Caller` and sees only that tenant's jobs; a job of another tenant is as unknown as one that
never was. This is the contract and the index: how it is done is in `ordering`, `looking` and `steering`, each of which
opens its own units of work. What work means is left to `running`, and what went wrong on the way to the loops of
`maintenance`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from filewright.chassis import failpoints
from filewright.chassis.cache.port import Cache, Uncached
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database
from filewright.chassis.ids import IdSource
from filewright.chassis.queue.outbox import announce
from filewright.chassis.storage.port import SignedRequest
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.jobs import repository, topics
from filewright.converter.jobs.forecasts.admission import Pressure
from filewright.converter.jobs.forecasts.paces import Paces
from filewright.converter.jobs.looking.feed import Change
from filewright.converter.jobs.looking.following import Following
from filewright.converter.jobs.looking.looking import Looking
from filewright.converter.jobs.ordering.ordering import Ordering, Reusing
from filewright.converter.jobs.ordering.planning import Planning
from filewright.converter.jobs.ordering.wishes import Within, WithinAll
from filewright.converter.jobs.orders import JobOrder
from filewright.converter.jobs.ports import Files, Operations, Planner, Sources
from filewright.converter.jobs.rules import JobRules
from filewright.converter.jobs.schemas import Job, JobEvent, JobPage, OpenedOutput, Output, Quote
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.states import PublicStatus
from filewright.converter.jobs.steering.steering import Steering
from filewright.converter.operations.nothing import NoOperations
from filewright.converter.tiers import Caller

PREVIEW_TAG = "preview"
"""The tag of a job whose result is only looked at: it is no choice of a target."""

ACCEPTED = failpoints.declare("jobs.submit.accepted", "a job is committed and its caller has not been told")

log = get_logger(__name__)


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
        rules, cache = rules or JobRules(), cache or Uncached()
        self._database = database
        self._notifier = notifier
        self._chosen = chosen
        self._ordering = Ordering(
            database=database,
            sources=sources,
            planning=Planning(planner, operations or NoOperations()),
            ids=ids,
            sealer=sealer,
            rules=rules,
            reusing=reusing,
            paces=paces,
            pressure=pressure,
        )
        self._looking = Looking(database, files, cache, pressure)
        self._following = Following(database, notifier, self._looking, look_again=rules.look_again, pressure=pressure)
        self._steering = Steering(database, notifier, erase_files, rules)

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
        return await self._looking.get(caller, job_id)

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
        return await self._looking.list_page(caller, cursor=cursor, limit=limit, status=status, tag=tag)

    async def of_batch(self, caller: Caller, batch: str) -> Sequence[Job]:
        """The jobs that were ordered together, in their order; none if it is not the caller's."""
        return await self._looking.of_batch(caller, batch)

    async def output(self, caller: Caller, job_id: str, n: int) -> Output:
        """What the n-th output is, counted from 0. Raises as `open_output`."""
        return await self._looking.output(caller, job_id, n)

    async def open_output(
        self, caller: Caller, job_id: str, n: int, start: int = 0, end: int | None = None
    ) -> OpenedOutput:
        """The n-th output and its bytes from `start` up to but not including `end`.

        Raises NotFound, Conflict while the job is not over, the job's own error when it failed, and Expired when its
        files are gone.
        """
        return await self._looking.open_output(caller, job_id, n, start, end)

    async def open_outputs(self, caller: Caller, job_id: str) -> Sequence[OpenedOutput]:
        """All outputs, in their order, as if each were opened. Raises as `open_output`."""
        return await self._looking.open_outputs(caller, job_id)

    async def link_output(self, caller: Caller, job_id: str, n: int) -> SignedRequest | None:
        """How to read the n-th output straight from the store, for a few minutes; None where that is not possible.

        Raises as `open_output`.
        """
        return await self._looking.link_output(caller, job_id, n)

    # --- following -----------------------------------------------------------------------------------------------

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
        return await self._following.wait(caller, job_id, revision, timeout)

    async def wait_until_over(
        self,
        caller: Caller,
        job_id: str,
        timeout: float,  # noqa: ASYNC109 - an answer after the time, not an error
    ) -> Job:
        """The job as soon as it is over, at the latest after `timeout` as it is then."""
        return await self._following.wait_until_over(caller, job_id, timeout)

    async def events(self, caller: Caller, job_id: str, after: int = 0) -> AsyncIterator[JobEvent]:
        """The job's events after the event `after`, then each as it happens; ends with `done`.

        Await this for the check that the job is there (NotFound), then iterate what it returns.
        """
        return await self._following.events(caller, job_id, after)

    def changes(self, caller: Caller, since: int | None = None) -> AsyncGenerator[Change, None]:
        """All the caller's jobs that are not over, then each change of any of them; see `looking/feed.py`.

        `since` is the mark of the last change that arrived, to be told what was missed.
        """
        return self._following.changes(caller, since)

    # --- steering ------------------------------------------------------------------------------------------------

    async def cancel(self, caller: Caller, job_id: str) -> Job:
        """Stop the job: at once when it waits, within about a second when it runs. Raises Conflict when it is over.

        Asking twice is asking once.
        """
        return await self._steering.cancel(caller, job_id)

    async def retry(self, caller: Caller, job_id: str) -> Job:
        """Queue a job again that failed or was cancelled. Raises Conflict when its state does not allow it.

        A password is not kept after a job has ended: a protected file has to be ordered anew.
        """
        return await self._steering.retry(caller, job_id)

    async def rate(self, caller: Caller, job_id: str, stars: int, comment: str | None = None) -> Job:
        """Keep what the owner thinks of the result; a second rating replaces the first. Raises Conflict too early."""
        return await self._steering.rate(caller, job_id, stars, comment)

    async def delete(self, caller: Caller, job_id: str) -> None:
        """Erase inputs and outputs now, whatever the job is doing; it is `expired` afterwards.

        A file that another job still has to read, or made, stays with that job. Deleting twice is deleting once.
        """
        await self._steering.delete(caller, job_id)

    # --- below the surface ---------------------------------------------------------------------------------------

    async def _announce_accepted(self, caller: Caller) -> None:
        await announce(self._notifier)
        await self._notifier.notify(topics.changed_of(caller.tenant))  # nobody waits for a job that is not known yet

    def _note_accepted(self, order: JobOrder, job: Job) -> None:
        if order.is_conversion and order.tag != PREVIEW_TAG and job.source_format and job.target_format:
            self._chosen(job.source_format, job.target_format)
        log.info("job_accepted", job_id=job.id, source=job.source_format, target=job.target_format)
