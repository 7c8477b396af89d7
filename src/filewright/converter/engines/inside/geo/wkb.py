"""Take well-known binary apart: just enough to draw a geometry or to tell its kind.

Both spellings of three and four dimensions are read: ISO (type + 1000, 2000, 3000) and the older flags in high bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

Position = tuple[float, ...]
POINT, LINE, POLYGON, MULTIPOINT, MULTILINE, MULTIPOLYGON, COLLECTION = range(1, 8)
_HAS_Z, _HAS_M, _HAS_SRID = 0x80000000, 0x40000000, 0x20000000
_MAX_DEPTH = 32


@dataclass(frozen=True)
class Shape:
    """One simple shape: a point, a line, or a polygon with its rings (the first is the outer one)."""

    kind: int
    rings: tuple[tuple[Position, ...], ...]


def kind_of(wkb: bytes) -> int:
    """The geometry's type without its dimensions."""
    code = struct.unpack_from("<I" if wkb[0] else ">I", wkb, 1)[0]
    return int(code & 0xFFFF) % 1000


def has_z(wkb: bytes) -> bool:
    """Whether positions have a height."""
    code = struct.unpack_from("<I" if wkb[0] else ">I", wkb, 1)[0]
    return bool(code & _HAS_Z) or (code & 0xFFFF) // 1000 in {1, 3}


def shapes(wkb: bytes) -> list[Shape]:
    """The simple shapes that the geometry is made of. ValueError when it is cut off or of a kind with curves."""
    try:
        return list(_Reader(wkb).geometry(0))
    except (struct.error, IndexError) as error:
        raise ValueError("the geometry is damaged") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0
        self._order = "<"
        self._size = 2

    def geometry(self, depth: int) -> Iterator[Shape]:
        if depth > _MAX_DEPTH:
            raise ValueError("the geometry is nested too deep")
        kind = self._head()
        if kind == POINT:
            yield Shape(POINT, ((self._position(),),))
        elif kind == LINE:
            yield Shape(LINE, (self._positions(),))
        elif kind == POLYGON:
            yield Shape(POLYGON, tuple(self._positions() for _ in range(self._count(4))))
        elif kind in {MULTIPOINT, MULTILINE, MULTIPOLYGON, COLLECTION}:
            for _ in range(self._count(5)):
                yield from self.geometry(depth + 1)
        else:
            raise ValueError(f"geometry type {kind} has no simple shape")

    def _head(self) -> int:
        self._order = "<" if self._data[self._place] else ">"
        self._place += 1
        code = self._integer()
        if code & _HAS_SRID:
            self._integer()
        dimensions = (code & 0xFFFF) // 1000
        self._size = 2 + (bool(code & _HAS_Z) or dimensions in {1, 3}) + (bool(code & _HAS_M) or dimensions in {2, 3})
        return (code & 0xFFFF) % 1000

    def _integer(self) -> int:
        value = struct.unpack_from(f"{self._order}I", self._data, self._place)[0]
        self._place += 4
        return int(value)

    def _count(self, least_bytes: int) -> int:
        count = self._integer()
        if count * least_bytes > len(self._data) - self._place:
            raise ValueError("the geometry promises more than it has")
        return count

    def _position(self) -> Position:
        values = struct.unpack_from(f"{self._order}{self._size}d", self._data, self._place)
        self._place += 8 * self._size
        return values

    def _positions(self) -> tuple[Position, ...]:
        return tuple(self._position() for _ in range(self._count(8 * self._size)))
