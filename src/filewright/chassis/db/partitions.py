"""Tables that only grow are cut by time: a piece for each day or month, made before it is needed, dropped when old.

Dropping a piece is instant whatever it held, and a query for last week never touches last year. On PostgreSQL the
pieces are range partitions; SQLite has none, so there old rows are deleted in batches, and everything else is the same.

    made ahead   so that no row ever waits for a piece, and an upkeep that stands still for days does no harm
    default      takes rows for which there is no piece; they are moved when there is one, and told about until then
    dropped      by the bounds that the database has, never by a piece's name

A step that would have to wait for a lock gives up quickly and is done at the next round: a row must never queue behind
upkeep.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import pairwise

from sqlalchemy import Table, bindparam, func, literal, select, table, text
from sqlalchemy.engine import CursorResult

from filewright.chassis.db import rowsecurity
from filewright.chassis.db.base import UtcDateTime
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.db.dialect import POSTGRESQL
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

BATCH = 1_000
_LOCK_SECONDS = 2
_BOUNDS = re.compile(r"FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)")
_MOST_COUNTED = 10_000


class Span(Enum):
    """How long a piece is."""

    DAY = "day"
    MONTH = "month"

    def start(self, moment: datetime) -> datetime:
        """The beginning, in UTC, of the piece that holds the moment."""
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return day if self is Span.DAY else day.replace(day=1)

    def after(self, start: datetime) -> datetime:
        """The beginning of the next piece."""
        return self.start(start + timedelta(days=1 if self is Span.DAY else 31))


@dataclass(frozen=True)
class Partitioned:
    """A table that is cut, by which column, and for how long its rows are kept."""

    table: Table
    column: str
    span: Span
    ahead: int
    """Pieces that are there beyond the present one."""
    keep: timedelta
    passes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By database: what lets rows be deleted that triggers keep, and what ends that, in one unit of work."""

    @property
    def default(self) -> str:
        """The piece for rows that no other piece takes."""
        return f"{self.table.name}_default"

    def wanted(self, now: datetime) -> list[tuple[datetime, datetime]]:
        """The pieces that should be there by now."""
        starts = [self.span.start(now)]
        for _ in range(self.ahead + 1):
            starts.append(self.span.after(starts[-1]))
        return list(pairwise(starts))


@dataclass(frozen=True)
class Piece:
    """A partition that exists, with the bounds that the database has for it."""

    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Tended:
    """What one round has done and found."""

    made: int = 0
    dropped: int = 0
    deleted: int = 0
    ahead: int = 0
    """Pieces that lie wholly in the future."""
    strays: int = 0
    """Rows in the default piece; none, as long as clocks are right and upkeep runs."""


async def tend(database: Database, kept: Partitioned) -> Tended:
    """One round for one table: make what is wanted, drop what is old, look for strays. Raises DatabaseUnavailable."""
    async with database.read() as session:
        now = await database.now(session)
        protected = database.dialect == POSTGRESQL and await rowsecurity.protects(session, kept.table.name)
    if database.dialect != POSTGRESQL:
        oldest = now - kept.keep  # what is guarded goes by whole pieces here, too: a chain is cut where one ends
        before = kept.span.start(oldest) if kept.passes else oldest
        return Tended(deleted=await _delete_older(database, kept.table.name, kept, before))
    made = dropped = 0
    for start, end in _missing(kept.wanted(now), await pieces(database, kept)):
        made += await _in_a_moment(database, kept, _making(kept, start, end, protected=protected))
    for piece in await pieces(database, kept):
        if piece.end <= now - kept.keep:
            dropped += await _in_a_moment(database, kept, _dropping(kept, piece))
    deleted = await _delete_older(database, kept.default, kept, now - kept.keep)
    ahead = sum(piece.start > now for piece in await pieces(database, kept))
    strays = await _strays(database, kept)
    if strays:
        log.warning("rows_without_partition", table=kept.table.name, rows=strays)
    return Tended(made, dropped, deleted, ahead, strays)


