"""All jobs of one tenant as one stream of what changed: for a page that shows many, and browsers that open few streams.

The stream looks at the database when a change is announced, and now and then in case an announcement got lost. While
the database is away it waits, and goes on where it was.
Each look compares what is there with what was told: the revisions of the jobs that are not over, their places in the
queue, and the moves (`job_events`) since the look before, for jobs that were born and ended between the two. What is
remembered is as much as a tenant may have jobs waiting at once, and the jobs are read a few at a time, so a slow reader
costs no memory.

To go on after a loss, a reader names the mark of the last change that it got. A mark is the database's time at the
look before: so everything of a look that was cut short comes again, and so does what happened shortly before, since a
move is dated a moment before it is committed. A change may come twice; none is left out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from filewright.chassis.coordination.port import Listener, Notifier
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.converter.jobs import repository, topics
from filewright.converter.jobs.forecasts.admission import Pressure
from filewright.converter.jobs.looking import views
from filewright.converter.jobs.looking.patience import Patience
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.states import JobState, PublicStatus

AT_ONCE = 50
"""Jobs that are read at a time."""
_LATEST_COMMIT = timedelta(seconds=30)
"""How long after the time in a move it may be committed: as long as a statement may take."""
_EXACT_PLACES = 20
_LIVE = frozenset({PublicStatus.QUEUED, PublicStatus.RUNNING})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Change:
    """A job as it is now, and the mark from which to go on when this is the last change that arrived."""

    mark: int
    job: Job


@dataclass(frozen=True)
class _Known:
    """What is known of a job without reading all of it."""

    revision: int
    live: bool
    place: int | None = None
    """In the queue; None when it does not wait."""


@dataclass(frozen=True)
class _Seen:
    """What one look found: the jobs that are not over, and those that moved not long ago."""

    at: datetime
    jobs: Mapping[str, _Known]


class Feed:
    """The stream of one tenant's jobs. `pause` is the least number of seconds between two looks."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        tenant: str,
        *,
        look_again: float,
        pause: float = 0.1,
        patience: Patience | None = None,
        pressure: Callable[[], Pressure] = Pressure,
    ) -> None:
        self._pressure = pressure
        self._database = database
        self._notifier = notifier
        self._tenant = tenant
        self._look_again = look_again
        self._pause = pause
        self._patiently = patience or Patience()

    async def changes(self, since: int | None = None) -> AsyncGenerator[Change, None]:
        """First every job that is not over and, with a mark, every one that changed since; then each change."""
        async with self._notifier.listen(topics.changed_of(self._tenant)) as listener:
            seen = await self._patiently(self._look, first=True)
            start = seen.at if since is None else min(seen.at, _EPOCH + since * _MICROSECOND)
            if since is not None:
                async for job in self._over_since(start - _LATEST_COMMIT):
                    yield Change(_mark(start), job)
            told: Mapping[str, _Known] = {job_id: known for job_id, known in seen.jobs.items() if not known.live}
            before = start
            while True:
                for job_ids in _batches(_news(told, seen.jobs)):
                    for job in await self._patiently(partial(self._read, job_ids, seen.jobs)):
                        yield Change(_mark(before), job)
                told, before = _remembered(told, seen.jobs), seen.at
                await self._wait(listener)
                seen = await self._patiently(partial(self._look, seen.at))

    async def _wait(self, listener: Listener) -> None:
        """Until there may be news. Changes that come thick and fast are told together."""
        await asyncio.sleep(self._pause)
        await listener.wait(self._look_again * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the looks

    async def _look(self, last: datetime | None = None) -> _Seen:
        """What there is now, and what moved since shortly before the last look."""
        async with self._database.read() as session:
            now = await self._database.now(session)
            live = await repository.live_revisions(session, self._tenant)
            waits = any(state is JobState.QUEUED for _, state in live.values())
            moved = await repository.moved_since(session, self._tenant, (last or now) - _LATEST_COMMIT)
        places = await self._places() if waits else {}
        jobs = {job_id: _Known(revision, live=False) for job_id, revision in moved.items()}
        jobs |= {
            job_id: _Known(revision, live=True, place=places.get(job_id)) for job_id, (revision, _) in live.items()
        }
        return _Seen(now, jobs)

    @acting.by_system("a place counts everybody's jobs")
    async def _places(self) -> Mapping[str, int]:
        async with self._database.read() as session:
            return await repository.places(session, self._tenant)

    async def _over_since(self, moment: datetime) -> AsyncIterator[Job]:
        """Jobs that moved since then and are over, by birth."""
        last = ""
        while True:
            moved = await self._patiently(partial(self._moved_since, moment, last))
            if not moved:
                return
            for job in await self._patiently(partial(self._read, list(moved), {})):
                if job.status not in _LIVE:
                    yield job
            last = max(moved)

    async def _moved_since(self, moment: datetime, after: str) -> Mapping[str, int]:
        async with self._database.read() as session:
            return await repository.moved_since(session, self._tenant, moment, after=after, limit=AT_ONCE)

    async def _read(self, job_ids: Sequence[str], known: Mapping[str, _Known]) -> Sequence[Job]:
        places = {job_id: known[job_id].place for job_id in job_ids if job_id in known}
        async with self._database.read() as session:
            rows = await repository.of_tenant(session, self._tenant, job_ids)
            return await views.jobs(session, rows, places, self._pressure())


def _news(told: Mapping[str, _Known], seen: Mapping[str, _Known]) -> Sequence[str]:
    """The jobs that a reader does not know as they are; also those that were not over and are nowhere to be seen."""
    changed = [job_id for job_id, known in seen.items() if _differs(told.get(job_id), known)]
    return changed + [job_id for job_id, known in told.items() if known.live and job_id not in seen]


def _differs(told: _Known | None, known: _Known) -> bool:
    if told is None or told.revision != known.revision:
        return True
    return known.place is not None and (told.place is None or _is_elsewhere(told.place, known.place))


def _is_elsewhere(told: int, place: int) -> bool:
    """Near the front every step counts; far behind, a tenth of the way: nobody reads more, and it would be news of
    every waiting job whenever one is taken.
    """
    return place != told if place <= _EXACT_PLACES else abs(place - told) > told / 10


def _remembered(told: Mapping[str, _Known], seen: Mapping[str, _Known]) -> Mapping[str, _Known]:
    """What a reader knows after it was told the news."""
    return {
        job_id: known if _differs(told.get(job_id), known) else replace(known, place=told[job_id].place)
        for job_id, known in seen.items()
    }


def _batches(job_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(job_ids), AT_ONCE):
        yield job_ids[start : start + AT_ONCE]


def _mark(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
