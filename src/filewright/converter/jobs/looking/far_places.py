"""Places far back in the queue, remembered for a moment by all who ask.

Up to `FARTHEST_PLACE` a place is counted for each look. To count on would cost every look as much as all
wait, and those who wait look again and again. So where every tenth job of the queue stands is asked once in a while for
all of them, and whoever stands between two of those is told to be right behind the one before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from filewright.chassis.cache.port import Cache, Kind
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.converter.jobs.looking.views import Turn
from filewright.converter.jobs.statements.looking import MARKED, MARKS
from filewright.converter.jobs.statements.parts import FARTHEST_PLACE

_QUEUE = Kind[Sequence[Turn]]("queue", 1, weigh=lambda marks: 300 * len(marks), seconds=2.0)


class FarPlaces:
    """Of the whole queue, as it was two seconds ago at most."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database = database
        self._cache = cache

    async def place_of(self, turn: Turn) -> int:
        """Beyond those that are counted; never farther than it is, but for those who were served meanwhile."""
        marks = await self._cache.get(_QUEUE, "marks", self._marks)
        return max(MARKED * bisect_left(marks, turn), FARTHEST_PLACE) + 1

    @acting.by_system("a place counts everybody's jobs")
    async def _marks(self) -> Sequence[Turn]:
        return [tuple(row) for row in await self._database.ask(MARKS)]
