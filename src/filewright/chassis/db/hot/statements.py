"""The two kinds of hot statements: a question, and a change with what follows from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Dialect,
    FromClause,
    Insert,
    Select,
    String,
    Update,
    func,
    literal_column,
    select,
)

from filewright.chassis.db import acting
from filewright.chassis.db.hot.compiled import MOVED, Rows, Sequel, Statement, Values
from filewright.chassis.db.hot.speech import AFTER, NOW, SQLITE, Speech, given, speech_of
from filewright.chassis.db.hot.trips import Way, in_its_thread, run
from filewright.chassis.db.onetrip import OneTripConnection

Change = Insert | Update | Delete
_ACTING = "acting_for"


class Look:
    """A question."""

    def __init__(self, build: Callable[[Speech], Select[Any]]) -> None:
        self._build = build
        self._compiled: dict[tuple[str, bool], Statement] = {}

    async def ask(self, way: Way, values: Values, *, alone: bool = False) -> Rows:
        """The answer. `alone`: outside of a unit of work. Raises DBAPIError."""
        statement = self._compiled.get((way.dialect.name, alone))
        if statement is None:
            statement = self._compiled[way.dialect.name, alone] = self.compiled(way.dialect, alone=alone)
        return await run(way.driver, statement, None, _told(way, values, alone=alone), quick=alone)

    def compiled(self, dialect: Dialect, *, alone: bool) -> Statement:
        """As it is sent."""
        question = self._build(speech_of(dialect))
        return Statement(_declaring(question) if alone and _has_policies(dialect) else question, dialect)


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
        *,
        durable: bool = True,
    ) -> None:
        """Not `durable`: where it stands alone it waits for no disk. It outlives the death of every process, and may be
        gone when the power fails or PostgreSQL crashes within the second.
        """
        self._durable = durable
        self._first = first
        self._follow = follow
        self._last = last or (lambda moved, _speech: select(*moved.c))
        self._compiled: dict[tuple[str, bool], tuple[Statement, Sequel | None]] = {}

    async def make(self, way: Way, values: Values, *, alone: bool = False) -> Any:
        """The row at the end; None when the guard matched none. `alone`: as a unit of work of its own.

        Raises DBAPIError.
        """
        rows = await self.make_all(way, values, alone=alone)
        return rows[0] if rows else None

    async def make_all(self, way: Way, values: Values, *, alone: bool = False) -> Rows:
        """All rows at the end. Only on PostgreSQL does all that follows follow for more than one."""
        known = self._known(way.dialect, alone=alone)
        values = _told(way, values, alone=alone)
        return await run(way.driver, *known, values, alone=alone, durable=self._durable)

    def made_here(self, way: Way, values: Values, connection: sqlite3.Connection) -> Any:
        """As `make`, for who is in the connection's thread and in a unit of work. Raises sqlite3.Error."""
        statement, sequel = self._known(way.dialect, alone=False)
        found = in_its_thread(statement, sequel, _timed(way, values), connection)
        rows = (sequel.last if sequel is not None else statement).rows(found)
        return rows[0] if rows else None

    def _known(self, dialect: Dialect, *, alone: bool) -> tuple[Statement, Sequel | None]:
        known = self._compiled.get((dialect.name, alone))
        if known is None:
            known = self._compiled[dialect.name, alone] = self.compiled(dialect, alone=alone)
        return known

    def compiled(self, dialect: Dialect, *, alone: bool) -> tuple[Statement, Sequel | None]:
        """As it is sent."""
        speech, first = speech_of(dialect), self._first(speech_of(dialect))
        if speech.postgresql:
            moved: FromClause = first.cte("moved")
            whole = self._last(moved, speech)
            for number, build in enumerate(self._follow):
                whole = whole.add_cte(build(moved, speech).cte(f"then_{number}"))
            if alone:
                whole = _declaring(whole)
            if alone and not self._durable:
                whole = _setting(whole, "synchronous_commit", literal_column("'off'"))
            return Statement(whole, dialect), None
        returned = [given(MOVED + column.key, column.type) for column in first.exported_columns]
        moved = select(*(value.label(value.key.removeprefix(MOVED)) for value in returned)).subquery("moved")
        then = tuple(Statement(build(moved, speech), dialect) for build in self._follow)
        return Statement(first, dialect), Sequel(then, Statement(self._last(moved, speech), dialect))


def _declaring(statement: Select[Any]) -> Select[Any]:
    """The same, and first of all it says for whom."""
    return _setting(statement, acting.SETTING, given(_ACTING, String()))


def _setting(statement: Select[Any], name: str, value: ColumnElement[str]) -> Select[Any]:
    """The same, and for as long as it runs the database has that setting."""
    setting: ColumnElement[str] = literal_column(f"'{name}'")
    declared = select(func.set_config(setting, value, literal_column("true"))).scalar_subquery()
    return statement.where(declared.is_not(None))


def _told(way: Way, values: Values, *, alone: bool) -> Values:
    """With all that the statement takes and its caller does not give."""
    if alone and _has_policies(way.dialect):
        values = {**values, _ACTING: acting.present()}
    return _timed(way, values)


def _timed(way: Way, values: Values) -> Values:
    """With the clock's time, where the database does not look at its own; the caller may have looked before."""
    now = values.get(NOW) or (way.clock.now() if way.clock is not None else None)
    if now is None:
        return values
    if not isinstance(way.driver, OneTripConnection):
        return {**values, NOW: now}
    later = {AFTER + name: now + value for name, value in values.items() if hasattr(value, "total_seconds")}
    return {**values, **later, NOW: now}


def _has_policies(dialect: Dialect) -> bool:
    return dialect.name != SQLITE
