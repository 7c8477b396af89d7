"""The door to the tables: read the source, choose what the target can hold, write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.engines.inside.tables import (
    columnar,
    database,
    dbase,
    pages,
    records,
    separated,
    statistics,
    workbook,
)
from filewright.converter.engines.inside.tables.table import Table

_TEXT_TARGETS = {"csv", "tsv", "html", "md", "txt"}
_HOLDS_MANY = {"xlsx", "sqlite", "json", "html", "md", "txt"}
_OF_ALL_SHEETS = _HOLDS_MANY - {"json"}
"""Unless one is named. JSON of several sheets has another shape than that of one, so it is not a matter of the file."""


def convert(
    report: Report, source: str, source_format: str, target: str, options: Mapping[str, Any], password: str | None
) -> list[str]:
    """One file for a target that holds several tables or when there is one table; else one file for each table."""
    tables = _read(Path(source), source_format, target, options)
    report(0.5)
    with refusing("resource_limit", RecursionError):
        if len(tables) == 1 or target in _HOLDS_MANY:
            return [_write(tables, f"output.{target}", target)]
        return [_write([one], f"output-{n:04}.{target}", target) for n, one in enumerate(tables, start=1)]


def _read(source: Path, source_format: str, target: str, options: Mapping[str, Any]) -> list[Table]:
    header = bool(options.get("header", True))
    match source_format:
        case "csv" | "tsv":
            return separated.read(source, source_format, header=header)
        case "json":
            return records.read_json(source)
        case "ndjson":
            return records.read_ndjson(source)
        case "parquet" | "arrow" | "avro":
            return columnar.read(source, source_format)
        case "sqlite":
            return database.read(source)
        case "dbf":
            return dbase.read(source)
        case "sas7bdat" | "sav" | "dta":
            return statistics.read(source, source_format)
        case _:
            text, sheet = target in _TEXT_TARGETS, str(options.get("sheet", ""))
            default = "all" if target in _OF_ALL_SHEETS else ""
            return workbook.read(source, sheet or default, text=text, header=header)


def _write(tables: list[Table], name: str, target: str) -> str:
    out = Path("out") / name
    match target:
        case "csv" | "tsv":
            separated.write(tables, out, target)
        case "json":
            records.write_json(tables, out)
        case "ndjson":
            records.write_ndjson(tables, out)
        case "parquet" | "arrow" | "avro":
            columnar.write(tables, out, target)
        case "sqlite":
            database.write(tables, out)
        case "xlsx":
            workbook.write(tables, out)
        case "html":
            pages.write_html(tables, out)
        case "md":
            pages.write_md(tables, out)
        case "txt":
            pages.write_txt(tables, out)
        case _:
            raise Refusal("unsupported_conversion")
    return name
