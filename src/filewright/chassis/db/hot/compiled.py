"""A statement as it is sent: compiled once, and from then on only its values change."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from filewright.chassis.db.hot.speech import SQLITE

Values = Mapping[str, Any]
Rows = Sequence[Any]
"""Named tuples: the labels of the columns are the names."""

MOVED = "moved_"
"""Before the name of a column: what the statement before gave for it, on SQLite."""


class Statement:
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
        self._slots = tuple((name, None if name.startswith(MOVED) else self._into.get(name)) for name in self._order)
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
        for name, process in self._slots:  # no process for what the database gave (`MOVED`)
            if name in values:
                told.append(values[name] if process is None else process(values[name]))
            else:
                told.append(constants.get(name))
        return told

    def rows(self, found: Sequence[Any]) -> Rows:
        """What the driver found, as it is read."""
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
class Sequel:
    """What SQLite does after the first statement of a chain, in the same trip."""

    then: tuple[Statement, ...]
    last: Statement
