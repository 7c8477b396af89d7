"""CSV and TSV. Reading finds out the encoding and the delimiter, keeps every value as text, and loses no record.

polars reads what is written by the rules, which is nearly everything, fast. What is not (rows of unequal length,
quotes inside unquoted values, old line ends) is read by Python's `csv`, which is slow and forgiving.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.encoding import decode
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.engines.inside.tables.table import MAX_COLUMNS, Table, check_size, table
from filewright.converter.engines.inside.tables.values import simple, times_as_text

_DELIMITERS = {"csv": ",;\t|", "tsv": "\t"}
_SNIFFED_RECORDS = 200
_MAX_FIELD = 64 << 20
_BATCH = 50_000
_NAMED_DELIMITER = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)


def read(source: Path, source_format: str, *, header: bool = True) -> list[Table]:
    """One table, all text. With `header`, the first record holds the titles."""
    text = decode(source.read_bytes())
    text, named = _without_named_delimiter(text)
    if "\0" in text:
        raise Refusal("corrupt_input")
    delimiter = named or _sniff(text, _DELIMITERS[source_format])
    records = _records(text, delimiter)
    check_size(records.height, records.width)
    if not header:
        return [table("table", records, [f"column_{n}" for n in range(1, records.width + 1)], text=True)]
    titles = [title or "" for title in records.row(0)] if records.height else []
    return [table("table", records.slice(1), titles, text=True)]


def write(tables: list[Table], out: Path, target: str) -> None:
    """The first table: UTF-8, quotes where needed, a line feed at the end of each record."""
    [given] = tables
    delimiter = "\t" if target == "tsv" else ","
    frame = times_as_text(simple(given.frame))
    titles = given.titles if frame.width == len(given.titles) else frame.columns
    with out.open("wb") as file:
        file.write(_title_line(titles, delimiter))
        if frame.width:
            frame.write_csv(file, include_header=False, separator=delimiter)


def _title_line(titles: Any, delimiter: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(titles)
    return line.getvalue().encode("utf-8")


def _without_named_delimiter(text: str) -> tuple[str, str]:
    """Excel's own first line `sep=;` names the delimiter."""
    found = _NAMED_DELIMITER.match(text)
    return (text[found.end() :], found.group(1)) if found else (text, "")


def _sniff(text: str, candidates: str) -> str:
    """The delimiter under which the first records agree best on a number of columns above one."""
    if len(candidates) == 1:
        return candidates
    scores = {delimiter: _score(text, delimiter) for delimiter in candidates}
    best = max(candidates, key=lambda delimiter: scores[delimiter])
    return best if scores[best] > (0, 0) else candidates[0]


def _score(text: str, delimiter: str) -> tuple[float, int]:
    """How many of the first records have the commonest width, and that width; nothing when it is one."""
    widths: list[int] = []
    reader = csv.reader(io.StringIO(text[: 1 << 18], newline=""), delimiter=delimiter)
    with _any_field_length():
        for record in reader:
            if record:
                widths.append(len(record))
            if len(widths) >= _SNIFFED_RECORDS:
                break
    if not widths:
        return (0, 0)
    if reader.line_num and len(text) > 1 << 18:
        widths = widths[:-1] or widths
    common = max(set(widths), key=lambda width: (widths.count(width), width))
    return (round(widths.count(common) / len(widths), 1), common) if common > 1 else (0, 0)


def _records(text: str, delimiter: str) -> pl.DataFrame:
    """All records, the one with the titles too."""
    data = text.rstrip("\r\n").encode("utf-8")
    if not data:
        return pl.DataFrame()
    if _by_the_rules(data, delimiter.encode()):
        try:
            with refusing("corrupt_input"):
                return _by_polars(data, delimiter)
        except pl.exceptions.PolarsError:
            pass  # rows longer than the first: the forgiving reader knows what to do
    return _forgiving(text, delimiter)


def _by_the_rules(data: bytes, delimiter: bytes) -> bool:
    """Whether every quote opens, closes or doubles inside a field, lines end alike, and no line is blank."""
    if data.count(b"\r") != data.count(b"\r\n") or data[:1] in b"\r\n":
        return False
    if b"\n\n" in data or b"\n\r\n" in data:
        return False
    if b'"' not in data:
        return True
    edge = re.escape(delimiter)
    well_formed = re.compile(rb"(?:(?<=[" + edge + rb'\r\n])|\A)"[^"]*(?:""[^"]*)*"(?=[' + edge + rb"\r\n]|\Z)")
    return b'"' not in well_formed.sub(b"", data)


def _by_polars(data: bytes, delimiter: str) -> pl.DataFrame:
    first = next(csv.reader(io.StringIO(data[: _end_of_line(data)].decode("utf-8")), delimiter=delimiter))
    check_size(data.count(b"\n"), 1)
    if len(first) > MAX_COLUMNS:
        raise Refusal("resource_limit")
    return pl.read_csv(data, has_header=False, separator=delimiter, infer_schema=False, raise_if_empty=False)


def _end_of_line(data: bytes) -> int:
    end = data.find(b"\n")
    return len(data) if end < 0 else end


def _forgiving(text: str, delimiter: str) -> pl.DataFrame:
    """Rows padded to the longest; a quote that is never closed is damage."""
    try:
        return _gathered(text, delimiter, strict=True)
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise Refusal("corrupt_input") from error
    with refusing("corrupt_input", csv.Error):
        return _gathered(text, delimiter, strict=False)


def _gathered(text: str, delimiter: str, *, strict: bool) -> pl.DataFrame:
    with _any_field_length():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)
        parts = [_block(rows) for rows in _batches(reader)]
    return pl.concat(parts, how="diagonal") if parts else pl.DataFrame()


def _batches(reader: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for row in reader:
        if not row:
            continue
        if len(row) > MAX_COLUMNS:
            raise Refusal("resource_limit")
        rows.append(row)
        if len(rows) == _BATCH:
            yield rows
            rows = []
    if rows:
        yield rows


def _block(rows: list[list[str]]) -> pl.DataFrame:
    width = max(map(len, rows))
    check_size(len(rows), width)
    padded = ([value or None for value in row] + [None] * (width - len(row)) for row in rows)
    return pl.DataFrame(list(padded), schema={f"column_{n}": pl.String for n in range(1, width + 1)}, orient="row")


@contextmanager
def _any_field_length() -> Iterator[None]:
    """The limit of a field's length is a global of `csv`; this lifts it for a while."""
    before = csv.field_size_limit(_MAX_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)
