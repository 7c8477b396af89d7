"""The directory of a ZIP file, read with our own bounded parser.

The standard library's reader takes the whole directory into objects before anyone can say stop, and believes what it
is told about sizes and disks. Here entries come one by one, and the caller stops when it has seen enough.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from filewright.converter.formats.sample import Sample

STORED, DEFLATED = 0, 8
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_ENCRYPTED, _UTF8 = 0x1, 0x800
_MAX_DIRECTORY_BYTES = 16 << 20
_FULL = 0xFFFFFFFF


class Entry(NamedTuple):
    """One member, as the central directory (or, in a cut-off file, its own header) describes it."""

    name: str
    method: int
    flags: int
    crc: int
    packed: int
    unpacked: int
    offset: int

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & _ENCRYPTED)

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")


@dataclass(frozen=True)
class End:
    """What the end record says. `shift` is the number of bytes before the archive proper (a stub, another file)."""

    count: int
    disks: int
    directory_offset: int
    directory_bytes: int
    shift: int


def find_end(sample: Sample) -> End | None:
    """The end record; None when the file is no ZIP or is cut off."""
    at = sample.tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if at + _END.size <= len(sample.tail):
            return _end_at(sample, at)
        at = sample.tail.rfind(b"PK\x05\x06", 0, at)
    return None


def _end_at(sample: Sample, at: int) -> End:
    _, disk, _, _, count, length, offset, _ = _END.unpack_from(sample.tail, at)
    position = sample.size - len(sample.tail) + at
    if at >= _END64_LOCATOR.size and sample.tail.startswith(b"PK\x06\x07", at - _END64_LOCATOR.size):
        _, _, where, _ = _END64_LOCATOR.unpack_from(sample.tail, at - _END64_LOCATOR.size)
        record = sample.read(where, _END64.size)
        if len(record) == _END64.size and record.startswith(b"PK\x06\x06"):
            _, _, _, _, disk, _, _, count, length, offset = _END64.unpack(record)
            position = where
    return End(count, disk, offset, length, max(0, position - length - offset))


def entries(sample: Sample, end: End) -> Iterator[Entry]:
    """The members in the order of the directory. Stops where the directory stops making sense."""
    data = sample.read(end.directory_offset + end.shift, min(end.directory_bytes, _MAX_DIRECTORY_BYTES))
    at, stop, unpack = 0, len(data) - _CENTRAL.size, _CENTRAL.unpack_from
    while at <= stop:
        (magic, _, _, flags, method, _, _, crc, packed, unpacked, name_size, extra_size, note_size, _, _, _, offset) = (
            unpack(data, at)
        )
        if magic != b"PK\x01\x02":
            return
        start = at + _CENTRAL.size
        name = data[start : start + name_size]
        if _FULL in {packed, unpacked, offset}:
            extra = data[start + name_size : start + name_size + extra_size]
            unpacked, packed, offset = _zip64(extra, unpacked, packed, offset)
        yield Entry(
            name.decode("utf-8" if flags & _UTF8 else "cp437", "replace"),
            method,
            flags,
            crc,
            packed,
            unpacked,
            offset + end.shift,
        )
        at = start + name_size + extra_size + note_size


def local_entries(data: bytes, limit: int = 64) -> Iterator[Entry]:
    """Members found by their own headers at the start of a file: all there is when the directory is cut off."""
    at = 0
    for _ in range(limit):
        at = data.find(b"PK\x03\x04", at)
        if at < 0 or at + _LOCAL.size > len(data):
            return
        _, _, flags, method, _, _, crc, packed, unpacked, name_size, _ = _LOCAL.unpack_from(data, at)
        name = data[at + _LOCAL.size : at + _LOCAL.size + name_size].decode("utf-8", "replace")
        yield Entry(name, method, flags, crc, packed, unpacked, at)
        at += _LOCAL.size + name_size


def data_offset(sample: Sample, entry: Entry) -> int | None:
    """Where the packed bytes begin; None when there is no local header where the directory points."""
    header = sample.read(entry.offset, _LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(b"PK\x03\x04"):
        return None
    *_, name_size, extra_size = _LOCAL.unpack(header)
    return int(entry.offset + _LOCAL.size + name_size + extra_size)


def read_member(sample: Sample, entry: Entry, limit: int) -> bytes:
    """The first `limit` bytes of a member; empty when it is encrypted, damaged or packed by a rare method."""
    start = data_offset(sample, entry)
    if start is None or entry.encrypted:
        return b""
    packed = sample.read(start, min(entry.packed or limit, limit + 1024))
    if entry.method == STORED:
        return packed[:limit]
    if entry.method != DEFLATED:
        return b""
    try:
        return zlib.decompressobj(-15).decompress(packed, limit)
    except zlib.error:
        return b""


def _zip64(extra: bytes, unpacked: int, packed: int, offset: int) -> tuple[int, int, int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = iter(struct.unpack(f"<{min(length, len(extra) - at - 4) // 8}Q", _words(extra, at + 4, length)))
            values = [next(wide, value) if value == _FULL else value for value in (unpacked, packed, offset)]
            return values[0], values[1], values[2]
        at += 4 + length
    return unpacked, packed, offset


def _words(data: bytes, at: int, length: int) -> bytes:
    available = min(length, len(data) - at)
    return data[at : at + available - available % 8]
