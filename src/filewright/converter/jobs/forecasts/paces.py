"""What is known of how long work takes: learned where jobs run, kept in the database, asked where orders are taken.

Nothing of it is on the way of an order or a job: a run is noted in memory when it is over, a loop writes what was noted
every few seconds and reads what others have written, and an estimate is made of what is in memory. What a crash loses
are the runs of those seconds. Nothing that is kept names a tenant, a file or a moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.dialect import insert_or_ignore
from filewright.converter.conversion.orders import Converted
from filewright.converter.jobs.forecasts.pace import MOST_RUNS, Pace, Run, kind_of, manner_of
from filewright.converter.jobs.models import PaceRow
from filewright.converter.jobs.orders import Planned
from filewright.converter.operations.orders import OrderedStep

EVERY_SECONDS = 5.0
_LATEST_COMMIT = timedelta(seconds=30)
"""What was written at a moment may be seen so much later."""


class Paces:
    """One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: defaultdict[str, list[Run]] = defaultdict(list)
        self._known: dict[str, Pace] = {}
        self._read_to: datetime | None = None
        self._asked = True

    def note(
        self,
        done: Converted,
        options: Mapping[str, object],
        steps: Sequence[OrderedStep],
        *,
        size: int,
        seconds: float,
    ) -> None:
        """A run is over that went as planned."""
        if not done.fallen_back_from:
            runs = self._noted[kind_of(done.route)]
            if len(runs) < MOST_RUNS:
                runs.append(Run.of(size, seconds, manner_of(options, steps)))

    def estimated(self, planned: Planned, size: int) -> Planned:
        """The same, with what is known of how long it takes for so many bytes."""
        self._asked = True
        plan = planned.plan
        known = self._known.get(kind_of(plan.route))
        if known is None:
            return planned
        manner = manner_of(plan.options, planned.steps)
        seconds = known.seconds(size, manner, plan.estimated_seconds)
        return replace(planned, plan=replace(plan, estimated_seconds=seconds))

    async def exchange_once(self) -> int:
        """Write what was noted; read what there is new, if anybody asks here. How many kinds were written."""
        kinds = sorted(self._noted)
        for kind in kinds:
            runs = list(self._noted[kind])
            await self._write(kind, runs)
            del self._noted[kind][: len(runs)]
            if not self._noted[kind]:
                del self._noted[kind]
        if self._asked:
            self._asked = False
            await self._read()
        return len(kinds)

    async def _write(self, kind: str, runs: Sequence[Run]) -> None:
        async def add(session: WriteSession) -> None:
            now = await self._database.now(session)
            await insert_or_ignore(session, PaceRow, {"kind": kind, "runs": [], "updated_at": now}, key=("kind",))
            row = (await session.scalars(select(PaceRow).where(PaceRow.kind == kind).with_for_update())).one()
            row.runs = [*row.runs, *(run.as_json() for run in runs)][-MOST_RUNS:]
            row.updated_at = now

        await self._database.transact(add)

    async def _read(self) -> None:
        statement = select(PaceRow.kind, PaceRow.runs)
        if self._read_to is not None:
            statement = statement.where(PaceRow.updated_at >= self._read_to - _LATEST_COMMIT)
        async with self._database.read() as session:
            self._read_to = await self._database.now(session)
            rows = (await session.execute(statement)).all()
        for kind, runs in rows:
            if runs:
                self._known[kind] = Pace([Run(size, took, int(manner)) for size, took, manner in runs])