async def pieces(database: Database, kept: Partitioned) -> list[Piece]:
    """The partitions there are, without the default, in the order of time."""
    statement = text(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = CAST(:parent AS regclass)"
    )
    async with database.read() as session:
        rows = (await session.execute(statement, {"parent": kept.table.name})).all()
    found = [(name, _BOUNDS.fullmatch(bounds)) for name, bounds in rows]
    known = (Piece(name, _moment(bounds[1]), _moment(bounds[2])) for name, bounds in found if bounds is not None)
    return sorted(known, key=lambda piece: piece.start)


def _missing(wanted: Sequence[tuple[datetime, datetime]], there: Sequence[Piece]) -> list[tuple[datetime, datetime]]:
    """What of the wanted time no piece covers; pieces of another length than now wanted are left as they are."""
    missing = []
    for start, end in wanted:
        reached = start
        for piece in there:
            if piece.end <= reached or piece.start >= end:
                continue
            if piece.start > reached:
                missing.append((reached, piece.start))
            reached = max(reached, piece.end)
        if reached < end:
            missing.append((reached, end))
    return missing


def _making(kept: Partitioned, start: datetime, end: datetime, *, protected: bool) -> list[str]:
    """A piece is filled before it is attached, which locks the table for nobody: only the default stands still."""
    table, default = kept.table.name, kept.default
    name = f"{table}_p{start:%Y%m%d}"
    inside = f"{kept.column} >= '{start.isoformat()}' AND {kept.column} < '{end.isoformat()}'"
    return [
        f"LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE",
        f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS, CONSTRAINT {name}_bounds CHECK ({inside}))",
        f"WITH moved AS (DELETE FROM {default} WHERE {inside} RETURNING *) INSERT INTO {name} SELECT * FROM moved",  # noqa: S608 - names of our own tables
        *(rowsecurity.protecting(name) if protected else ()),
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')",
        f"ALTER TABLE {name} DROP CONSTRAINT {name}_bounds",
    ]


def _dropping(kept: Partitioned, piece: Piece) -> list[str]:
    return [f"ALTER TABLE {kept.table.name} DETACH PARTITION {piece.name}", f"DROP TABLE {piece.name}"]


async def _in_a_moment(database: Database, kept: Partitioned, statements: Sequence[str]) -> bool:
    """Carry this out as one unit of work, or leave it to the next round when somebody is in the way."""
    try:
        async with database.write() as session:
            await session.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
            connection = await session.connection()
            for statement in _passing(database, kept, statements):
                await connection.exec_driver_sql(statement)
    except DatabaseUnavailable:
        log.info("partition_left_to_next_round", table=kept.table.name, statement=statements[-1])
        return False
    return True


def _passing(database: Database, kept: Partitioned, statements: Sequence[str]) -> Sequence[str]:
    before, after = kept.passes.get(database.dialect, ("", ""))
    return [statement for statement in (before, *statements, after) if statement]


async def _delete_older(database: Database, name: str, kept: Partitioned, moment: datetime) -> int:
    """Delete rows before that moment, a batch at a time: nobody waits for all of them."""
    row = "ctid" if database.dialect == POSTGRESQL else "rowid"
    statement = text(
        f"DELETE FROM {name} WHERE {row} IN (SELECT {row} FROM {name} WHERE {kept.column} < :moment LIMIT {BATCH})"  # noqa: S608 - names of our own tables
    ).bindparams(bindparam("moment", moment, type_=UtcDateTime()))
    deleted = 0
    while True:
        async with database.write() as session:
            before, after = kept.passes.get(database.dialect, ("", ""))
            if before:
                await session.execute(text(before))
            result = await session.execute(statement)
            if after:
                await session.execute(text(after))
        assert isinstance(result, CursorResult)
        deleted += result.rowcount
        if result.rowcount < BATCH:
            return deleted


async def _strays(database: Database, kept: Partitioned) -> int:
    some = select(literal(1)).select_from(table(kept.default)).limit(_MOST_COUNTED).subquery()
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(some))).scalar_one()


def _moment(text_of_it: str) -> datetime:
    """The database tells bounds in the time zone of its session."""
    return datetime.fromisoformat(text_of_it).astimezone(UTC)
