"""Statements that every request or every job needs: built and compiled once, then run on the driver itself.

From a statement to its rows SQLAlchemy costs several times what the driver and the database do together. That is a
fair price for most of the program, and too much for the few statements that run all the time. Those are still written
in SQLAlchemy's language, so that tables and types have one home; only the way at run time is short.

    Look      one question, one trip; also without a unit of work
    Chain     one guarded change and all that follows from it, in one trip: nothing follows when no row matched

On PostgreSQL a chain is one statement with common table expressions, on SQLite a few in one visit to its thread. What
follows takes the row that was changed from `moved`, never from the table: on PostgreSQL no part of a statement sees
what another part writes.

A unit of work has said at its beginning for whom it is (`acting.py`). A statement that stands alone says so itself, on
PostgreSQL: its outermost condition sets the parameter that the policies look at. That condition names no column, so the
server asks it once, before it looks at any table ("One-Time Filter" in its plans; a test looks at each).
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Delete,
    Dialect,
    FromClause,
    Insert,
    Interval,
    Select,
    String,
    Table,
    Update,
    bindparam,
    column,
    func,
    literal_column,
    select,
    text,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlalchemy.types import TypeEngine

from filewright.chassis.clock import Clock
from filewright.chassis.db import acting
from filewright.chassis.db.base import Json, UtcDateTime
from filewright.chassis.db.onetrip import OneTripConnection
from filewright.chassis.db.onetrip_postgresql import OneTripConnection as OneTripPostgres

T = TypeVar("T")
Change = Insert | Update | Delete
Driver = OneTripConnection | OneTripPostgres
Values = Mapping[str, Any]
Rows = Sequence[Any]
"""Named tuples: the labels of the columns are the names."""

SQLITE = "sqlite"
_NOW = "now"
_AFTER = "now_after_"
_MOVED = "moved_"
_ACTING = "acting_for"
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error, OSError, TimeoutError)


def given(name: str, type_: TypeEngine[T]) -> BindParameter[T]:
    """A value that comes with each run; None when it does not."""
    return bindparam(name, None, type_=type_, required=False)


@dataclass(frozen=True)
class Speech:
    """What a statement has to know of the database that it is written for."""

    postgresql: bool

    @property
    def now(self) -> ColumnElement[datetime]:
        """The moment at which the statement begins, by the clock that decides (`Database.now`)."""
        told = given(_NOW, UtcDateTime())
        return func.coalesce(told, func.statement_timestamp()) if self.postgresql else told

    @property
    def now_after_waiting(self) -> ColumnElement[datetime]:
        """The moment at which this part of the statement is reached, which may have had to wait for a lock."""
        told = given(_NOW, UtcDateTime())
        return func.coalesce(told, func.clock_timestamp()) if self.postgresql else told

    def insert(self, table: Table) -> PostgresInsert | SqliteInsert:
        """An insert that can say what to do about a row that is there already."""
        return postgresql.insert(table) if self.postgresql else sqlite.insert(table)

    def among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """Whether the column is one of the numbers or texts of the value `name`, a list; of whatever length."""
        if self.postgresql:
            kind: TypeEngine[Any] = String() if isinstance(column.type, String) else BigInteger()
            return column == func.any(given(name, postgresql.ARRAY(kind)))
        return column.in_(select(func.json_each(given(name, Json)).table_valued("value").c.value))

    def among_pairs(self, columns: tuple[ColumnElement[str], ColumnElement[str]], name: str) -> ColumnElement[bool]:
        """Whether the two columns are one of the pairs of texts of the value `name`, a list; of whatever length."""
        told = given(name, Json)
        if self.postgresql:
            pair = func.jsonb_array_elements(told).table_valued(column("value", JSONB())).render_derived()
            return tuple_(*columns).in_(select(pair.c.value.op("->>")(0), pair.c.value.op("->>")(1)))
        pair = func.json_each(told).table_valued("value")
        return tuple_(*columns).in_(select(*(func.json_extract(pair.c.value, f"$[{n}]") for n in range(2))))

    def after(self, name: str) -> ColumnElement[datetime]:
        """That moment, later by the value `name`, a timedelta."""
        if self.postgresql:
            return self.now.op("+", return_type=UtcDateTime())(given(name, Interval()))
        return given(_AFTER + name, UtcDateTime())

    def later(self, moment: ColumnElement[datetime], seconds: ColumnElement[float] | float) -> ColumnElement[datetime]:
        """That moment of a row, later by so many seconds. SQLite counts it in whole milliseconds."""
        if self.postgresql:
            shift = func.make_interval(0, 0, 0, 0, 0, 0, seconds, type_=Interval())
            return moment.op("+", return_type=UtcDateTime())(shift)
        shifted = func.strftime("%Y-%m-%d %H:%M:%f000", moment, func.printf("%+.3f seconds", seconds))
        return type_coerce(shifted, UtcDateTime())

    def earliest(self, *moments: ColumnElement[datetime]) -> ColumnElement[datetime]:
        """The first of them."""
        return (func.least if self.postgresql else func.min)(*moments, type_=UtcDateTime())

    def latest(self, *moments: ColumnElement[datetime]) -> ColumnElement[datetime]:
        """The last of them."""
        return (func.greatest if self.postgresql else func.max)(*moments, type_=UtcDateTime())

    def month(self, moment: ColumnElement[datetime]) -> ColumnElement[str]:
        """The calendar month of a moment, in UTC, as `2026-11`."""
        if self.postgresql:
            return func.to_char(func.timezone("UTC", moment), "YYYY-MM", type_=String())
        return func.strftime("%Y-%m", moment, type_=String())

    def listed(self, rows: Select[Any]) -> ColumnElement[Any]:
        """The rows of that query as one value: a list of lists."""
        inner = rows.subquery()
        if self.postgresql:
            each = func.jsonb_agg(func.jsonb_build_array(*inner.c))
            return select(func.coalesce(each, text("'[]'::jsonb"), type_=Json)).select_from(inner).scalar_subquery()
        each = func.json_group_array(func.json_array(*inner.c))
        return select(func.coalesce(each, "[]", type_=Json)).select_from(inner).scalar_subquery()


@dataclass(frozen=True)
class Way:
    """A connection's own short way. `clock`: whose time counts, where it is not the database's."""

    driver: Driver
    dialect: Dialect
    clock: Clock | None


class Look:
    """A question."""

    def __init__(self, build: Callable[[Speech], Select[Any]]) -> None:
        self._build = build
        self._compiled: dict[tuple[str, bool], _Statement] = {}

    async def ask(self, way: Way, values: Values, *, alone: bool = False) -> Rows:
        """The answer. `alone`: outside of a unit of work. Raises DBAPIError."""
        statement = self._compiled.get((way.dialect.name, alone))
        if statement is None:
            statement = self._compiled[way.dialect.name, alone] = self.compiled(way.dialect, alone=alone)
        return await _run(way.driver, statement, None, _told(way, values, alone=alone))

    def compiled(self, dialect: Dialect, *, alone: bool) -> _Statement:
        """As it is sent."""
        question = self._build(_speech(dialect))
        return _Statement(_declaring(question) if alone and _has_policies(dialect) else question, dialect)


class Chain:
    """A change and what follows from it.

    `first` is guarded and returns the row it changed; then come the changes of `follow`, and in the end the row that
    `last` makes of it (None: the changed row itself).
    """

    def __init__(
        self,
        first: Callable[[Speech], Any],
        follow: Sequence[Callable[[FromClause, Speech], Change]] = (),
        last: Callable[[FromClause, Speech], Select[Any]] | None = None,
    ) -> None:
        self._first = first
        self._follow = follow
        self._last = last or (lambda moved, _speech: select(*moved.c))
        self._compiled: dict[tuple[str, bool], tuple[_Statement, _Sequel | None]] = {}

    async def make(self, way: Way, values: Values, *, alone: bool = False) -> Any:
        """The row at the end; None when the guard matched none. `alone`: as a unit of work of its own.

        Raises DBAPIError.
        """
        rows = await self.make_all(way, values, alone=alone)
        return rows[0] if rows else None

    async def make_all(self, way: Way, values: Values, *, alone: bool = False) -> Rows:
        """All rows at the end. Only on PostgreSQL does all that follows follow for more than one."""
        known = self._compiled.get((way.dialect.name, alone))
        if known is None:
            known = self._compiled[way.dialect.name, alone] = self.compiled(way.dialect, alone=alone)
        return await _run(way.driver, *known, _told(way, values, alone=alone), alone=alone)

    def compiled(self, dialect: Dialect, *, alone: bool) -> tuple[_Statement, _Sequel | None]:
        """As it is sent."""
        speech, first = _speech(dialect), self._first(_speech(dialect))
        if speech.postgresql:
            moved: FromClause = first.cte("moved")
            whole = self._last(moved, speech)
            for number, build in enumerate(self._follow):
                whole = whole.add_cte(build(moved, speech).cte(f"then_{number}"))
            return _Statement(_declaring(whole) if alone else whole, dialect), None
        returned = [given(_MOVED + column.key, column.type) for column in first.exported_columns]
        moved = select(*(value.label(value.key.removeprefix(_MOVED)) for value in returned)).subquery("moved")
        then = tuple(_Statement(build(moved, speech), dialect) for build in self._follow)
        return _Statement(first, dialect), _Sequel(then, _Statement(self._last(moved, speech), dialect))


class _Statement:
    """Compiled: its text, how values go in and how rows come out."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler)
        self.text = str(compiled)
        self._order = tuple(compiled.positiontup or ())
        self._into = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bind in ((name, compiled.binds.get(name)) for name in self._order)
            if bind is not None
        }
        fixed = {name: value for name, value in compiled.params.items() if value is not None} | _defaults(compiled)
        self._constants = {name: self._in(name, value) for name, value in fixed.items()}
        self._slots = tuple((name, None if name.startswith(_MOVED) else self._into.get(name)) for name in self._order)
        columns = tuple(getattr(statement, "exported_columns", ()))
        # PostgreSQL's driver gives values as they are meant: aware moments in UTC, JSON already read.
        self._out = tuple(
            (place, process)
            for place, column in enumerate(columns if dialect.name == SQLITE else ())
            if (process := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        )
        names = [column.key for column in columns]
        self._row: Any = namedtuple("Row", names) if names else None  # noqa: PYI024 - made at run time

    def arguments(self, values: Values) -> list[Any]:
        """In the order in which the text wants them. A value that was not given is None, if it is no constant."""
        constants, told = self._constants, []
        for name, process in self._slots:  # no process for what the database gave (`_MOVED`)
            if name in values:
                told.append(values[name] if process is None else process(values[name]))
            else:
                told.append(constants.get(name))
        return told

    def rows(self, found: Sequence[Any]) -> Rows:
        if self._row is None:
            return found
        if not self._out:
            return [self._row._make(raw) for raw in found]
        made = []
        for raw in found:
            row = list(raw)
            for place, process in self._out:
                row[place] = process(row[place])
            made.append(self._row._make(row))
        return made

    def _in(self, name: str, value: Any) -> Any:
        process = self._into.get(name)
        return value if process is None else process(value)


def _defaults(compiled: SQLCompiler) -> dict[str, Any]:
    """Of columns that an insert says nothing about: SQLAlchemy would put these in at run time."""
    found = {column.key: column.default for column in compiled.insert_prefetch or ()}
    return {key: default.arg for key, default in found.items() if isinstance(default, ScalarElementColumnDefault)}


@dataclass(frozen=True)
class _Sequel:
    """What SQLite does after the first statement of a chain, in the same trip."""

    then: tuple[_Statement, ...]
    last: _Statement


async def _run(
    driver: Driver, statement: _Statement, sequel: _Sequel | None, values: Values, *, alone: bool = False
) -> Rows:
    try:
        if isinstance(driver, OneTripConnection):
            found = await driver.trip(partial(_alone if alone else _in_its_thread, statement, sequel, values))
        else:
            found = await (await driver.prepare(statement.text)).fetch(*statement.arguments(values))
    except _FAILURES as error:
        cut = isinstance(driver, OneTripPostgres) and driver.is_closed()
        raise DBAPIError(statement.text, None, error, connection_invalidated=cut) from error
    return (sequel.last if sequel is not None else statement).rows(found)


def _in_its_thread(
    statement: _Statement, sequel: _Sequel | None, values: Values, connection: sqlite3.Connection
) -> Sequence[Any]:
    cursor = connection.execute(statement.text, statement.arguments(values))
    found = cursor.fetchall()
    if sequel is None or not found:
        return found
    names = [_MOVED + column[0] for column in cursor.description]
    values = {**values, **dict(zip(names, found[0], strict=True))}
    for following in sequel.then:
        connection.execute(following.text, following.arguments(values))
    return connection.execute(sequel.last.text, sequel.last.arguments(values)).fetchall()


def _alone(
    statement: _Statement, sequel: _Sequel | None, values: Values, connection: sqlite3.Connection
) -> Sequence[Any]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _in_its_thread(statement, sequel, values, connection)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return found


def _declaring(statement: Select[Any]) -> Select[Any]:
    """The same, and first of all it says for whom."""
    setting: ColumnElement[str] = literal_column(f"'{acting.SETTING}'")
    declared = select(func.set_config(setting, given(_ACTING, String()), literal_column("true"))).scalar_subquery()
    return statement.where(declared.is_not(None))


def _told(way: Way, values: Values, *, alone: bool) -> Values:
    """With all that the statement takes and its caller does not give."""
    if alone and _has_policies(way.dialect):
        values = {**values, _ACTING: acting.present()}
    return _timed(way, values)


def _timed(way: Way, values: Values) -> Values:
    """With the clock's time, where the database does not look at its own; the caller may have looked before."""
    now = values.get(_NOW) or (way.clock.now() if way.clock is not None else None)
    if now is None:
        return values
    if not isinstance(way.driver, OneTripConnection):
        return {**values, _NOW: now}
    later = {_AFTER + name: now + value for name, value in values.items() if hasattr(value, "total_seconds")}
    return {**values, **later, _NOW: now}


def _speech(dialect: Dialect) -> Speech:
    return Speech(postgresql=dialect.name != SQLITE)


def _has_policies(dialect: Dialect) -> bool:
    return dialect.name != SQLITE
