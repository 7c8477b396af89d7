"""Take logical types that polars does not know yet (geometry, geography, variant) out of a Parquet file's footer.

Without its logical type such a column is what it physically is, bytes, and the file can be read. The footer is a Thrift
structure in compact encoding; it is parsed as far as needed, changed and written again behind the same data.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

_MAGIC = b"PAR1"
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_SCHEMA, _LOGICAL_TYPE, _NAME = 2, 10, 4
_FIRST_UNKNOWN, _GEOMETRY, _GEOGRAPHY = 16, 17, 18
_MAX_DEPTH = 64

Fields = list[tuple[int, int, Any]]
"""Id, type and value of each field of a Thrift structure, in order."""


@dataclass(frozen=True)
class Plain:
    """A file without unknown logical types, and the columns that had a geometry's."""

    data: bytes
    geometries: tuple[str, ...]


def plain(data: bytes) -> Plain:
    """ValueError when the footer is damaged."""
    if data[-4:] != _MAGIC or len(data) < 12:
        raise ValueError("no Parquet footer")
    length = struct.unpack("<I", data[-8:-4])[0]
    start = len(data) - 8 - length
    if start < len(_MAGIC):
        raise ValueError("the footer is longer than the file")
    try:
        footer = _Reader(data[start:-8]).struct(0)
    except IndexError as error:
        raise ValueError("the footer is cut off") from error
    geometries: list[str] = []
    for place, (field, kind, value) in enumerate(footer):
        if field == _SCHEMA and kind == _LIST and value[0] == _STRUCT:
            footer[place] = (field, kind, (value[0], [_plain_element(element, geometries) for element in value[1]]))
    written = bytearray()
    _write_struct(written, footer)
    return Plain(data[:start] + written + struct.pack("<I", len(written)) + _MAGIC, tuple(geometries))


def _plain_element(element: Fields, geometries: list[str]) -> Fields:
    names = (value for field, kind, value in element if field == _NAME and kind == _BINARY)
    name = next(names, b"").decode("utf-8", "replace")
    kept: Fields = []
    for field, kind, value in element:
        variant = value[0][0] if field == _LOGICAL_TYPE and kind == _STRUCT and value else 0
        if variant in {_GEOMETRY, _GEOGRAPHY}:
            geometries.append(name)
        if variant < _FIRST_UNKNOWN:
            kept.append((field, kind, value))
    return kept


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def struct(self, depth: int) -> Fields:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deep")
        fields: Fields = []
        field = 0
        while True:
            head = self._byte()
            if head == 0:
                return fields
            kind, delta = head & 0x0F, head >> 4
            field = field + delta if delta else _unzigzag(self._varint())
            fields.append((field, kind, self._value(kind, depth)))

    def _value(self, kind: int, depth: int) -> Any:
        if kind in {_TRUE, _FALSE}:
            return None
        if kind == _BYTE:
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in {_LIST, _SET}:
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind == _MAP:
            raise ValueError("a Parquet footer has no maps")
        return self._varint()

    def _list(self, depth: int) -> tuple[int, list[Any]]:
        head = self._byte()
        size = self._varint() if head >> 4 == 15 else head >> 4
        kind = head & 0x0F
        if size > len(self._data):
            raise ValueError("a list longer than the footer")
        if kind in {_TRUE, _FALSE}:
            return kind, [self._byte() for _ in range(size)]
        return kind, [self._value(kind, depth) for _ in range(size)]

    def _byte(self) -> int:
        self._place += 1
        return self._data[self._place - 1]

    def _bytes(self, count: int) -> bytes:
        if count > len(self._data) - self._place:
            raise IndexError
        self._place += count
        return self._data[self._place - count : self._place]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise ValueError("a number of more than 64 bits")


def _unzigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def _write_struct(out: bytearray, fields: Fields) -> None:
    before = 0
    for field, kind, value in fields:
        if 0 < field - before < 16:
            out.append((field - before) << 4 | kind)
        else:
            out.append(kind)
            _write_varint(out, field << 1)
        before = field
        _write_value(out, kind, value)
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind == _BYTE:
        out.append(value)
    elif kind == _DOUBLE:
        out += value
    elif kind == _BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind in {_LIST, _SET}:
        _write_list(out, *value)
    elif kind == _STRUCT:
        _write_struct(out, value)
    elif kind not in {_TRUE, _FALSE}:
        _write_varint(out, value)


def _write_list(out: bytearray, kind: int, items: list[Any]) -> None:
    if len(items) < 15:
        out.append(len(items) << 4 | kind)
    else:
        out.append(0xF0 | kind)
        _write_varint(out, len(items))
    for item in items:
        if kind in {_TRUE, _FALSE}:
            out.append(item)
        else:
            _write_value(out, kind, item)


def _write_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
