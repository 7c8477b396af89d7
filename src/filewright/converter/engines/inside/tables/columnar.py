"""Parquet, Arrow and Avro, read and written by polars. What the file claims is checked before memory is spent."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import polars as pl

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.engines.inside.tables import parquet_footer
from filewright.converter.engines.inside.tables.infer import inferred
from filewright.converter.engines.inside.tables.table import Table, check_size, table, unique
from filewright.converter.engines.inside.tables.values import as_json, flat, simple, times_as_text

_NOT_IN_AVRO_NAMES = re.compile(r"[^A-Za-z0-9_]")


def read(source: Path, source_format: str) -> list[Table]:
    """The one table of the file."""
    if source_format == "parquet":
        return [table("table", read_parquet(source)[0])]
    file = io.BytesIO(source.read_bytes())
    with refusing("corrupt_input", pl.exceptions.PolarsError, OSError, ValueError):
        return [table("table", pl.read_avro(file) if source_format == "avro" else _read_arrow(file))]


def read_parquet(source: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The frame, and the names of the columns whose logical type says that they hold geometries."""
    with refusing("corrupt_input", pl.exceptions.PolarsError, OSError, ValueError):
        found = parquet_footer.plain(source.read_bytes())
        file = io.BytesIO(found.data)
        rows = pl.scan_parquet(file).select(pl.len()).collect().item()
        check_size(rows, len(pl.read_parquet_schema(file)))
        file.seek(0)
        return pl.read_parquet(file), found.geometries


def _read_arrow(file: io.BytesIO) -> pl.DataFrame:
    """A file, or a bare stream when it does not begin with the file's magic."""
    if file.getvalue().startswith(b"ARROW1"):
        return pl.read_ipc(file)
    return pl.read_ipc_stream(file)


def write(tables: list[Table], out: Path, target: str) -> None:
    """The first table, with the types that its text allows."""
    [given] = tables
    frame = inferred(given.frame, dates=True) if given.text else given.frame
    if not frame.width:
        raise Refusal("unsupported_conversion")
    frame = _storable(frame)
    if target == "parquet":
        frame = _without_empty_records(frame)
        frame.write_parquet(out, compression="zstd")
    elif target == "arrow":
        frame.write_ipc(out, compression="uncompressed", compat_level=pl.CompatLevel.oldest())
    else:
        _for_avro(frame).write_avro(out, compression="deflate", name="Record")


def _storable(frame: pl.DataFrame) -> pl.DataFrame:
    """Types that few readers know, as text: a column of nothing but nulls, integers of more than 64 bits."""
    rare = {pl.Null, pl.Int128, pl.UInt128}
    return frame.with_columns(pl.col(name).cast(pl.String) for name, kind in frame.schema.items() if kind in rare)


def _without_empty_records(frame: pl.DataFrame) -> pl.DataFrame:
    """Parquet has no record without fields: a column with one somewhere inside becomes JSON."""
    return frame.with_columns(as_json(frame[name]) for name, kind in frame.schema.items() if _holds_nothing(kind))


def _holds_nothing(kind: pl.DataType) -> bool:
    if isinstance(kind, pl.Struct):
        return not kind.fields or any(_holds_nothing(_instance(field.dtype)) for field in kind.fields)
    if isinstance(kind, pl.List | pl.Array):
        return _holds_nothing(_instance(kind.inner))
    return False


def _instance(kind: Any) -> pl.DataType:
    """A type may be given as its class."""
    return kind() if isinstance(kind, type) else kind


def _for_avro(frame: pl.DataFrame) -> pl.DataFrame:
    """Names of letters, digits and `_`, and only types that Avro has."""
    frame = times_as_text(simple(flat(frame)), between="T")
    names = [_avro_name(title) for title in frame.columns]
    return frame.with_columns(_avro_type(column) for column in frame.get_columns()).rename(
        dict(zip(frame.columns, unique(names), strict=True))
    )


def _avro_name(title: str) -> str:
    name = _NOT_IN_AVRO_NAMES.sub("_", title)
    return f"_{name}" if not name or name[0].isdigit() else name


def _avro_type(column: pl.Series) -> pl.Series:
    kind: Any = column.dtype
    if kind == pl.UInt64:
        return column.cast(pl.String)
    return column.cast(pl.Int64) if kind.is_integer() and kind not in {pl.Int32, pl.Int64} else column
