"""One attempt at one job, from the claim to the commit.

    claim ─▶ fetch ─▶ scan ─▶ convert (engines, checks) ─▶ scan ─▶ store ─▶ commit
                 every step under a lease that is renewed beside it

Whatever happens on the way ends in exactly one guarded move of the job, or in none when the job is no longer this
attempt's: then what it stored is dropped and it goes silently. Which move is `policy.after`'s decision. Nothing here
raises for a job that fails; an attempt that cannot write its end leaves that to the rescuer. What is done between the
claim and the commit is in `work.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from filewright.chassis import failpoints
from filewright.chassis.audit.watch import Watch
from filewright.chassis.clock import Clock
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database, DatabaseUnavailable, WriteSession
from filewright.chassis.db.hot import Unit
from filewright.chassis.errors import InternalError
from filewright.chassis.ids import IdSource
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.scanning.nothing import NoScanner
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.storage.port import ObjectStore, StoreUnavailable
from filewright.chassis.storage.threads import in_thread
from filewright.chassis.tasks import to_its_end
from filewright.chassis.telemetry.logs import get_logger, log_context
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.errors import Cancelled
from filewright.converter.jobs import policy, repository, topics
from filewright.converter.jobs.errors import stored as stored_error
from filewright.converter.jobs.forecasts.paces import Paces
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.policy import GiveUp, RetryAt
from filewright.converter.jobs.ports import Converter, Files, Fonts, NoFonts, Operations
from filewright.converter.jobs.repository import Ended, Lease
from filewright.converter.jobs.running.held import record_held
from filewright.converter.jobs.running.lease import LeaseKeeper, LeaseRules, Verdict
from filewright.converter.jobs.running.results import drop_products, rows_of
from filewright.converter.jobs.running.work import Claimed, Done, JobWork, OnConverted, claimed_of
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.states import HELD, JobState, Stage
from filewright.converter.operations.nothing import NoOperations

CLAIMED = failpoints.declare("jobs.claim.after", "a job is claimed and nothing of it is done")
COMMITTING = failpoints.declare("jobs.commit.inside", "all rows of the result are written and not committed")
COMMITTED = failpoints.declare("jobs.commit.after", "the job has succeeded and nobody was told")
FAILING = failpoints.declare("jobs.fail.before", "an attempt has failed and the job does not know")
DROPPING = failpoints.declare("jobs.drop.before", "an attempt without result still has objects in the store")

STALE = "stale"
"""The outcome of an attempt whose job was no longer its own."""
UNKNOWN = "unknown"
"""The outcome of an attempt that could not reach the database until its lease was over."""

_End = Callable[[], Awaitable[str | None]]
"""Moves the job, as the end of an attempt; its state then, None when it is no longer this attempt's."""

log = get_logger(__name__)


