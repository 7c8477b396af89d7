"""Keep the lease of one attempt while it works, tell how far it is, and say when it has to stop.

The database decides who holds a job. This keeper renews the lease, hears of a cancellation within a second, and
fences *itself* when it cannot reach the database: well before the lease can have been given to another, the work is
stopped and nothing is written any more. A process that was frozen finds out at its first look.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TypeVar

from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.storage.port import StoreFull, StoreUnavailable
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.jobs import repository, topics
from filewright.converter.jobs.repository import Lease
from filewright.converter.jobs.states import JobState, Stage

T = TypeVar("T")
log = get_logger(__name__)

_OUTAGE_PAUSE_SECONDS = 0.5
_SHARES = {
    Stage.FETCHING: (0.0, 4.0),
    Stage.SCANNING: (4.0, 8.0),
    Stage.CONVERTING: (8.0, 92.0),
    Stage.CHECKING: (92.0, 95.0),
    Stage.STORING: (95.0, 99.0),
}
"""Which part of 0..100 each stage covers. 100 is the commit's alone."""


@dataclass(frozen=True)
class LeaseRules:
    """Times of a lease, in seconds. `margin` before its end a worker that cannot renew it gives it up by itself."""

    lease: float = 30.0
    heartbeat: float = 5.0
    margin: float = 10.0
    look: float = 0.5
    """How often to look for a cancellation that nobody announced."""
    report: float = 0.25
    """Least time between two writes of progress."""
    patience: float = 15.0
    """How long an attempt waits for a database or a store that is away, before its work is given up and done anew."""

    @property
    def lease_for(self) -> timedelta:
        """The length of the lease."""
        return timedelta(seconds=self.lease)


class Verdict(Enum):
    """Why the work has to stop."""

    CANCELLED = auto()
    """The caller asked for it; the job waits for the worker's word that it has stopped."""
    LOST = auto()
    """The job belongs to somebody else by now, or may: write nothing."""


def boottime() -> float:
    """Seconds since boot, counting those that the machine slept: a lease runs on while a laptop is closed."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseKeeper:
    """Run `keep` beside the work and stop the work when it ends: `verdict` says why. The work tells how far it is."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        lease: Lease,
        tenant: str,
        rules: LeaseRules,
        *,
        now: Callable[[], float] = boottime,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._lease = lease
        self._tenant = tenant
        self._rules = rules
        self._now = now
        self._renewed = now()
        self._stage = Stage.FETCHING
        self._progress = 0
        self._news = asyncio.Event()
        self.verdict: Verdict | None = None
        self.cancel = asyncio.Event()

    @property
    def stage(self) -> Stage:
        """Where the attempt is."""
        return self._stage

    @property
    def safe(self) -> bool:
        """Whether no other worker can hold the job yet."""
        return self._now() - self._renewed < self._rules.lease - self._rules.margin

    # --- what the work reports -----------------------------------------------------------------------------------

    async def enter(self, stage: Stage) -> None:
        """A stage begins; it is written down when this returns. A death while `converting` is blamed on the file."""
        self._begin(stage)
        await self.outlast(self._report)

    def note(self, stage: str) -> None:
        """A stage begins; it is written down soon."""
        if self._begin(Stage(stage)):
            self._news.set()

    def progress(self, fraction: float) -> None:
        """How much of the stage is done, 0..1."""
        begin, end = _SHARES[self._stage]
        if self._advance(begin + (end - begin) * min(1.0, max(0.0, fraction))):
            self._news.set()

    async def outlast(self, act: Callable[[], Awaitable[T]], *, to_the_last: bool = False) -> T:
        """What `act` gives. While the database or the store is away it is tried again: what an attempt has done by
        then is worth more than the wait. Raises what it raised last when the lease is not safe any more, or, unless
        it is worth waiting `to_the_last`, after half of it.
        """
        until = math.inf if to_the_last else self._now() + self._rules.patience
        while True:
            try:
                return await act()
            except StoreFull:  # that is seldom over so soon
                raise
            except (DatabaseUnavailable, StoreUnavailable) as error:
                if not self.safe or self._now() + _OUTAGE_PAUSE_SECONDS > until:
                    raise
                log.info("outage_waited_for", stage=self._stage, error=type(error).__name__)
            await asyncio.sleep(_OUTAGE_PAUSE_SECONDS)

    # --- what runs beside it -------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Renew, report and look, until cancelled or until there is a verdict: then the work must stop."""
        async with self._notifier.listen(topics.stop(self._lease.job_id)) as listener:
            reporter = asyncio.create_task(self._report_news())
            try:
                while self.verdict is None:
                    await listener.wait(self._rules.look)
                    await self._look()
            finally:
                reporter.cancel()
                await asyncio.gather(reporter, return_exceptions=True)
        self.cancel.set()

    async def _look(self) -> None:
        try:
            if self._now() - self._renewed >= self._rules.heartbeat:
                await self._beat()
            else:
                self._judge(await repository.held_state(self._database, self._lease))
        except DatabaseUnavailable:
            if not self.safe:
                log.warning("lease_fenced", job_id=self._lease.job_id, attempt=self._lease.attempt)
                self.verdict = Verdict.LOST

    async def _beat(self) -> None:
        began = self._now()
        state = await repository.beat(self._database, self._lease, lease_for=self._rules.lease_for)
        self._judge(state, renewed=began)

    async def _report_news(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(self._rules.report)  # what comes meanwhile goes along, or the end makes it needless
            try:
                await self._report()
            except DatabaseUnavailable:
                log.info("progress_not_written", job_id=self._lease.job_id)

    async def _report(self) -> None:
        self._news.clear()
        began = self._now()
        state = await repository.report(
            self._database,
            self._lease,
            lease_for=self._rules.lease_for,
            stage=self._stage,
            progress=self._progress,
        )
        await topics.tell_change(self._notifier, self._lease.job_id, self._tenant, goes_on=True)
        self._judge(state, renewed=began)

    def _judge(self, state: JobState | None, *, renewed: float | None = None) -> None:
        if state is None:
            self.verdict = Verdict.LOST
        elif state is JobState.CANCELLING and self.verdict is None:
            self.verdict = Verdict.CANCELLED
        if state is not None and renewed is not None:
            self._renewed = renewed

    def _begin(self, stage: Stage) -> bool:
        """Whether that is news; so is the other's answer."""
        is_new, self._stage = stage is not self._stage, stage
        return self._advance(_SHARES[stage][0]) or is_new

    def _advance(self, percent: float) -> bool:
        before, self._progress = self._progress, max(self._progress, int(percent))
        return self._progress > before
