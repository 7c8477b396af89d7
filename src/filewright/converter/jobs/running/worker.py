"""Keep a number of slots busy with jobs. Hints make it quick; without any it still finds all work, a little later.

A free slot claims whatever is next in the database, never the job that a hint names: so order and fairness are the
database's, and a forged, stale or doubled hint is nothing but a look. After each job the slot looks again by itself.
A job that has crashed twice is run alone, so that a neighbour's fate is not blamed on it nor its fate shared.
When the engines are done with a job, the next one is taken while its products are stored (`slots.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from filewright.chassis.clock import Clock
from filewright.chassis.db.database import DatabaseUnavailable
from filewright.chassis.queue.port import LANES, TaskQueue
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.jobs.running.runner import JobRunner
from filewright.converter.jobs.running.slots import Slot, Slots
from filewright.converter.jobs.running.work import Claimed, OnConverted

_PAUSE_SECONDS = 0.5

log = get_logger(__name__)


async def _always() -> bool:
    return True


@dataclass(frozen=True)
class WorkerRules:
    """How many jobs at once, and how often to look without being told. Seconds."""

    slots: int = 1
    poll: float = 2.0
    suspects: float = 5.0
    """How often to look for jobs that must run alone."""
    fairness: int = 4
    """After so many claims in a row from a lane in front, the lanes behind are asked first once."""
    lanes: Sequence[str] = LANES


class Worker:
    """Run `run` until `stop`."""

    def __init__(
        self,
        runner: JobRunner,
        queue: TaskQueue,
        *,
        clock: Clock,
        metrics: Metrics,
        rules: WorkerRules | None = None,
        may_claim: Callable[[], Awaitable[bool]] = _always,
    ) -> None:
        self._runner = runner
        self._queue = queue
        self._clock = clock
        self._rules = rules or WorkerRules()
        self._may_claim = may_claim
        self._slots = Slots(self._rules.slots)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._looked_for_suspects: float | None = None
        self._in_front = 0
        self._was_idle = False
        self._looked = clock.monotonic()
        self._busy = metrics.gauge("slots_busy", "Jobs being worked on.")

    @property
    def instance(self) -> str:
        """The name under which it holds leases."""
        return self._runner.instance

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return len(self._running)

    @property
    def slots(self) -> int:
        """How many may run at once."""
        return self._rules.slots

    @property
    def idle_for(self) -> float:
        """Seconds since it last looked for work, if a slot is free for it. Many of them mean that it is stuck."""
        full = self._slots.all_taken or self._stopping.is_set()
        return 0.0 if full else self._clock.monotonic() - self._looked

    async def run(self) -> None:
        """Claim and run jobs until `stop` is called. Survives every failure of a job or of the database."""
        while not self._stopping.is_set():
            slot = await self._slots.take()
            found = failed = False
            try:
                found = await self._start_next(slot)
            except DatabaseUnavailable:
                log.warning("claim_failed")
                failed = True
            except Exception:
                # If a job was claimed, its lease runs out; a worker that stops looking would be worse than any defect.
                log.exception("claim_broken")
                failed = True
            if not found:
                slot.give_back()
                self._was_idle = True
                await (self._pause() if failed else self._hint_or_poll())

    async def stop(self, grace: float) -> None:
        """Claim no more, let running jobs end for `grace` seconds, then give the rest back to the queue."""
        self._stopping.set()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    # --- one look ------------------------------------------------------------------------------------------------

    async def _start_next(self, slot: Slot) -> bool:
        """Start a job in the slot, if there is one; then the slot is the job's."""
        self._looked = self._clock.monotonic()
        if self._stopping.is_set() or not await self._may_claim():
            return False
        if await self._suspect_is_due():
            await self._run_suspect_alone()
        job = await self._runner.claim(*self._lanes())
        if job is None:
            return False
        self._count(job.lane)
        # What others of its kind will take is learned from it; how long it stood behind others is no part of that.
        self._start(job if self._was_idle else replace(job, waited=0.0), slot)
        self._was_idle = False
        return True

    def _start(self, job: Claimed, slot: Slot) -> None:
        self._begin(job, slot.converted).add_done_callback(lambda _: slot.give_back())

    def _begin(self, job: Claimed, converted: OnConverted) -> asyncio.Task[None]:
        task = asyncio.create_task(self._run_one(job, converted))
        self._running.add(task)
        self._busy.set(len(self._running))
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._busy.set(len(self._running))

    async def _run_one(self, job: Claimed, converted: OnConverted) -> None:
        try:
            await self._runner.run(job, converted)
        except Exception:
            # Nothing was written, so the lease runs out and the rescuer frees the job.
            log.exception("attempt_broken", job_id=job.lease.job_id)

    def _lanes(self) -> Sequence[str]:
        lanes = self._rules.lanes
        return lanes if self._in_front < self._rules.fairness else [*lanes[1:], *lanes[:1]]

    def _count(self, lane: str) -> None:
        self._in_front = self._in_front + 1 if lane == self._rules.lanes[0] else 0

    # --- jobs that crashed twice ---------------------------------------------------------------------------------

    async def _suspect_is_due(self) -> bool:
        now = self._clock.monotonic()
        last = self._looked_for_suspects
        if last is not None and now - last < self._rules.suspects:
            return False
        self._looked_for_suspects = now
        return await self._runner.suspect_waits()

    async def _run_suspect_alone(self) -> None:
        """Wait until the other slots are empty, and keep them so while the suspect runs in this one."""
        others = [await self._slots.take() for _ in range(self._rules.slots - 1)]
        try:
            for lane in self._rules.lanes:
                job = None if self._stopping.is_set() else await self._runner.claim(lane, suspects=True)
                if job is not None:
                    await asyncio.wait([self._begin(job, lambda: None)])
        finally:
            for other in others:
                other.give_back()

    # --- between looks -------------------------------------------------------------------------------------------

    async def _pause(self) -> None:
        """After a failure every hint that waits would only be the next failure, a hundred a second."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), _PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads

    async def _hint_or_poll(self) -> None:
        """Until there is a hint, the poll time is over, or the worker stops. What the hint says does not matter."""
        hint = asyncio.create_task(self._take())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({hint, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hint.cancel()
            stopping.cancel()
            await asyncio.gather(hint, stopping, return_exceptions=True)

    async def _take(self) -> None:
        began = asyncio.get_running_loop().time()
        try:
            hint = await self._queue.take(self._rules.poll)
        except Exception:
            log.exception("queue_failed")
            hint = None
        left = self._rules.poll - (asyncio.get_running_loop().time() - began)
        if hint is None and left > 0:
            await asyncio.sleep(left)  # a queue that is closed or broken answers at once
