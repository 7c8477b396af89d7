"""SAS, SPSS and Stata files, read by ReadStat. Values stay as stored; labels are the programs' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyreadstat

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.engines.inside.tables.table import Table, check_size, series, table
from filewright.converter.engines.inside.tables.workbook import whole_numbers

_READERS = {"sas7bdat": pyreadstat.read_sas7bdat, "sav": pyreadstat.read_sav, "dta": pyreadstat.read_dta}


def read(source: Path, source_format: str) -> list[Table]:
    """The one data set. Text that is not in the encoding the file claims is read as Windows-1252."""
    path = str(source)
    with refusing("corrupt_input", pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError):
        _, header = _READERS[source_format](path, metadataonly=True, output_format="dict")
        check_size(header.number_rows or 0, header.number_columns or 0)
        columns, _ = _read(_READERS[source_format], path)
    frame = pl.DataFrame([series(name, _list(values)) for name, values in columns.items()])
    if header.number_rows not in {None, frame.height} and frame.width:
        raise Refusal("corrupt_input")
    return [table("table", whole_numbers(frame))]


def _read(reader: Any, path: str) -> Any:
    try:
        return reader(path, output_format="dict")
    except UnicodeDecodeError:
        return reader(path, output_format="dict", encoding="WINDOWS-1252")


def _list(values: Any) -> list[Any]:
    """Python values; the not-a-number by which ReadStat says `missing` is null."""
    return [None if value != value else value for value in values]  # noqa: PLR0124
