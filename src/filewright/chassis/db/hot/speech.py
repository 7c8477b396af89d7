"""What a statement says differently to each kind of database: moments, lists, upserts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Dialect,
    Interval,
    Select,
    String,
    Table,
    bindparam,
    column,
    func,
    select,
    text,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.types import TypeEngine

from filewright.chassis.db.base import Json, UtcDateTime

T = TypeVar("T")

SQLITE = "sqlite"
NOW = "now"
AFTER = "now_after_"
"""Before the name of a value: that moment, later by it."""


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
        told = given(NOW, UtcDateTime())
        return func.coalesce(told, func.statement_timestamp()) if self.postgresql else told

    @property
    def now_after_waiting(self) -> ColumnElement[datetime]:
        """The moment at which this part of the statement is reached, which may have had to wait for a lock."""
        told = given(NOW, UtcDateTime())
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
        return given(AFTER + name, UtcDateTime())

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


def speech_of(dialect: Dialect) -> Speech:
    """The one for such a database."""
    return Speech(postgresql=dialect.name != SQLITE)
