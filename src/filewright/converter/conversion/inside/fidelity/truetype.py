"""Look into a TrueType font just as far as it takes to see which of its glyphs are boxes."""

from __future__ import annotations

import struct
from itertools import pairwise


def boxes(program: bytes) -> frozenset[int]:
    """The glyphs that are drawn as the first of all, `.notdef`, is; none where that has no shape of its own."""
    try:
        shapes = _shapes(program)
    except (struct.error, KeyError):
        return frozenset()
    if not shapes or not shapes[0]:
        return frozenset()
    return frozenset(number for number, shape in enumerate(shapes) if number and shape == shapes[0])


def _shapes(program: bytes) -> list[bytes]:
    (count,) = struct.unpack_from(">H", program, 4)
    entries = (12 + 16 * number for number in range(count))
    tables = {program[at : at + 4]: struct.unpack_from(">II", program, at + 8) for at in entries}
    (head, _), (loca, loca_bytes), (glyf, _) = tables[b"head"], tables[b"loca"], tables[b"glyf"]
    (is_long,) = struct.unpack_from(">h", program, head + 50)
    size, unit = (4, "I") if is_long else (2, "H")
    places = struct.unpack_from(f">{loca_bytes // size}{unit}", program, loca)
    step = 1 if is_long else 2
    return [program[glyf + step * start : glyf + step * end] for start, end in pairwise(places)]
