"""Workbooks. Reading is by calamine (through fastexcel), which sees values only: formulas by their cached result.

Writing is by xlsxwriter, row by row. Text stays text: a value that begins with `=` is no formula and one that looks
like an address is no link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import xlsxwriter

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.engines.inside.tables.infer import inferred
from filewright.converter.engines.inside.tables.table import Table, check_size, table, unique
from filewright.converter.engines.inside.tables.values import simple

_MAX_ROWS, _MAX_COLUMNS, _MAX_CHARACTERS = 1_048_576, 16_384, 32_767
_EXACT = 10**15
_FORBIDDEN_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_MIDNIGHT = r"^(\d{4}-\d{2}-\d{2}) 00:00:00$"
_FIRST_DAY = date(1900, 3, 1)
_MEASURED_ROWS = 1_000
_NARROWEST, _WIDEST = 8.43, 60
"""Widths of columns, in digits: what a program gives by itself, and where a text should rather be cut."""
_PAGE_WIDTH, _READABLE_WIDTH = 85, 300
"""In the same measure: an upright sheet of paper, and a row that still can be read when it is made to fit a page."""
_BOLDER = 1.15
_LONGEST_LINE = 200
_FIRST_WIDE = "\u1100"
"""Excel believes in a 29 February 1900; dates before it would come out a day off, so they are written as text."""


getLogger("fastexcel").setLevel(ERROR)  # it warns of every empty column


def read(source: Path, sheet: str, *, text: bool, header: bool = True) -> list[Table]:
    """The sheets that `sheet` means: a name, a number from 1, `all`, or nothing for the first visible one with values.

    `text` asks for every value as text, exactly; otherwise columns are typed where all their values agree. Then a sheet
    of one row is taken for a record without titles: titles without a record would lose all there is.
    """
    with refusing("corrupt_input", fastexcel.FastExcelError):
        book = _open(source)
        wanted = _wanted(book, sheet)
        tables = (_read(book, name, text=text, header=header) for name in wanted)
        if sheet == "all":
            return [found for found in tables if found.frame.height or found.titles]
        return _first_with_values(tables)


def _open(source: Path) -> Any:
    try:
        return fastexcel.read_excel(str(source))
    except fastexcel.CalamineError as error:
        if "password" in str(error).lower():
            raise Refusal("password_required") from error
        raise


def _wanted(book: Any, sheet: str) -> list[str]:
    names: list[str] = list(book.sheet_names)
    if sheet in names:
        return [sheet]
    if sheet.isdigit() and 1 <= int(sheet) <= len(names):
        return [names[int(sheet) - 1]]
    if sheet not in {"", "all"}:
        raise Refusal("unsupported_conversion")
    visible = [name for name in names if book.load_sheet(name, header_row=None, n_rows=1).visible == "visible"]
    return visible or names


def _first_with_values(tables: Iterable[Table]) -> list[Table]:
    empty: list[Table] = []
    for found in tables:
        if found.frame.height or found.titles:
            return [found]
        empty = empty or [found]
    if not empty:
        raise Refusal("corrupt_input")
    return empty


def _read(book: Any, name: str, *, text: bool, header: bool) -> Table:
    cells = _as_text(book, name)
    check_size(cells.height, cells.width)
    if not text and (not header or cells.height == 1):
        return table(name, cells, [f"column_{n}" for n in range(1, cells.width + 1)], text=True)
    if cells.is_empty():
        return table(name, cells)
    titles = [title or "" for title in cells.row(0)]
    if text:
        return table(name, cells.slice(1), titles)
    typed = book.load_sheet(name, header_row=0, schema_sample_rows=None, column_names=unique(titles)).to_polars()
    return table(name, _agreeing(typed, cells.slice(1)), titles)


def _as_text(book: Any, name: str) -> pl.DataFrame:
    cells: pl.DataFrame = book.load_sheet(name, header_row=None, dtypes="string").to_polars()
    return cells.with_columns(pl.all().str.replace(_MIDNIGHT, "$1"))


def _agreeing(typed: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """The typed columns, but text where typing would lose a value: mixed columns have nulls that the text has not."""
    if typed.shape != cells.shape:
        return inferred(cells, dates=True)
    columns = []
    for column, as_text in zip(typed.get_columns(), cells.get_columns(), strict=True):
        lost = column.null_count() != as_text.null_count()
        columns.append((as_text if lost or column.dtype == pl.String else column).alias(column.name))
    return _whole_numbers(_midnights(pl.DataFrame(columns)))


def _midnights(frame: pl.DataFrame) -> pl.DataFrame:
    """Date-times that are all at midnight are dates: a workbook does not tell the two apart."""
    return frame.with_columns(
        column.cast(pl.Date)
        for column in frame.get_columns()
        if isinstance(column.dtype, pl.Datetime) and bool((column == column.dt.truncate("1d")).all())
    )


def _whole_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Floats that are all whole are integers: a workbook does not tell the two apart either."""
    return frame.with_columns(
        column.cast(pl.Int64)
        for column in frame.get_columns()
        if column.dtype == pl.Float64 and bool(((column == column.round(0)) & (column.abs() < _EXACT)).all())
    )


