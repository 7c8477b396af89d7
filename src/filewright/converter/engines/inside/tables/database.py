"""SQLite. Only stored tables are read, read-only and with the file's own code switched off.

A view or a virtual table may compute for ever, so they are left out; triggers and functions never run on reading.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.engines.inside.tables.infer import inferred
from filewright.converter.engines.inside.tables.table import Table, check_size, from_columns, unique
from filewright.converter.engines.inside.tables.values import simple

_TYPES = {pl.Boolean: "BOOLEAN", pl.Date: "DATE", pl.Float32: "REAL", pl.Float64: "REAL", pl.Time: "TIME"}
_LARGEST = 2**63 - 1


def read(source: Path) -> list[Table]:
    """Every stored table, in the order of the file."""
    with (
        refusing("corrupt_input", sqlite3.DatabaseError, OverflowError),
        closing(sqlite3.connect(f"file:{source}?mode=ro&immutable=1", uri=True)) as database,
    ):
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        database.text_factory = _text
        tables = [_read(database, name) for name in _stored_tables(database)]
    if not tables:
        raise Refusal("unsupported_conversion")
    return tables


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _stored_tables(database: sqlite3.Connection) -> list[str]:
    """The tables with data; a GeoPackage says itself which of its tables are its own book-keeping."""
    rows = database.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rowid"
    )
    names = [name for (name,) in rows]
    if "gpkg_contents" not in names:
        return names
    return [name for (name,) in database.execute("SELECT table_name FROM gpkg_contents") if name in names]


def _read(database: sqlite3.Connection, name: str) -> Table:
    cursor = database.execute(f"SELECT * FROM {_quoted(name)}")  # noqa: S608
    titles = [column[0] for column in cursor.description]
    columns: list[list[Any]] = [[] for _ in titles]
    for row in cursor:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        if not len(columns[0]) % 100_000:
            check_size(len(columns[0]), len(columns))
    return from_columns(name, dict(zip(unique(titles), columns, strict=True)))


def write(tables: list[Table], out: Path) -> None:
    """A table for each; dates and times as ISO 8601 text, which is what SQLite's own functions read."""
    names = unique(given.name for given in tables)
    with closing(sqlite3.connect(out)) as database, database:
        for name, given in zip(names, tables, strict=True):
            _write(database, name, simple(inferred(given.frame, dates=False) if given.text else given.frame))


def _write(database: sqlite3.Connection, name: str, frame: pl.DataFrame) -> None:
    if not frame.width:
        raise Refusal("unsupported_conversion")
    names = _different_whatever_the_case(frame.columns)
    columns = ", ".join(f"{_quoted(title)} {_type(kind)}" for title, kind in zip(names, frame.dtypes, strict=True))
    database.execute(f"CREATE TABLE {_quoted(name)} ({columns})")
    places = ", ".join("?" * frame.width)
    database.executemany(f"INSERT INTO {_quoted(name)} VALUES ({places})", _rows(frame))  # noqa: S608


def _different_whatever_the_case(titles: list[str]) -> list[str]:
    taken: set[str] = set()
    names = []
    for title in titles:
        name, number = title, 2
        while name.lower() in taken:
            name, number = f"{title}_{number}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def _rows(frame: pl.DataFrame) -> Iterable[tuple[Any, ...]]:
    return (tuple(_value(value) for value in row) for row in frame.iter_rows())


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return str(value)
    return value


def _type(kind: pl.DataType) -> str:
    if kind.is_integer():
        return "INTEGER"
    if isinstance(kind, pl.Datetime):
        return "TIMESTAMP"
    return _TYPES.get(type(kind), "TEXT")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
