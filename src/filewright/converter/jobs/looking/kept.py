"""Jobs that are over or wait, kept in this process as they were last seen, for those who look again.

Whoever looks asks the database, always, but only for the job's revision, which grows with everything that its owner can
see, and for its place in the queue. Is the revision the one that is kept, so is all the rest, and need not be read, put
together and written out again. So there is no old view to be seen, whichever process made the change and whichever
answers: nothing has to be announced, and nothing can be missed.

Each process keeps its own. A job is looked at a few times after its end, and to have its view from Redis would cost as
much as to have it from the database; `docs/scaling.md` has the figures.
"""

from __future__ import annotations

from filewright.chassis.cache.port import Cache, Kind
from filewright.converter.jobs.looking.views import Seen
from filewright.converter.jobs.states import PublicStatus

SEEN = Kind[Seen]("job", 1, weigh=lambda seen: 6_000 + 1_500 * len(seen.job.outputs), seconds=120.0)


def keep(cache: Cache, seen: Seen) -> None:
    """Remember it as it was just read. Not while it runs: then it is another at each look."""
    if seen.job.status is not PublicStatus.RUNNING:
        cache.put(SEEN, seen.job.id, seen)
