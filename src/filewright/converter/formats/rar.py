"""Does a RAR hold anything that takes a password? Told by its headers; nothing is unpacked.

The free reader of RAR cannot open such members, and makes zeros of some of them without a word.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MARK_4, _MARK_5 = b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"
_MOST_BLOCKS = 200_000
_LONGEST_HEADER = 2 << 20

_MAIN_4, _FILE_4, _HEADERS_LOCKED_4, _FILE_LOCKED_4, _HAS_DATA_4, _LARGE_4 = 0x73, 0x74, 0x0080, 0x0004, 0x8000, 0x0100
_FILE_5, _LOCK_5, _HAS_EXTRA_5, _HAS_DATA_5, _LOCK_RECORD_5 = 2, 4, 1, 2, 1


def is_locked(path: Path) -> bool:
    """Whether its list of members, or any of them, is encrypted; False for what cannot be read so far."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MARK_5))
            if head == _MARK_5:
                return any(_is_locked_5(kind, extra) for kind, extra in _blocks_5(file))
            if head.startswith(_MARK_4):
                file.seek(len(_MARK_4))
                return any(_is_locked_4(kind, flags) for kind, flags in _blocks_4(file))
    except (struct.error, IndexError, ValueError, OverflowError, OSError):
        pass
    return False


def _is_locked_4(kind: int, flags: int) -> bool:
    return bool((kind == _MAIN_4 and flags & _HEADERS_LOCKED_4) or (kind == _FILE_4 and flags & _FILE_LOCKED_4))


def _is_locked_5(kind: int, extra: bytes) -> bool:
    return kind == _LOCK_5 or (kind == _FILE_5 and _LOCK_RECORD_5 in _records(extra))


def _blocks_4(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Kind and flags of each."""
    for _ in range(_MOST_BLOCKS):
        head = file.read(7)
        if len(head) < 7:
            return
        _, kind, flags, size = struct.unpack("<HBHH", head)
        more = 0
        body = file.read(max(0, size - 7))
        if kind == _FILE_4 or flags & _HAS_DATA_4:
            (more,) = struct.unpack_from("<I", body)
            if kind == _FILE_4 and flags & _LARGE_4:
                (high,) = struct.unpack_from("<I", body, 25)
                more += high << 32
        yield kind, flags
        file.seek(more, 1)


def _blocks_5(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Kind and extra area of each."""
    for _ in range(_MOST_BLOCKS):
        if len(file.read(4)) < 4:
            return
        size = _number_of(file)
        if not 0 < size <= _LONGEST_HEADER:
            return
        header = file.read(size)
        kind, at = _number(header, 0)
        flags, at = _number(header, at)
        extra = data = 0
        if flags & _HAS_EXTRA_5:
            extra, at = _number(header, at)
        if flags & _HAS_DATA_5:
            data, at = _number(header, at)
        yield kind, header[len(header) - extra :] if 0 < extra <= len(header) else b""
        file.seek(data, 1)


def _records(extra: bytes) -> set[int]:
    """The kinds of the records in an extra area."""
    kinds, at = set(), 0
    while at < len(extra):
        size, start = _number(extra, at)
        kind, _ = _number(extra, start)
        kinds.add(kind)
        at = start + max(size, 1)
    return kinds


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; and where it ends."""
    value = 0
    for shift in range(0, 63, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")


def _number_of(file: BinaryIO) -> int:
    found = b""
    while len(found) < 3:
        found += file.read(1)
        if found[-1] < 0x80:
            break
    return _number(found, 0)[0]
