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


def has_m(wkb: bytes) -> bool:
    """Whether positions have a measure, such as how far along a road they are."""
    code = struct.unpack_from("<I" if wkb[0] else ">I", wkb, 1)[0]
    return bool(code & _HAS_M) or (code & 0xFFFF) // 1000 in {2, 3}


def shapes(wkb: bytes) -> list[Shape]:
    """The simple shapes that the geometry is made of. ValueError when it is cut off or of a kind with curves."""
    try:
        return list(_Reader(wkb).geometry(0))
    except (struct.error, IndexError) as error:
        raise ValueError("the geometry is damaged") from error


def without_measures(wkb: bytes) -> bytes:
    """The same geometry, in ISO's spelling, with nothing but where it is; as it was given where nothing is measured.

    ValueError as of `shapes`.
    """
    if not has_m(wkb):
        return wkb
    try:
        return b"".join(_Reader(wkb).unmeasured(0))
    except (struct.error, IndexError) as error:
        raise ValueError("the geometry is damaged") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0
        self._order = "<"
        self._size = 2
        self._has_z = False

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

    def unmeasured(self, depth: int) -> Iterator[bytes]:
        """The geometry once more, in pieces, in the order of bytes that it had."""
        if depth > _MAX_DEPTH:
            raise ValueError("the geometry is nested too deep")
        kind = self._head()
        kept = 3 if self._has_z else 2
        yield struct.pack(f"{self._order}BI", self._order == "<", kind + 1000 * self._has_z)
        if kind == POINT:
            yield self._packed(self._position()[:kept])
        elif kind in {LINE, POLYGON}:
            rings = self._count(4) if kind == POLYGON else 1
            if kind == POLYGON:
                yield struct.pack(f"{self._order}I", rings)
            for _ in range(rings):
                positions = self._positions()
                yield struct.pack(f"{self._order}I", len(positions))
                yield from (self._packed(position[:kept]) for position in positions)
        elif kind in {MULTIPOINT, MULTILINE, MULTIPOLYGON, COLLECTION}:
            order, parts = self._order, self._count(5)
            yield struct.pack(f"{order}I", parts)
            for _ in range(parts):
                yield from self.unmeasured(depth + 1)
        else:
            raise ValueError(f"geometry type {kind} has no simple shape")

    def _packed(self, position: Position) -> bytes:
        return struct.pack(f"{self._order}{len(position)}d", *position)

    def _head(self) -> int:
        self._order = "<" if self._data[self._place] else ">"
        self._place += 1
        code = self._integer()
        if code & _HAS_SRID:
            self._integer()
        dimensions = (code & 0xFFFF) // 1000
        self._has_z = bool(code & _HAS_Z) or dimensions in {1, 3}
        self._size = 2 + self._has_z + (bool(code & _HAS_M) or dimensions in {2, 3})
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
