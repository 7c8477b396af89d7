"""One look at the database for all who wait here, in case an announcement got lost.

Ten thousand listeners that each looked for themselves every two seconds would be more work than all else an API process
does. So the process looks once for all of them: it asks for the revisions of the jobs that somebody here listens to, in
a few statements, and wakes those whose job is not as it was at the look before. Listeners go by announcements and by
this, and look for themselves only once in a long while.

One thing is never announced: that others were served, so that who waits has moved up in the queue. Whoever watches all
jobs of a tenant is told that as well, some tenants at each look, so that a long queue is no storm of looks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import case, func, select

from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database
from filewright.chassis.db.sessions import ReadSession
from filewright.converter.jobs import topics
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.states import LIVE, JobState

AT_ONCE = 1000
PLACES_AT_ONCE = 200
EVERY_SECONDS = 2.0
OWN_LOOK_SECONDS = 300.0
"""After which a listener looks for itself, where a process has a lookout."""

T = TypeVar("T")
Seen = Mapping[str, tuple[int, ...]]
"""What is to be compared, by job or tenant."""
_GONE = (-1,)
"""Of a job that is not there any more."""
_NOTHING = (0, 0, 0)
"""Of a tenant: no job that is not over."""


class Lookout:
    """`run_once` is for a loop of every process that has listeners."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier
        self._jobs: Seen = {}
        self._tenants: Seen = {}
        self._queue: Sequence[object] = ()
        self._moved_up: dict[str, None] = {}
        """Tenants whose jobs may have moved up since they were told."""

    async def run_once(self) -> int:
        """Look, and wake who has news. Nothing is ever left over, so nothing is told to be."""
        changed = self._listened(topics.CHANGED)
        over = self._listened(topics.OVER)
        tenants = self._listened(topics.CHANGED_OF)
        jobs = changed.keys() | over.keys()
        if not jobs and not tenants:
            self._jobs, self._tenants, self._moved_up = {}, {}, {}
            return 0
        async with self._database.read() as session:
            seen_jobs = await _revisions(session, jobs)
            seen_tenants = await _of_tenants(session, tenants)
            waiting = [tenant for tenant, (_, _, queued) in seen_tenants.items() if queued]
            queue = await _queue(session) if waiting else ()
        if queue != self._queue:
            self._moved_up |= dict.fromkeys(waiting)
        for listened, before, now in (
            (changed, self._jobs, seen_jobs),
            (over, self._jobs, seen_jobs),
            (tenants, self._tenants, seen_tenants),
        ):
            self._wake(listened, before, now)
        self._wake_who_moved_up(tenants)
        self._jobs, self._tenants, self._queue = seen_jobs, seen_tenants, queue
        return 0

    def _listened(self, family: str) -> Mapping[str, str]:
        """The topics of a family, by what they are about."""
        return {topic.removeprefix(f"{family}:"): topic for topic in self._notifier.listened(family)}

    def _wake(self, listened: Mapping[str, str], before: Seen, now: Seen) -> None:
        """Whoever listens to something that is not as it was, or that is looked at for the first time; but not who has
        nothing yet, since of these very many may come at once.
        """
        for about, topic in listened.items():
            if now.get(about) != before.get(about, _NOTHING):
                self._notifier.wake(topic)

    def _wake_who_moved_up(self, listened: Mapping[str, str]) -> None:
        for tenant in list(islice(self._moved_up, PLACES_AT_ONCE)):
            del self._moved_up[tenant]
            if tenant in listened:
                self._notifier.wake(listened[tenant])


async def _revisions(session: ReadSession, jobs: Collection[str]) -> Seen:
    seen: dict[str, tuple[int, ...]] = dict.fromkeys(jobs, _GONE)
    for some in _batches(jobs):
        rows = await session.execute(select(JobRow.id, JobRow.revision).where(JobRow.id.in_(some)))
        seen |= {job: (revision,) for job, revision in rows}
    return seen


async def _of_tenants(session: ReadSession, tenants: Collection[str]) -> Seen:
    """How many jobs they have that are not over, the sum of their revisions, and how many of them wait: any change of
    any job changes these.
    """
    seen: dict[str, tuple[int, ...]] = dict.fromkeys(tenants, _NOTHING)
    queued = func.sum(case((JobRow.state == JobState.QUEUED, 1), else_=0))
    for some in _batches(tenants):
        query = (
            select(JobRow.tenant, func.count(), func.sum(JobRow.revision), queued)
            .where(JobRow.tenant.in_(some), JobRow.state.in_(LIVE))
            .group_by(JobRow.tenant)
        )
        seen |= {tenant: tuple(map(int, numbers)) for tenant, *numbers in await session.execute(query)}
    return seen


async def _queue(session: ReadSession) -> Sequence[object]:
    """What changes when somebody in front is served: how many wait in each lane, and since when the first."""
    query = (
        select(JobRow.lane, func.count(), func.min(JobRow.queued_at))
        .where(JobRow.state == JobState.QUEUED)
        .group_by(JobRow.lane)
        .order_by(JobRow.lane)
    )
    return [tuple(row) for row in await session.execute(query)]


def _batches(items: Collection[T]) -> Iterator[Sequence[T]]:
    rest = iter(items)
    while some := list(islice(rest, AT_ONCE)):
        yield some
