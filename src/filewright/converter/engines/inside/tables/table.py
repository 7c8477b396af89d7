"""What a table is here: a polars frame, and the titles its source gave the columns.

Titles may repeat or be empty; a frame's column names may not. So a table keeps both, and a writer that can hold
repeated titles (CSV, workbooks) uses them while the rest use the frame's names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.tables.values import compact_json, readable

MAX_COLUMNS = 65_536
_MAX_DEPTH = 32
MAX_CELLS = 400_000_000


@dataclass(frozen=True)
class Table:
    """`text` tells that every value is still text as the source wrote it, so a typed target may look for numbers."""

    name: str
    frame: pl.DataFrame
    titles: tuple[str, ...]
    text: bool = False


def table(name: str, frame: pl.DataFrame, titles: Sequence[str] | None = None, *, text: bool = False) -> Table:
    """A table of `frame`, its columns renamed after `titles`, which default to the names it has."""
    given = tuple(frame.columns if titles is None else titles)
    check_size(frame.height, len(given))
    return Table(name, frame.rename(dict(zip(frame.columns, unique(given), strict=True))), given, text)


def check_size(rows: int, columns: int) -> None:
    """Refuse what would not fit into memory, or into any program that opens it."""
    if columns > MAX_COLUMNS or rows * max(1, columns) > MAX_CELLS:
        raise Refusal("resource_limit")


def unique(titles: Iterable[str]) -> list[str]:
    """The titles with empty ones named by their place and repeated ones numbered."""
    taken: set[str] = set()
    names: list[str] = []
    for place, title in enumerate(titles, start=1):
        base = title or f"column_{place}"
        name, number = base, 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        names.append(name)
    return names


def from_columns(name: str, columns: Mapping[str, Sequence[Any]]) -> Table:
    """A table of Python values; a column of mixed kinds becomes text, never null."""
    return table(name, pl.DataFrame([series(title, values) for title, values in columns.items()]))


def series(name: str, values: Sequence[Any]) -> pl.Series:
    """The narrowest column that holds all the values: of one type where they agree, of text where they do not."""
    try:
        return _as_it_is(name, values)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [plain(value) for value in values], dtype=pl.String)


def _as_it_is(name: str, values: Sequence[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return _numbers(name, values)
    if len(kinds) > 1 or (kinds & {list, dict} and _depth(values) > _MAX_DEPTH):
        raise TypeError("no column has such a type")
    return pl.Series(name, values, dtype=pl.String if not kinds or kinds == {str} else None, strict=True)


def _depth(value: Any) -> int:
    """Levels of lists and dicts, looked at one level at a time: recursion has its end where data has none."""
    depth, level = 0, [value]
    while level and depth <= _MAX_DEPTH + 1:
        depth += 1
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
    return depth


def _numbers(name: str, values: Sequence[Any]) -> pl.Series:
    exact = 2**53
    if any(isinstance(value, int) and abs(value) > exact for value in values):
        raise ValueError("a float would lose digits")
    return pl.Series(name, values, dtype=pl.Float64, strict=False)


def plain(value: Any) -> str | None:
    """One value as a person would write it into a cell."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return readable(value)
    if isinstance(value, dict | list):
        return compact_json(value)
    return str(value)
