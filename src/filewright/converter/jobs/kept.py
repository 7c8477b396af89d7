"""Jobs that are over, kept in this process as they were last seen, for those who look again.

Whoever looks asks the database, always, but only for the job's revision, which grows with everything that its owner can
see. Is it the one that is kept, so is all the rest, and need not be read, put together and written out again. So there
is no old view to be seen, whichever process made the change and whichever answers: nothing has to be announced, and
nothing can be missed.

Each process keeps its own. A job is looked at a few times after its end, and to have its view from Redis would cost as
much as to have it from the database; `docs/scaling.md` has the figures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from filewright.chassis.cache.port import Cache, Kind
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.states import PublicStatus

OVER = Kind[Job]("job", 1, weigh=lambda job: 6_000 + 1_500 * len(job.outputs), seconds=120.0)
_LIVE = frozenset({PublicStatus.QUEUED, PublicStatus.RUNNING})
"""A place in the queue changes without a revision; and what runs is another each time."""


async def unchanged(
    cache: Cache, revision_of: Callable[[str, str], Awaitable[int | None]], job_id: str, tenant: str
) -> Job | None:
    """The job as it is, if that is how it is kept; `revision_of` asks the database. None: look it up."""
    job = cache.peek(OVER, job_id)
    return job if job is not None and await revision_of(job_id, tenant) == job.revision else None


def keep(cache: Cache, job: Job) -> Job:
    """Remember it as it was just read, if it is over."""
    if job.status not in _LIVE:
        cache.put(OVER, job.id, job)
    return job
