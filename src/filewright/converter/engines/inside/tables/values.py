"""Values that a plainer format cannot hold, brought into a form that it can.

Bytes become text when they are UTF-8 and base64 otherwise; nested values become JSON; times become ISO 8601.
"""

from __future__ import annotations

import base64
import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

NESTED = (pl.List, pl.Array, pl.Struct, pl.Map)


def readable(value: bytes) -> str:
    """Bytes as text: themselves when they are UTF-8, base64 otherwise."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(value).decode("ascii")


def compact_json(value: Any) -> str:
    """A nested value on one line."""
    return json.dumps(jsonable(value), ensure_ascii=False, separators=(",", ":"))


def jsonable(value: Any) -> Any:
    """The value in the types of JSON. What JSON has no word for (NaN, infinity) becomes null."""
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [jsonable(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return readable(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    return value


def is_nested(kind: pl.DataType) -> bool:
    """Whether a column of this type holds lists or records."""
    return isinstance(kind, NESTED)


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Records spread over columns `a.b`, lists as JSON: the frame has only simple values afterwards."""
    for _ in range(16):
        records = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Struct)]
        if not records or not _can_spread(frame, records):
            break
        frame = frame.unnest(records, separator=".")
    return frame.with_columns(as_json(frame[name]) for name, kind in frame.schema.items() if is_nested(kind))


def _can_spread(frame: pl.DataFrame, records: list[str]) -> bool:
    spread = [f"{name}.{field.name}" for name in records for field in frame.schema[name].fields]
    kept = [name for name in frame.columns if name not in records]
    return len({*spread, *kept}) == len(spread) + len(kept)


def as_json(column: pl.Series) -> pl.Series:
    """The column with each value as JSON text."""
    values = [None if value is None else compact_json(value) for value in column.to_list()]
    return pl.Series(column.name, values, dtype=pl.String)


def simple(frame: pl.DataFrame) -> pl.DataFrame:
    """Flat, and only types that every table program knows: text, numbers, booleans, dates and times."""
    frame = flat(frame)
    return frame.with_columns(_simple(column) for column in frame.get_columns())


def _simple(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, pl.Binary):
        values = [None if value is None else readable(value) for value in column.to_list()]
        return pl.Series(column.name, values, dtype=pl.String)
    if isinstance(kind, pl.Null | pl.Categorical | pl.Enum | pl.Object):
        return column.cast(pl.String)
    if isinstance(kind, pl.Decimal):
        return column.cast(pl.String)
    if isinstance(kind, pl.Duration):
        return pl.Series(column.name, [None if v is None else str(v) for v in column.to_list()], dtype=pl.String)
    return column


def times_as_text(frame: pl.DataFrame, between: str = " ") -> pl.DataFrame:
    """Dates and times in ISO 8601, with fractions of a second only where there are some."""
    return frame.with_columns(_time_as_text(column, between) for column in frame.get_columns())


def _time_as_text(column: pl.Series, between: str) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, pl.Date):
        return column.cast(pl.String)
    if isinstance(kind, pl.Time):
        return column.dt.to_string("%H:%M:%S" if _whole_seconds(column) else "%H:%M:%S%.f")
    if isinstance(kind, pl.Datetime):
        clock = "%H:%M:%S" if _whole_seconds(column) else "%H:%M:%S%.f"
        return column.dt.to_string(f"%Y-%m-%d{between}{clock}{'%:z' if kind.time_zone else ''}")
    return column


def _whole_seconds(column: pl.Series) -> bool:
    return bool((column.dt.nanosecond() == 0).all())
