"""One of several processes leads, for as long as it renews a lease in the database; the others stand ready.

A lease alone cannot keep two from acting at once: a process that was frozen believes in its lease until it looks at a
clock again. So each new leader gets a number larger than all before it, its term, and whatever a leader writes is
checked against that number in the same unit of work (`hold`). Whoever was overtaken is refused there, whatever it
believes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis import failpoints
from filewright.chassis.db.base import Base, BigInt
from filewright.chassis.db.database import Database
from filewright.chassis.db.dialect import end_if_silent, insert_or_ignore
from filewright.chassis.db.sessions import WriteSession
from filewright.chassis.telemetry.logs import get_logger

LEASE = timedelta(seconds=4)
ELECTED = failpoints.declare("leader.elected", "a process has become leader and does not know it yet")

log = get_logger(__name__)


class LeaderRow(Base):
    """Who leads in one matter, in which term, and until when unless renewed."""

    __tablename__ = "leaders"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str | None] = mapped_column(String(64))
    term: Mapped[int] = mapped_column(BigInt, default=0)
    until: Mapped[datetime]


class Deposed(Exception):
    """The lease ran out, or another has led since. Nothing may be written in its name."""


@dataclass(frozen=True)
class Term:
    """A claim to lead: true only while `Leader.hold` says so."""

    name: str
    holder: str
    number: int
    until: datetime


class Leader:
    """A candidate for leading in the matter `name`; `holder` is how it is called, and nobody else may be called so."""

    def __init__(self, database: Database, name: str, *, holder: str | None = None, lease: timedelta = LEASE) -> None:
        self._database = database
        self._name = name
        self._holder = holder or secrets.token_hex(8)
        self._lease = lease
        self._known: int | None = None

    async def campaign(self) -> Term | None:
        """Become leader when nobody leads, stay leader when this process does; None while another does.

        Call it several times within a lease. Raises DatabaseUnavailable: then nobody leads, sooner or later.
        """
        async with self._database.write() as session:
            term = await self._stand(session)
        failpoints.hit(ELECTED)
        number = term.number if term else None
        if number != self._known:
            log.info("leader_elected" if term else "leader_stepped_back", matter=self._name, term=number or self._known)
            self._known = number
        return term

    async def resign(self) -> None:
        """Lead no more, so that another need not wait for the lease to end. No harm if it did not lead."""
        async with self._database.write() as session:
            now = await self._database.now(session)
            mine = (LeaderRow.name == self._name) & (LeaderRow.holder == self._holder)
            await session.execute(update(LeaderRow).where(mine).values(holder=None, until=now))
        self._known = None

    async def hold(self, session: WriteSession, term: Term) -> None:
        """Make the unit of work depend on the term: until it ends, nobody else can become leader.

        Raises Deposed when the lease has run out or another term has begun.
        """
        await end_if_silent(session, self._lease)  # a leader frozen in here must not keep all others waiting
        row = await _locked(session, term.name)
        now = await self._database.now(session)
        if row is None or row.term != term.number or row.holder != term.holder or row.until <= now:
            raise Deposed(f"{term.name}: term {term.number} is over")

    async def _stand(self, session: WriteSession) -> Term | None:
        row = await _locked(session, self._name)
        if row is None:
            now = await self._database.now(session)
            await insert_or_ignore(session, LeaderRow, {"name": self._name, "term": 0, "until": now}, key=["name"])
            row = await _locked(session, self._name)
            if row is None:
                return None
        now = await self._database.now(session)  # after the lock was waited for
        if row.holder != self._holder or row.until <= now:
            if row.holder is not None and row.until > now:
                return None
            row.term += 1
        row.holder, row.until = self._holder, now + self._lease
        return Term(self._name, self._holder, row.term, row.until)


async def _locked(session: WriteSession, name: str) -> LeaderRow | None:
    one = select(LeaderRow).where(LeaderRow.name == name).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(one)).one_or_none()