class JobRunner:
    """Claims and runs. One instance serves all slots of a worker; an attempt shares nothing with another."""

    def __init__(
        self,
        *,
        database: Database,
        store: ObjectStore,
        files: Files,
        converter: Converter,
        notifier: Notifier,
        ids: IdSource,
        clock: Clock,
        sealer: Sealer,
        jobs_dir: Path,
        instance: str,
        metrics: Metrics,
        watch: Watch,
        operations: Operations | None = None,
        rules: LeaseRules | None = None,
        scanner: Scanner | None = None,
        paces: Paces | None = None,
        fonts: Fonts | None = None,
    ) -> None:
        self._paces = paces
        self._database = database
        self._watch = watch
        self._store = store
        self._files = files
        self._notifier = notifier
        self._ids = ids
        self._clock = clock
        self._jobs_dir = jobs_dir
        self.instance = instance
        self._rules = rules or LeaseRules()
        self._work = JobWork(
            database=database,
            store=store,
            files=files,
            converter=converter,
            operations=operations or NoOperations(),
            sealer=sealer,
            scanner=scanner or NoScanner(),
            fonts=fonts or NoFonts(),
        )
        self._attempts = metrics.counter("attempts_finished", "Attempts at jobs that ended.", ("outcome",))
        self._seconds = metrics.histogram("attempt_seconds", "Seconds of an attempt.", ("outcome",))
        self._stale = metrics.counter("stale_commits", "Results refused because the job was no longer the attempt's.")

    async def claim(self, lane: str, then: str | None = None, *, suspects: bool = False) -> Claimed | None:
        """Take the next job of the lane, or if it has none, of the lane `then`. Raises DatabaseUnavailable."""
        row = await repository.claim(
            self._database,
            worker=self.instance,
            lease_for=self._rules.lease_for,
            lane=lane,
            then=then,
            suspects=suspects,
        )
        if row is None:
            return None
        await topics.tell_change(self._notifier, row.id, row.tenant, goes_on=True)
        claimed = claimed_of(row)
        failpoints.hit(CLAIMED)
        return claimed

    async def suspect_waits(self) -> bool:
        """Whether a job that has crashed twice waits to be run alone."""
        async with self._database.read() as session:
            return await repository.suspect_waits(session, now=await self._database.now(session))

    async def run(self, job: Claimed, converted: OnConverted = lambda: None) -> str:
        """Work on a claimed job to the attempt's end; says how it ended. When cancelled, gives the job back first."""
        began = self._clock.monotonic()
        with log_context(job_id=job.lease.job_id, attempt=job.lease.attempt):
            outcome = await self._attempt(job, began, converted)
            seconds = self._clock.monotonic() - began
            self._attempts.labels(outcome).inc()
            self._seconds.labels(outcome).observe(seconds)
            log.info("attempt_finished", outcome=outcome, seconds=round(seconds, 3))
            return outcome

    # --- the story -----------------------------------------------------------------------------------------------

    async def _attempt(self, job: Claimed, began: float, converted: OnConverted) -> str:
        keeper = LeaseKeeper(self._database, self._notifier, job.lease, job.tenant, self._rules)
        try:
            async with self._workspace() as workspace:
                done = await self._work_under_lease(job, workspace, keeper, converted)
                ended = Ended(stage=Stage.STORING, seconds=self._clock.monotonic() - began)
                outcome = await self._commit(job, keeper, done, ended)
            if outcome == JobState.SUCCEEDED and self._paces is not None:
                seconds = job.waited + self._clock.monotonic() - began
                self._paces.note(done.converted, job.options, job.steps, size=done.load, seconds=seconds)
            return outcome
        except asyncio.CancelledError:
            await to_its_end(self._give_back(job, keeper))
            raise
        except Exception as error:  # noqa: BLE001 - the policy sorts every error there is
            ended = Ended(stage=keeper.stage, seconds=self._clock.monotonic() - began, error=_noted(error))
            return await self._settle(job, keeper, error, ended)

    @asynccontextmanager
    async def _workspace(self) -> AsyncIterator[Workspace]:
        workspace = await in_thread(Workspace.create, self._jobs_dir)
        try:
            yield workspace
        finally:
            try:
                await in_thread(workspace.remove)
            except OSError:
                log.exception("workspace_left_behind")

    async def _work_under_lease(
        self, job: Claimed, workspace: Workspace, keeper: LeaseKeeper, converted: OnConverted
    ) -> Done:
        """Work with the keeper beside it, which ends the work when the lease is lost or the caller cancels."""
        work = asyncio.create_task(self._work.do(job, workspace, keeper, converted))
        keeping = asyncio.create_task(keeper.keep())
        try:
            await asyncio.wait({work, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            keeping.result()  # raises what broke it: nobody works without a keeper
            raise _Stopped
        finally:
            work.cancel()
            keeping.cancel()
            await asyncio.gather(work, keeping, return_exceptions=True)

    # --- the ends ------------------------------------------------------------------------------------------------

    async def _commit(
        self,
        job: Claimed,
        keeper: LeaseKeeper,
        done: Done,
        ended: Ended,
    ) -> str:
        def commit() -> Unit[Any]:
            row = yield from repository.commit(
                job.lease,
                ended=ended,
                usage={
                    "seconds": ended.seconds or 0.0,
                    "input_bytes": done.read_bytes,
                    "output_bytes": sum(item.bytes for item in done.stored),
                },
                tier=job.tier.name,
                keep_for=timedelta(seconds=job.tier.retention_seconds),
                outputs=rows_of(done.stored, job.lease, tenant=job.tenant, ids=self._ids),
                route=job.route_of(done.converted.route),
                source_format=done.converted.source_format,
                measured=None if done.converted.fidelity is None else done.converted.fidelity.as_json(),
            )
            failpoints.hit(COMMITTING)
            return row

        async def end() -> str | None:
            row = await self._database.carry(commit)
            if row is None:
                return None
            await topics.tell_change(self._notifier, row.id, row.tenant)
            return str(row.state)

        outcome = await self._write_end(job, keeper, JobState.SUCCEEDED, end)
        if outcome == JobState.SUCCEEDED:
            failpoints.hit(COMMITTED)
        return outcome if outcome != STALE else await self._go_silently(job, ended)

    async def _settle(self, job: Claimed, keeper: LeaseKeeper, error: Exception, ended: Ended) -> str:
        """Write down what becomes of the job after an error."""
        failpoints.hit(FAILING)
        if keeper.verdict is Verdict.LOST:
            return await self._go_silently(job, ended)
        decision = self._decide(job, keeper, error)
        target = decision.state if isinstance(decision, GiveUp) else JobState.RETRY_WAIT
        infected = await self._work.infected(job, error)
        await self._drop(job)

        async def end(session: WriteSession) -> JobRow | None:
            now = await self._database.now(session)
            row: JobRow | None = await repository.end(
                session, job.lease, target, now=now, ended=ended, **_values(decision, now=now)
            )
            if row is not None and target is JobState.INFECTED:
                await self._files.mark_erased(session, infected)
            if row is not None and target in HELD:
                await record_held(self._watch.audit, session, [row.id])
            return row or await repository.end(
                session, job.lease, JobState.CANCELLED, now=now, ended=ended, **_CANCELLED
            )

        outcome = await self._write_end(job, keeper, target, self._in_one_unit(end))
        if outcome == JobState.INFECTED:
            self._watch.seen("infected", job.tenant)
            await self._empty(infected)
        return outcome if outcome != STALE else await self._go_silently(job, ended)

    def _decide(self, job: Claimed, keeper: LeaseKeeper, error: Exception) -> RetryAt | GiveUp:
        if keeper.verdict is Verdict.CANCELLED:
            return GiveUp(JobState.CANCELLED, job.counters, Cancelled())
        decision = policy.after(error, job.counters, jitter=random.random())  # noqa: S311 - spreads retries
        if decision.error.code == InternalError.code:
            log.error("attempt_defect", exc_info=error)
        else:
            log.info("attempt_failed", error=type(error).__name__, code=decision.error.code)
        return decision

    async def _give_back(self, job: Claimed, keeper: LeaseKeeper) -> None:
        """The worker stops: free the job at once, and blame nobody."""
        await self._drop(job)

        async def end(session: WriteSession) -> JobRow | None:
            now = await self._database.now(session)
            ended = Ended(stage=keeper.stage)
            return await repository.end(
                session, job.lease, JobState.QUEUED, now=now, ended=ended, hint_at=now, hint_n=0, not_before=now
            ) or await repository.end(session, job.lease, JobState.CANCELLED, now=now, ended=ended, **_CANCELLED)

        await self._write_end(job, keeper, JobState.QUEUED, self._in_one_unit(end))

    def _in_one_unit(self, end: Callable[[WriteSession], Awaitable[JobRow | None]]) -> _End:
        async def write() -> str | None:
            async with self._database.write() as session:
                row = await end(session)
                state = None if row is None else row.state
                if row is not None:
                    topics.announce_change(session, self._notifier, row.id, row.tenant)
            return state

        return write

    async def _write_end(self, job: Claimed, keeper: LeaseKeeper, target: JobState, end: _End) -> str:
        """Write the end of the attempt, trying for as long as no other worker can hold the job; says how it ended.

        A connection that breaks during a commit leaves open whether it happened. The next try then matches no row,
        and the attempt's own row says what became of it.
        """

        async def write() -> str:
            return await end() or await self._known_outcome(job.lease, target)

        try:
            return await keeper.outlast(write, to_the_last=True)
        except DatabaseUnavailable:
            log.warning("end_not_written", outcome=target)
            return UNKNOWN

    async def _known_outcome(self, lease: Lease, target: JobState) -> str:
        async with self._database.read() as session:
            attempt = await repository.attempt_of(session, lease)
        return target if attempt is not None and attempt.outcome == target else STALE

    async def _go_silently(self, job: Claimed, ended: Ended) -> str:
        """The job is another's: drop what was stored, count it, touch nothing else."""
        self._stale.inc()
        await self._drop(job)
        try:
            async with self._database.write() as session:
                await repository.note_stale(session, job.lease, now=await self._database.now(session), ended=ended)
        except DatabaseUnavailable:
            log.info("stale_attempt_not_noted")
        return STALE

    async def _drop(self, job: Claimed) -> None:
        """Delete what this attempt stored, unless the database knows it as the result.

        What is left by a failure here, the pruner finds by the attempt's row.
        """
        try:
            failpoints.hit(DROPPING)
            if await self._known_outcome(job.lease, JobState.SUCCEEDED) == STALE:
                await drop_products(self._store, job.lease.job_id, job.lease.attempt)
        except (StoreUnavailable, DatabaseUnavailable, OSError) as error:
            log.info("drop_left_to_pruner", error=type(error).__name__)

    async def _empty(self, artifact_ids: Sequence[str]) -> None:
        """Delete the bytes of infected files, which nobody can read by now; if that fails, upkeep does it."""
        try:
            await self._files.erase(artifact_ids)
        except (StoreUnavailable, DatabaseUnavailable, OSError) as error:
            log.info("erase_left_to_pruner", error=type(error).__name__)


class _Stopped(Exception):
    """The keeper ended the work."""


_CANCELLED = {"error": stored_error(Cancelled())}


def _values(decision: RetryAt | GiveUp, *, now: datetime) -> dict[str, Any]:
    """What a decision writes into the job's row."""
    counts = {"crash_count": decision.counters.crashes, "transient_count": decision.counters.transients}
    if isinstance(decision, RetryAt):
        return {**counts, "not_before": now + decision.delay}
    return {**counts, "error": stored_error(decision.error)}


def _noted(error: Exception) -> dict[str, Any]:
    """What an attempt's row keeps of an error: for operators, and without anything a caller wrote."""
    return {"kind": type(error).__name__, "code": getattr(error, "code", None)}
