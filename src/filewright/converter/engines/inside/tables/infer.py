"""Find the types in columns of text without losing anything.

The law: a column becomes numbers, booleans or dates only when every value, written out again, is the text it was.
So `007`, `+49`, `1e5` and `1.0, 1.10` (versions) stay text. One relaxation: decimals that all have the same number of
places (`1.50, 2.25`) are numbers. Every row is looked at, not a sample.
"""

from __future__ import annotations

import polars as pl

_INTEGER = r"^(0|-?[1-9]\d{0,17})$"
_DECIMAL = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]\d+)?$"
_PLAIN_DECIMAL = r"^-?(0|[1-9]\d*)(\.\d*[1-9])?$"
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_DATETIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?$"
_EXACT_DIGITS = 15
_BOOLEANS = ({"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"})


def inferred(frame: pl.DataFrame, *, dates: bool) -> pl.DataFrame:
    """The frame with numbers and booleans, and dates where `dates` says that the target has them."""
    return frame.with_columns(_inferred(column, dates=dates) for column in frame.get_columns())


def _inferred(column: pl.Series, *, dates: bool) -> pl.Series:
    if column.dtype != pl.String or column.null_count() == column.len():
        return column
    for attempt in (_integers, _decimals, _booleans, *((_dates, _datetimes) if dates else ())):
        found = attempt(column)
        if found is not None:
            return found
    return column


def _all(column: pl.Series, pattern: str) -> bool:
    return bool(column.head(50).str.contains(pattern).all()) and bool(column.str.contains(pattern).all())


def _integers(column: pl.Series) -> pl.Series | None:
    return column.cast(pl.Int64) if _all(column, _INTEGER) else None


def _decimals(column: pl.Series) -> pl.Series | None:
    if not _all(column, _DECIMAL):
        return None
    numbers = column.cast(pl.Float64)
    exact = (column.str.replace_all(r"[-.]", "").str.len_chars() <= _EXACT_DIGITS) & (
        column.str.contains(_PLAIN_DECIMAL) | _same_places(column)
    )
    if bool(exact.all()):
        return numbers
    written_again = numbers.cast(pl.String) == column
    return numbers if bool((exact | written_again).all()) else None


def _same_places(column: pl.Series) -> bool:
    places = column.drop_nulls().str.extract(r"\.(\d+)$").str.len_chars().fill_null(0)
    return bool(places.n_unique() == 1)


def _booleans(column: pl.Series) -> pl.Series | None:
    words = set(column.head(50).drop_nulls())
    for pair in _BOOLEANS:
        if words <= pair and set(column.drop_nulls().unique()) <= pair:
            return column.str.to_lowercase() == "true"
    return None


def _dates(column: pl.Series) -> pl.Series | None:
    return _parsed(column, column.str.to_date("%Y-%m-%d", strict=False)) if _all(column, _DATE) else None


def _datetimes(column: pl.Series) -> pl.Series | None:
    if not _all(column, _DATETIME):
        return None
    return _parsed(column, column.str.replace("T", " ").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False))


def _parsed(column: pl.Series, parsed: pl.Series) -> pl.Series | None:
    return parsed if parsed.null_count() == column.null_count() else None
