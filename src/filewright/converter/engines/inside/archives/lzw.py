"""Decompress the `.Z` files of compress(1): LZW with codes of 9 to 16 bits.

Codes are packed low bit first in groups of eight, so that a change of width skips to the end of a group. Code 256
empties the table when the header says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from filewright.chassis.sandbox.child import Refusal

_MAGIC = b"\x1f\x9d"
_FIRST_WIDTH, _MAX_WIDTH = 9, 16
_CLEAR = 256
_BLOCK = 1 << 16


def decompress(source: Path) -> Iterator[bytes]:
    """The content in pieces; refuses codes that no compressor writes."""
    data = source.read_bytes()
    if data[:2] != _MAGIC or len(data) < len(_MAGIC) + 1:
        raise Refusal("corrupt_input")
    max_width, clears = data[2] & 0x1F, bool(data[2] & 0x80)
    if not _FIRST_WIDTH <= max_width <= _MAX_WIDTH:
        raise Refusal("corrupt_input")
    return _decoded(data[3:], max_width, clears=clears)


def _decoded(data: bytes, max_width: int, *, clears: bool) -> Iterator[bytes]:
    first_free = _CLEAR + clears
    table = _empty_table(first_free)
    previous = b""
    out = bytearray()
    for code in _codes(data, max_width, table, clears=clears):
        if clears and code == _CLEAR:
            del table[first_free:]
            previous = b""
            continue
        if code < len(table):
            entry = table[code]
        elif code == len(table) and previous:
            entry = previous + previous[:1]
        else:
            raise Refusal("corrupt_input")
        if previous and len(table) < 1 << max_width:
            table.append(previous + entry[:1])
        previous = entry
        out += entry
        if len(out) >= _BLOCK:
            yield bytes(out)
            out.clear()
    yield bytes(out)


def _empty_table(first_free: int) -> list[bytes]:
    return [bytes([value]) for value in range(256)] + [b""] * (first_free - 256)


def _codes(data: bytes, max_width: int, table: list[bytes], *, clears: bool) -> Iterator[int]:
    """The codes; their width follows the table that the caller fills between them."""
    bits, width, group_start = 0, _FIRST_WIDTH, 0
    end = len(data) * 8
    while bits + width <= end:
        byte, shift = divmod(bits, 8)
        code = (int.from_bytes(data[byte : byte + 4], "little") >> shift) & ((1 << width) - 1)
        bits += width
        yield code
        cleared = clears and code == _CLEAR
        # The decoder's table is one entry behind the encoder's, hence the one.
        wanted = _FIRST_WIDTH if cleared else width
        if not cleared and len(table) + 1 > 1 << width and width < max_width:
            wanted = width + 1
        if cleared or wanted != width:
            group = width * 8
            bits = group_start + -(-(bits - group_start) // group) * group
            width, group_start = wanted, bits
