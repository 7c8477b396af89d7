"""Things done once per interval in the whole system, however many processes could do them.

A tick is a name and the moment at which it was due, and that pair can be written down once. Writing it is fenced by the
leader's term (`leader.py`), so neither two leaders nor one that was frozen can make a second effect. The moments come
from the database's clock and are whole multiples of the interval, so that every process names the same tick alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import String, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis import failpoints
from filewright.chassis.coordination.leader import Deposed, Leader, Term
from filewright.chassis.db.base import Base, BigInt
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.db.dialect import insert_or_ignore
from filewright.chassis.db.sessions import WriteSession
from filewright.chassis.telemetry.logs import get_logger

WRITTEN = failpoints.declare("tick.written", "a tick and its effect are written and not committed")
KEPT = timedelta(days=1)
_FORGET_EVERY = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = get_logger(__name__)

Effect = Callable[[WriteSession], Awaitable[object]]


class TickRow(Base):
    """A tick that was done, and in which term."""

    __tablename__ = "ticks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    term: Mapped[int] = mapped_column(BigInt)
    done_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True)
class Schedule:
    """Do `effect` once per `every`. It works in the tick's own unit of work: all of it happens, or the tick does not.

    What takes long or leaves the database is announced there (through the outbox, or after the commit), not done.
    """

    name: str
    every: timedelta
    effect: Effect


class Ticks:
    """Fires ticks in the name of a leader."""

    def __init__(self, database: Database, leader: Leader) -> None:
        self._database = database
        self._leader = leader

    async def fire(self, term: Term, name: str, due_at: datetime, effect: Effect) -> bool:
        """Do the tick, unless it was done; tells whether this call did it. Raises Deposed, DatabaseUnavailable."""
        async with self._database.write() as session:
            await self._leader.hold(session, term)
            tick = {"name": name, "due_at": due_at, "term": term.number}
            if not await insert_or_ignore(session, TickRow, tick, key=["name", "due_at"]):
                return False
            await effect(session)
            await session.flush()
            failpoints.hit(WRITTEN)
        return True

    async def newest(self, name: str) -> datetime | None:
        """When the newest tick of that name was due."""
        async with self._database.read() as session:
            return (await session.scalars(select(func.max(TickRow.due_at)).where(TickRow.name == name))).one()

    async def forget(self, before: datetime) -> None:
        """Drop what was due before that moment: nobody fires it again."""
        async with self._database.write() as session:
            await session.execute(delete(TickRow).where(TickRow.due_at < before))


class Beat:
    """Call `run_once` more often than the shortest interval; any number of processes may."""

    def __init__(self, database: Database, leader: Leader, schedules: Sequence[Schedule]) -> None:
        self._database = database
        self._leader = leader
        self._ticks = Ticks(database, leader)
        self._schedules = schedules
        self._fired: dict[str, datetime] = {}
        self._forgot: datetime | None = None

    async def run_once(self) -> int:
        """Do what is due, if this process leads; how many ticks it did. What was missed is not made up for.

        Raises DatabaseUnavailable.
        """
        term = await self._leader.campaign()
        if term is None:
            return 0
        fired = 0
        for schedule in self._schedules:
            try:
                fired += await self._fire(term, schedule)
            except Deposed:
                log.warning("beat_deposed", matter=term.name, term=term.number)
                return fired
            except DatabaseUnavailable:
                raise
            except Exception:
                # One schedule's failure is not another's; its tick was not written and comes again at the next run.
                log.exception("tick_failed", tick=schedule.name)
        return fired

    async def _fire(self, term: Term, schedule: Schedule) -> bool:
        async with self._database.read() as session:
            now = await self._database.now(session)
        due = last_due(now, schedule.every)
        if self._fired.get(schedule.name) == due:
            return False
        done = await self._ticks.fire(term, schedule.name, due, schedule.effect)
        self._fired[schedule.name] = due
        if self._forgot is None or now - self._forgot >= _FORGET_EVERY:
            await self._ticks.forget(now - KEPT)
            self._forgot = now
        return done


def last_due(now: datetime, every: timedelta) -> datetime:
    """The newest whole multiple of the interval that is not after `now`."""
    return now - (now - _EPOCH) % every
