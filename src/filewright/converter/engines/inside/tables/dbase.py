"""dBASE tables (.dbf), levels III to 7 and Visual FoxPro, without their memo file: a memo is null.

The header is a table of fixed-size field descriptions; records have fixed length, deleted ones are marked and left
out. The code page is named by one byte, which many programs leave at zero: then the text itself decides.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.encoding import encoding_of
from filewright.converter.engines.inside.tables.table import Table, check_size, from_columns, unique

_HEADER, _FIELD = 32, 32
_END_OF_FIELDS, _DELETED = 0x0D, b"*"
_LEVEL_7 = 4
_CODE_PAGES = {
    0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x04: "mac_roman", 0x08: "cp865", 0x09: "cp437", 0x0A: "cp850",
    0x0B: "cp437", 0x0D: "cp437", 0x0E: "cp850", 0x0F: "cp437", 0x10: "cp850", 0x11: "cp437", 0x12: "cp850",
    0x13: "cp932", 0x14: "cp850", 0x15: "cp437", 0x16: "cp850", 0x17: "cp865", 0x18: "cp437", 0x19: "cp437",
    0x1A: "cp850", 0x1B: "cp437", 0x1C: "cp863", 0x1D: "cp850", 0x1F: "cp852", 0x22: "cp852", 0x23: "cp852",
    0x24: "cp860", 0x25: "cp850", 0x26: "cp866", 0x37: "cp850", 0x40: "cp852", 0x4D: "gb18030", 0x4E: "cp949",
    0x4F: "cp950", 0x50: "cp874", 0x57: "cp1252", 0x58: "cp1252", 0x59: "cp1252", 0x64: "cp852", 0x65: "cp866",
    0x66: "cp865", 0x67: "cp861", 0x6A: "cp737", 0x6B: "cp857", 0x78: "cp950", 0x79: "cp949", 0x7A: "gb18030",
    0x7B: "cp932", 0x7C: "cp874", 0x86: "cp737", 0x87: "cp852", 0x88: "cp857", 0x96: "mac_cyrillic",
    0x97: "mac_latin2", 0x98: "mac_greek", 0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254", 0xCB: "cp1253",
    0xCC: "cp1257",
}  # fmt: skip


@dataclass(frozen=True)
class _Field:
    name: bytes
    kind: str
    start: int
    length: int
    places: int


def read(source: Path) -> list[Table]:
    """The one table. A header that promises more records than the file has is damage."""
    data = source.read_bytes()
    if len(data) <= _HEADER:
        raise Refusal("corrupt_input")
    version, records, header_length, record_length = data[0], *struct.unpack_from("<IHH", data, 4)
    fields = list(_fields(data, header_length, level_7=version & 7 == _LEVEL_7))
    if not fields or record_length < 1 + sum(field.length for field in fields):
        raise Refusal("corrupt_input")
    if len(data) < header_length + records * record_length:
        raise Refusal("corrupt_input")
    check_size(records, len(fields))
    rows = [
        row
        for start in range(header_length, header_length + records * record_length, record_length)
        if (row := data[start : start + record_length])[:1] != _DELETED
    ]
    encoding = _CODE_PAGES.get(data[29]) or _guessed(fields, rows)
    names = unique(field.name.decode(encoding, "replace").strip() for field in fields)
    columns = {name: _column(field, rows, encoding) for name, field in zip(names, fields, strict=True)}
    return [from_columns("table", columns)]


def _fields(data: bytes, header_length: int, *, level_7: bool) -> Iterator[_Field]:
    """The descriptions up to the end mark; level 7 has longer ones after a longer header."""
    place, size, name_size = (68, 48, 32) if level_7 else (_HEADER, _FIELD, 11)
    start = 1
    while place + size <= min(header_length, len(data)) and data[place] != _END_OF_FIELDS:
        raw = data[place : place + size]
        kind, length, places = chr(raw[name_size]), *_length(raw, name_size, level_7=level_7)
        if kind == "C" and not level_7:
            length, places = length + 256 * places, 0  # Clipper keeps the high byte of long text there
        yield _Field(raw[:name_size].split(b"\0")[0], kind, start, length, places)
        start += length
        place += size


def _length(raw: bytes, name_size: int, *, level_7: bool) -> tuple[int, int]:
    at = name_size + (1 if level_7 else 5)
    return raw[at], raw[at + 1]


def _guessed(fields: list[_Field], rows: list[bytes]) -> str:
    text = [row[field.start : field.start + field.length] for row in rows for field in fields if field.kind == "C"]
    sample = b"\n".join(value.rstrip(b"\0 ") for value in text).replace(b"\0", b" ")
    return encoding_of(sample[: 1 << 20])


def _column(field: _Field, rows: list[bytes], encoding: str) -> list[Any]:
    parse = _PARSERS.get(field.kind)
    values = (row[field.start : field.start + field.length] for row in rows)
    if parse is None:
        return [value.rstrip(b"\0 ").decode(encoding, "replace") or None for value in values]
    return [parse(value, field.places) for value in values]


def _number(value: bytes, places: int) -> int | float | str | None:
    """A number; text when it is none or a float would lose digits; null when the field is blank or `***`."""
    written = value.strip(b"\0 ").decode("ascii", "replace")
    if not written or set(written) == {"*"}:
        return None
    try:
        exact = Decimal(written)
    except InvalidOperation:
        return written
    if not places and exact == exact.to_integral_value() and "." not in written:
        return int(exact)
    return float(exact) if Decimal(repr(float(exact))) == exact else written


def _date(value: bytes, places: int) -> date | None:
    written = value.strip(b"\0 ").decode("ascii", "replace")
    try:
        return date(int(written[:4]), int(written[4:6]), int(written[6:8]))
    except ValueError:
        return None


def _logical(value: bytes, places: int) -> bool | None:
    return True if value in b"TtYy" and value else False if value in b"FfNn" and value else None


def _integer(value: bytes, places: int) -> int:
    return int(struct.unpack("<i", value[:4].ljust(4, b"\0"))[0])


def _double(value: bytes, places: int) -> float:
    return float(struct.unpack("<d", value[:8].ljust(8, b"\0"))[0])


def _currency(value: bytes, places: int) -> float:
    return int(struct.unpack("<q", value[:8].ljust(8, b"\0"))[0]) / 10_000


def _timestamp(value: bytes, places: int) -> datetime | None:
    day, milliseconds = struct.unpack("<II", value[:8].ljust(8, b"\0"))
    days_to_year_1 = 1_721_425
    try:
        return datetime.min + timedelta(days=day - days_to_year_1, milliseconds=milliseconds)  # noqa: DTZ901
    except OverflowError:
        return None


def _nothing(value: bytes, places: int) -> None:
    return None


_PARSERS: dict[str, Callable[[bytes, int], Any]] = {
    "N": _number, "F": _number, "D": _date, "L": _logical, "I": _integer, "B": _double, "O": _double,
    "Y": _currency, "T": _timestamp, "@": _timestamp, "M": _nothing, "G": _nothing, "P": _nothing,
}  # fmt: skip
