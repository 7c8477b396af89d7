"""Learn what people make of a kind of file, and suggest it to the next one.

A choice is counted in memory when a job is accepted, and written by a loop of `maintenance` every few seconds, all at
once. So accepting a job neither waits for the count nor fails with it, and the row of a pair that everybody wants
(Word to PDF) is not fought over by every request: each process touches it once in a few seconds. What a crash loses
are the choices of those seconds, which nobody misses.

What other processes have counted is read again by the same loop: once a minute, and at each turn for a while after
this process had something to write, since a front spreads what people choose over all. What this one has counted is
suggested at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select

from filewright.chassis.clock import Clock
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.dialect import add_up
from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.choices.models import ChoiceRow
from filewright.converter.choices.order import growth, suggested

log = get_logger(__name__)

_SETTLING_SECONDS = 12.0
"""In this time all others have written what they counted when this process counted."""
_ROWS_AT_ONCE = 500
"""In one statement; PostgreSQL takes 32,767 values, SQLite as many."""


class Choices:
    """One per process. With `learning` off nothing is counted, read or written: what is usual is what is suggested."""

    def __init__(
        self, database: Database, clock: Clock, *, learning: bool = True, read_again_seconds: float = 60.0
    ) -> None:
        self._database = database
        self._clock = clock
        self.learning = learning
        self._read_again = read_again_seconds
        self._read_at: float | None = None
        self._settled_at = 0.0
        self._stored: Mapping[str, Mapping[str, float]] = {}
        self._fresh: Counter[tuple[str, str]] = Counter()
        self.revision = 0
        """Grows with each exchange that may have changed suggestions: for those who keep what they made of them."""

    def count(self, source: str, target: str) -> None:
        """Somebody chose this target for this source. Never waits and never fails."""
        if self.learning:
            self._fresh[source, target] += 1

    def suggest(self, source: str, possible: Collection[str]) -> Sequence[str]:
        """The likeliest of the possible targets, best first; `possible` is in the order that breaks ties."""
        if not self.learning:
            return suggested(source, possible, {})
        chosen = dict(self._stored.get(source, {}))
        for (start, target), times in self._fresh.items():
            if start == source:
                chosen[target] = chosen.get(target, 0.0) + times
        return suggested(source, possible, chosen)

    async def exchange_once(self) -> int:
        """Write what was counted, read what others have; how many pairs were written."""
        if not self.learning:
            return 0
        written, now = await self._write(), self._clock.monotonic()
        if written:
            self._settled_at = now + _SETTLING_SECONDS
        if self._read_at is None or now - self._read_at >= self._read_again or now < self._settled_at:
            await self._read()
        return written

    async def close(self) -> None:
        """Write the last choices, if that is possible now."""
        try:
            await self._write()
        except DatabaseUnavailable:
            log.info("choices_not_written", pairs=len(self._fresh))

    async def _write(self) -> int:
        taken = self._fresh.copy()
        if not taken:
            return 0

        async def add(session: WriteSession) -> None:
            each = growth(await self._database.now(session))
            # In one order, so that two processes that write at once wait for one another and never in a circle.
            rows = [
                {"source": source, "target": target, "weight": times * each}
                for (source, target), times in sorted(taken.items())
            ]
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                await add_up(session, ChoiceRow, rows[start : start + _ROWS_AT_ONCE], sums=["weight"])

        await self._database.transact(add)
        self._move_to_stored(taken)
        return len(taken)

    def _move_to_stored(self, written: Counter[tuple[str, str]]) -> None:
        """From here on they are among what is read; until it is read again, as if it had been."""
        stored = {source: dict(chosen) for source, chosen in self._stored.items()}
        for (source, target), times in written.items():
            chosen = stored.setdefault(source, {})
            chosen[target] = chosen.get(target, 0.0) + times
        self._stored = stored
        self._fresh -= written

    async def _read(self) -> None:
        async with self._database.read() as session:
            now = growth(await self._database.now(session))
            rows = (await session.execute(select(ChoiceRow.source, ChoiceRow.target, ChoiceRow.weight))).all()
        stored: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for source, target, weight in rows:
            stored[source][target] = weight / now
        self._stored = dict(stored)
        self._read_at = self._clock.monotonic()
        self.revision += 1