def whole_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """The same for statistics files, which know only floats."""
    return _whole_numbers(frame)


def write(tables: list[Table], out: Path) -> None:
    """A sheet for each table; one that is too long for a sheet goes on in the next."""
    book = xlsxwriter.Workbook(
        str(out),
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "default_date_format": "yyyy-mm-dd",
        },
    )
    names: set[str] = set()
    formats = _formats(book)
    for given in tables:
        frame = simple(inferred(given.frame, dates=True) if given.text else given.frame)
        if frame.width > _MAX_COLUMNS:
            raise Refusal("unsupported_conversion")
        titles = given.titles if len(given.titles) == frame.width else tuple(frame.columns)
        for start in range(0, max(1, frame.height), _MAX_ROWS - 1):
            sheet = book.add_worksheet(_sheet_name(given.name, names))
            _fill(sheet, titles, frame.slice(start, _MAX_ROWS - 1).iter_rows(), formats)
    book.close()


def _formats(book: Any) -> dict[Any, Any]:
    return {
        str: book.add_format({"bold": True}),
        date: book.add_format({"num_format": "yyyy-mm-dd"}),
        datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        time: book.add_format({"num_format": "hh:mm:ss"}),
    }


def _sheet_name(wanted: str, taken: set[str]) -> str:
    """At most 31 characters, none that Excel forbids, and different from the others whatever the case."""
    base = _FORBIDDEN_IN_NAMES.sub("_", wanted).strip("'")[:31] or "Sheet"
    name, number = base, 2
    while name.lower() in taken or name.lower() == "history":
        ending = f" ({number})"
        name, number = base[: 31 - len(ending)] + ending, number + 1
    taken.add(name.lower())
    return name


def _fill(sheet: Any, titles: Iterable[str], rows: Iterator[tuple[Any, ...]], formats: dict[Any, Any]) -> None:
    widths = []
    for column, title in enumerate(titles):
        _write_text(sheet, 0, column, title, formats[str])
        widths.append(_BOLDER * _shown_width(title))
    for row, values in enumerate(rows, start=1):
        for column, value in enumerate(values):
            if value is not None:
                _write(sheet, row, column, value, formats)
                if row <= _MEASURED_ROWS:
                    widths[column] = max(widths[column], _shown_width(value))
    _lay_out(sheet, [min(_WIDEST, max(_NARROWEST, width + 1)) for width in widths])


def _lay_out(sheet: Any, widths: Sequence[float]) -> None:
    """Columns as wide as what they hold; on paper a row on one page, as long as it can be read that small."""
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width)
    if _PAGE_WIDTH < sum(widths) <= _READABLE_WIDTH:
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)


def _shown_width(value: Any) -> float:
    """About how many digits wide a cell is shown; letters of East Asia take the room of two."""
    text = str(value)[:_LONGEST_LINE]
    return max((len(line) + sum(c >= _FIRST_WIDE for c in line) for line in text.splitlines()), default=0)


def _write(sheet: Any, row: int, column: int, value: Any, formats: dict[Any, Any]) -> None:
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float) and -_EXACT < value < _EXACT:
        sheet.write_number(row, column, value)
    elif _is_excel_time(value):
        sheet.write_datetime(row, column, value, formats[type(value)])
    else:
        _write_text(sheet, row, column, str(value))


def _is_excel_time(value: Any) -> bool:
    if isinstance(value, datetime):
        return value.tzinfo is None and value.date() >= _FIRST_DAY
    return value >= _FIRST_DAY if isinstance(value, date) else isinstance(value, time)


def _write_text(sheet: Any, row: int, column: int, text: str, style: Any = None) -> None:
    if len(text.encode("utf-16-le")) // 2 > _MAX_CHARACTERS:
        raise Refusal("unsupported_conversion")
    sheet.write_string(row, column, text, style)
