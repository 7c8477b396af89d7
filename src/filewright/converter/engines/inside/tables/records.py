"""JSON and NDJSON as tables: a list of objects is a table, and so are a few other shapes that people write.

[{"a": 1}, {"b": 2}]          a column per key, in order of appearance
{"a": [1, 2], "b": [3, 4]}    columns, when all lists are equally long
{"rows": [{...}, {...}]}      an object with one list of objects: that list
[[1, 2], [3, 4]], [1, 2]      rows without titles; one column `value`
anything else                 one record
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.documents.reading import parse_json
from filewright.converter.engines.inside.encoding import decode
from filewright.converter.engines.inside.tables.infer import inferred
from filewright.converter.engines.inside.tables.table import Table, check_size, series, table
from filewright.converter.engines.inside.tables.values import is_nested, jsonable, simple, times_as_text

_SHALLOW = 40
_EXACT = 2**53


def read_json(source: Path) -> list[Table]:
    """One table, whatever the shape."""
    return [table_of(_records(parse_json(decode(source.read_bytes()))))]


def read_ndjson(source: Path) -> list[Table]:
    """One JSON value per line; blank lines are passed over. Of a key that stands twice, one value is taken."""
    text = decode(source.read_bytes())
    if _depth(text) < _SHALLOW:
        try:
            frame = pl.read_ndjson(io.BytesIO(text.encode()), infer_schema_length=None)
            if frame.height == sum(1 for line in text.split("\n") if line.strip()) and _loses_nothing(frame):
                return [table("table", frame)]
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
    values = [parse_json(line) for line in text.split("\n") if line.strip()]
    if not values:
        raise Refusal("corrupt_input")
    return [table_of(_records(values))]


def _depth(text: str) -> int:
    """An upper bound of the nesting: brackets opened on the line that opens most."""
    return max((line.count("[") + line.count("{") for line in text.split("\n")), default=0)


def _loses_nothing(frame: pl.DataFrame) -> bool:
    """Polars quietly makes floats of integers that stand beside floats; large ones would lose digits."""
    floats = (column for column in frame.get_columns() if column.dtype.is_float())
    return bool(frame.width) and not any((column.abs() > _EXACT).any() for column in floats)


def _records(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return _from_list(value)
    if not isinstance(value, dict):
        return [{"value": value}]
    inner = [item for item in value.values() if isinstance(item, list) and item]
    if len(value) == 1 and inner and all(isinstance(item, dict) for item in inner[0]):
        return _from_list(inner[0])
    if len(inner) == len(value) > 0 and len({len(item) for item in inner}) == 1 and _all_scalars(inner):
        return [dict(zip(value, row, strict=True)) for row in zip(*inner, strict=True)]
    return [value]


def _all_scalars(lists: Iterable[list[Any]]) -> bool:
    return not any(isinstance(item, dict | list) for items in lists for item in items)


def _from_list(values: list[Any]) -> list[dict[str, Any]]:
    if values and all(isinstance(item, list) for item in values) and len(values) > 1:
        return [{f"column_{n}": cell for n, cell in enumerate(row, start=1)} for row in values]
    return [item if isinstance(item, dict) else {"value": item} for item in values]


def table_of(records: list[dict[str, Any]]) -> Table:
    """A column for each key that any record has; records without it have null there."""
    keys = list(dict.fromkeys(key for record in records for key in record))
    check_size(len(records), len(keys))
    columns = [series(key, [record.get(key) for record in records]) for key in keys]
    return table("table", pl.DataFrame(columns))


def write_json(tables: list[Table], out: Path) -> None:
    """A list of objects; with several tables, an object with one such list each."""
    with out.open("w", encoding="utf-8") as file:
        if len(tables) == 1:
            _write_list(file, tables[0])
            file.write("\n")
            return
        file.write("{")
        for place, given in enumerate(tables):
            file.write(",\n" if place else "\n")
            file.write(f"{json.dumps(given.name, ensure_ascii=False)}: ")
            _write_list(file, given)
        file.write("\n}\n")


def _write_list(file: Any, given: Table) -> None:
    separator = "[\n"
    for line in _lines(given):
        file.write(f"{separator}{line}")
        separator = ",\n"
    file.write("[]" if separator == "[\n" else "\n]")


def write_ndjson(tables: list[Table], out: Path) -> None:
    """One object per line."""
    [given] = tables
    with out.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _lines(given))
        if not given.frame.height:
            file.write("\n")  # a blank line is no record, and no program takes an empty file for a success


def _lines(given: Table) -> Iterable[str]:
    """Each record as one line of JSON: by polars when its columns are simple, by hand when they are nested."""
    frame = inferred(given.frame, dates=False) if given.text else given.frame
    if any(is_nested(kind) or kind.is_decimal() for kind in frame.dtypes):
        return (json.dumps(jsonable(row), ensure_ascii=False) for row in frame.iter_rows(named=True))
    frame = times_as_text(simple(frame), between="T").with_columns(_finite(frame))
    return frame.write_ndjson().splitlines() if frame.width else []


def _finite(frame: pl.DataFrame) -> list[pl.Expr]:
    floats = [name for name, kind in frame.schema.items() if kind.is_float()]
    return [pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in floats]
