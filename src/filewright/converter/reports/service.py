"""Reports, as those who run the service read them: from the near cache, the far one, the view, and last the rows.

On PostgreSQL the view is asked anew by a tick that one process does for all (`refreshing`), and with it what was kept
of the old answer is dropped everywhere. On SQLite the question itself is asked, once a minute at most.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from filewright.chassis.cache.port import Cache, Kind, Shared
from filewright.chassis.clock import Clock
from filewright.chassis.coordination.ticks import Schedule
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.materialized import has_views, refresh
from filewright.converter.reports import source
from filewright.converter.reports.conversions import ConversionsOfDay, Counted, report

EVERY = timedelta(minutes=5)
"""Between two refreshes of the view."""
LOOK_SECONDS = 60.0
"""Between two looks whether it is time; much less than the interval, so that a lost leader costs little."""
MOST_DAYS = 90
_ALL = "all"


@dataclass(frozen=True)
class Source:
    """What the report is made from, and until when it has everything."""

    as_of: datetime
    counted: tuple[Counted, ...]


@dataclass(frozen=True)
class ConversionReport:
    """The last days, newest first."""

    as_of: datetime
    lines: tuple[ConversionsOfDay, ...]


class Reports:
    """`conversions` is for readers, `refreshing` for the beat."""

    def __init__(self, database: Database, cache: Cache, clock: Clock) -> None:
        self._database = database
        self._cache = cache
        self._clock = clock

    async def conversions(self, days: int) -> ConversionReport:
        """The report on the last days, today among them. Raises DatabaseUnavailable."""
        found = await self._cache.get(CONVERSIONS, _ALL, self._read)
        since = self._clock.now().date() - timedelta(days=min(days, MOST_DAYS) - 1)
        return ConversionReport(found.as_of, tuple(report(found.counted, since)))

    def refreshing(self) -> Schedule:
        """Ask the view's question anew. Does nothing where the database keeps no views."""
        return Schedule(source.TICK, EVERY, self._refresh)

    async def _refresh(self, session: WriteSession) -> None:
        if has_views(session):
            await refresh(session, source.VIEW)
            session.after_commit(lambda: self._cache.drop(CONVERSIONS, _ALL))

    @acting.by_system("a report is about everybody, and read once for all who ask")
    async def _read(self) -> Source:
        async with self._database.read() as session:
            as_of = await source.as_of(session, await self._database.now(session))
            return Source(as_of, tuple(await source.counted(session)))


def _encode(found: Source) -> bytes:
    return orjson.dumps({"as_of": found.as_of, "counted": [asdict(row) for row in found.counted]})


def _decode(data: bytes) -> Source:
    try:
        said = orjson.loads(data)
        return Source(datetime.fromisoformat(said["as_of"]), tuple(_counted(row) for row in said["counted"]))
    except (KeyError, TypeError) as error:
        raise ValueError("this is no source of a report") from error


def _counted(row: dict[str, Any]) -> Counted:
    return Counted(**{**row, "day": date.fromisoformat(row["day"]), "within": tuple(row["within"])})


CONVERSIONS = Kind[Source](
    "report-conversions",
    1,
    weigh=lambda found: 600 * len(found.counted),
    seconds=60.0,
    # To sum up a year of jobs can take seconds; the others wait for the one that does it.
    shared=Shared(_encode, _decode, lease=30.0, patience=20.0),
)
