"""A caller's jobs as they go on: to wait for one, to be told all that happens to it, or to all of them.

Who waits is woken by announcements, and looks now and then in case one got lost.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from functools import partial

from filewright.chassis.coordination.port import Listener, Notifier
from filewright.chassis.db.database import Database
from filewright.converter.jobs import repository, statements, topics
from filewright.converter.jobs.forecasts.admission import Pressure
from filewright.converter.jobs.looking import lookups, views
from filewright.converter.jobs.looking.feed import Change, Feed
from filewright.converter.jobs.looking.looking import Looking
from filewright.converter.jobs.looking.patience import Patience
from filewright.converter.jobs.models import JobEventRow
from filewright.converter.jobs.schemas import Job, JobEvent
from filewright.converter.jobs.states import PUBLIC_STATUS, JobState, PublicStatus
from filewright.converter.tiers import Caller

_LIVE = frozenset({PublicStatus.QUEUED, PublicStatus.RUNNING})


class Following:
    """Holds no connection while nothing happens. `look_again`: seconds after which a waiter looks unasked."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        looking: Looking,
        *,
        look_again: float,
        pressure: Callable[[], Pressure],
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._looking = looking
        self._look_again = look_again
        self._pressure = pressure
        self._patiently = Patience()

    async def wait(
        self,
        caller: Caller,
        job_id: str,
        revision: int | None = None,
        timeout: float = 20.0,  # noqa: ASYNC109 - an answer after the time, not an error
    ) -> Job:
        """See `Jobs.wait`."""
        async with self._notifier.listen(topics.changed(job_id)) as listener:
            job = await self._looking.latest(caller, job_id)
            seen = job.status if revision is None else await self._status_at(job_id, revision)
            over = asyncio.get_running_loop().time() + timeout
            while job.status is seen and not _is_over(job) and await self._pause(listener, over):
                job = await self._looking.latest(caller, job_id)
            return job

    async def wait_until_over(
        self,
        caller: Caller,
        job_id: str,
        timeout: float,  # noqa: ASYNC109 - an answer after the time, not an error
    ) -> Job:
        """See `Jobs.wait_until_over`."""
        async with self._notifier.listen(topics.over(job_id)) as listener:
            over = asyncio.get_running_loop().time() + timeout
            while not await self._has_ended(caller, job_id) and await self._pause(listener, over):
                pass
            return await self._looking.latest(caller, job_id)

    async def events(self, caller: Caller, job_id: str, after: int = 0) -> AsyncIterator[JobEvent]:
        """See `Jobs.events`."""
        async with self._database.read() as session:
            await lookups.own(session, caller, job_id)
        return self._stream(caller, job_id, after)

    def changes(self, caller: Caller, since: int | None = None) -> AsyncGenerator[Change, None]:
        """See `Jobs.changes`."""
        feed = Feed(
            self._database,
            self._notifier,
            caller.tenant,
            look_again=self._look_again,
            patience=self._patiently,
            pressure=self._pressure,
        )
        return feed.changes(since)

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
        await listener.wait(min(left, self._look_again))
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
            await listener.wait(self._look_again * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the looks
            if await self._patiently(partial(self._revision, job_id)) != revision:
                return

    async def _job_and_moves(self, caller: Caller, job_id: str, after: int) -> tuple[Job, Sequence[JobEventRow]]:
        async with self._database.read() as session:
            job = await views.job(session, await lookups.own(session, caller, job_id))
            return job, await repository.events_after(session, job_id, after)

    async def _revision(self, job_id: str) -> int | None:
        async with self._database.read() as session:
            return await repository.revision_of(session, job_id)


def _is_over(job: Job) -> bool:
    return job.status not in _LIVE
