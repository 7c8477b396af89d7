"""Facts about sheets, rows, columns and cells."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Mapping
from typing import Any

import openpyxl

from corpus.facts.delivery import Delivery, holds, letters, missing_from, plain
from corpus.facts.reading import Grid
from filewright.converter.formats.catalogue import FORMATS, Family

Facts = Mapping[str, Any]
_BOOKS = frozenset({"xlsx", "xltx", "xls", "ods", "fods"})
_WORDY = frozenset({"html", "md", "docx", "odt", "pdf", "rst", "org", "txt", "rtf", "tex", "epub", "fb2", "docbook"})


def sheets(names: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """Names and order of the sheets of a workbook."""
    if delivery.target not in _BOOKS:
        return None
    found = list(delivery.grids or {})
    return "" if found == names else f"sheets {found}, not {names}"


def hidden_sheets(names: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """A hidden sheet is there, and stays hidden."""
    if delivery.target not in {"xlsx", "xltx"}:
        return None
    found = [sheet.title for sheet in openpyxl.load_workbook(delivery.first) if sheet.sheet_state != "visible"]
    return "" if found == names else f"hidden {found}, not {names}"


def cell(wanted: Mapping[str, Any], delivery: Delivery, facts: Facts) -> str | None:
    """A value of the first sheet; in a workbook at its place, in a table anywhere, in a text as words.

    A printed sheet, and text taken from one, shows of a text what its column has room for: at least the first word.
    """
    if delivery.target in {"xlsx", "xltx"}:
        return _in_workbook(wanted, delivery)
    hidden = facts.get("hidden_sheets", [])
    if facts["sheets"][0] in hidden and delivery.target not in _BOOKS:
        return None
    if delivery.grids is not None and delivery.grids:
        grid = next(iter(delivery.grids.values()))
        return "" if any(_same(wanted, item) for row in grid for item in row) else f"{_shown(wanted)} is in no cell"
    if "value" in wanted and delivery.target in _WORDY and delivery.text is not None:
        shown = str(wanted["value"])
        return missing_from(delivery.text, shown.split(maxsplit=1)[0] if delivery.target == "pdf" else shown)
    return None


def first_sheet(extent: list[int], delivery: Delivery, facts: Facts) -> str | None:
    """At least the rows that hold something in the source; empty rows at the end may go."""
    if delivery.target not in {"csv", "tsv", "xlsx", "xltx", "ods"} or not delivery.grids:
        return None
    if facts["sheets"][0] in facts.get("hidden_sheets", []) and delivery.target not in _BOOKS:
        return None
    grid = next(iter(delivery.grids.values()))
    rows = max((number for number, row in enumerate(grid, 1) if any(c not in (None, "") for c in row)), default=0)
    return "" if rows <= extent[0] else f"{rows} rows with content, of {extent[0]}"


def rows(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """As many records."""
    if not delivery.grids or FORMATS[delivery.target].family is Family.GEO:
        return None
    found = len(_filled(next(iter(delivery.grids.values())))) - 1
    return "" if found == count else f"{found} rows, not {count}"


def records(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """As many records, the header counted."""
    return rows(count - 1, delivery, facts)


def columns(wanted: list[str] | int, delivery: Delivery, facts: Facts) -> str | None:
    """As many columns, or these names."""
    if isinstance(wanted, int):
        if not delivery.grids:
            return None
        found = len(next(iter(delivery.grids.values()))[0])
        return "" if found == wanted else f"{found} columns, not {wanted}"
    return header(wanted, delivery, facts)


def header(names: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """The names of the columns, in their order; in a text, as words."""
    if delivery.grids:
        found = [str(name) for name in next(iter(delivery.grids.values()))[0]]
        if found == names or _flattened(found, names):
            return ""
        return f"columns {found[:6]}, not {names[:6]}"
    if delivery.target not in _WORDY or delivery.text is None:
        return None
    return next((reason for name in names if (reason := missing_from(delivery.text, name))), "")


def last_row(wanted: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """The first cells of the last record; numbers may have become numbers, and dates dates."""
    if not delivery.grids:
        return None
    found = _filled(next(iter(delivery.grids.values())))[-1]
    pairs = list(zip(wanted[:4], found[:4], strict=False))
    wrong = [(one, other) for one, other in pairs if not _same({"value": one}, other)]
    return f"the last row has {wrong[0][1]!r} for {wrong[0][0]!r}" if wrong else ""


def database_tables(counts: Mapping[str, int] | int, delivery: Delivery, facts: Facts) -> str | None:
    """The rows of each table of a database."""
    if isinstance(counts, int) or not delivery.grids:
        return None
    found = [len(_filled(grid)) - 1 for grid in delivery.grids.values()]
    return "" if sorted(found) == sorted(counts.values()) else f"tables with {found} rows, not {list(counts.values())}"


def date_system(year: int, delivery: Delivery, facts: Facts) -> str | None:
    """Shown by the date in a cell, which is its own fact."""
    return None


def _in_workbook(wanted: Mapping[str, Any], delivery: Delivery) -> str:
    book = openpyxl.load_workbook(delivery.first, data_only=True)
    found = book.worksheets[0][wanted["ref"]].value
    if not _same(wanted, found):
        return f"{wanted['ref']} holds {found!r}, not {_shown(wanted)}"
    if "formula" in wanted and delivery.source_format in {"xlsx", "xlsm"}:
        kept = openpyxl.load_workbook(delivery.first).worksheets[0][wanted["ref"]].value
        if kept != wanted["formula"]:
            return f"{wanted['ref']} holds {kept!r}, not the formula {wanted['formula']!r}"
    return ""


def _same(wanted: Mapping[str, Any], found: object) -> bool:
    if "date" in wanted:
        day = found.date() if isinstance(found, datetime.datetime) else found
        return str(day).startswith(wanted["date"])
    value = wanted.get("value")
    try:
        if float(str(value)) == float(str(found)):
            return True
    except ValueError:
        pass
    percent = str(value).removesuffix("%")
    if percent != str(value) and isinstance(found, int | float):
        return abs(float(percent) / 100 - found) < 1e-9
    return found is not None and (plain(str(found)) == plain(str(value)) or holds(plain(str(found)), str(value)))


def _shown(wanted: Mapping[str, Any]) -> str:
    return repr(wanted.get("value", wanted.get("date")))[:60]


def _filled(grid: Grid) -> Grid:
    return [row for row in grid if any(item not in (None, "") for item in row)]


def _flattened(found: list[str], names: list[str]) -> bool:
    """Nested columns become several, named after theirs."""
    return all(any(letters(one) == letters(name) or one.startswith(f"{name}.") for one in found) for name in names)


def is_package(delivery: Delivery) -> bool:
    return zipfile.is_zipfile(delivery.first)
