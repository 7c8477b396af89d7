"""Fonts that are wrapped for the web: opened as far as their names go, and no further than they may.

A WOFF packs each table by itself, a WOFF2 all of them as one stream. What is small and wanted is inflated here, within
bounds that do not depend on what the file says of itself; the shapes, which a WOFF2 also stores in another way, are
unpacked where engines run (`laying.py`).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filewright.converter.errors import ArchiveBomb, CorruptInput, UnsupportedFormat

WRAPPERS = {b"wOFF": "woff", b"wOF2": "woff2"}
_WITHIN = {b"\0\1\0\0": "ttf", b"true": "ttf", b"OTTO": "otf"}
_READ = frozenset({"head", "maxp", "name", "hhea", "OS/2"})
"""The tables that are read; of the others it is enough that they are there."""
_MOST_TABLES = 256
_MOST_OF_ONE = 2 << 20
_MOST_TIMES, _MOST_BESIDES = 16, 4 << 20
"""A font may unpack to so many times its size and so much more: real ones take two to six times as much."""
_BLOCK = 1 << 16


@dataclass(frozen=True)
class _Table:
    tag: str
    packed: int
    """Bytes in the file; 0 in a WOFF2, where no table has bytes of its own."""
    stored: int
    """Bytes once they are inflated."""
    whole: int
    """Bytes of the table itself."""
    offset: int
    """In the file; in a WOFF2 in what it inflates to."""


def format_within(path: Path) -> str:
    """`ttf` or `otf`: what a wrapped font is without its wrapper. Raises UnsupportedFormat for a collection."""
    with path.open("rb") as file:
        kind = _WITHIN.get(file.read(8)[4:])
    if kind is None:
        raise UnsupportedFormat("The file wraps no single TrueType or OpenType font. Collections are taken as TTC.")
    return kind


def unwrapped_names(path: Path) -> BinaryIO:
    """A font with the same tables, of which only those that are read hold anything.

    Raises UnsupportedFormat, CorruptInput, ArchiveBomb, or whatever the reading of a broken file trips over.
    """
    format_within(path)
    with path.open("rb") as file:
        wrapper = WRAPPERS[file.read(4)]
        version = file.read(4)
        tables = _woff_tables(file) if wrapper == "woff" else _woff2_tables(file)
        _check_size(tables, path.stat().st_size)
        parts = _woff_parts(file, tables) if wrapper == "woff" else _woff2_parts(file, tables)
        return io.BytesIO(_font(version, [table.tag for table in tables], parts))


def _check_size(tables: list[_Table], packed: int) -> None:
    """Raises before anything is inflated. A table is as long as it says, or the file is refused later."""
    if sum(max(table.stored, table.whole) for table in tables) > _MOST_TIMES * packed + _MOST_BESIDES:
        raise ArchiveBomb("The font unpacks to far more than a font does.")
    if any(table.stored > _MOST_OF_ONE for table in tables if table.tag in _READ):
        raise CorruptInput("The font has more names than a font has.")


def _count(file: BinaryIO) -> int:
    file.seek(12)
    count = int(struct.unpack(">H", file.read(2))[0])
    if not 0 < count <= _MOST_TABLES:
        raise CorruptInput("The file cannot be read as a font.")
    return count


def _woff_tables(file: BinaryIO) -> list[_Table]:
    count = _count(file)
    file.seek(44)
    entries = (struct.unpack(">4sLLLL", file.read(20)) for _ in range(count))
    return [_Table(_tag(tag), packed, whole, whole, offset) for tag, offset, packed, whole, _checksum in entries]


def _woff_parts(file: BinaryIO, tables: list[_Table]) -> dict[str, bytes]:
    parts = {}
    for table in tables:
        if table.tag in _READ:
            file.seek(table.offset)
            packed = file.read(min(table.packed, table.whole))
            parts[table.tag] = packed if table.packed >= table.whole else _inflated(packed, table.whole)
    return parts


def _inflated(packed: bytes, length: int) -> bytes:
    data = zlib.decompressobj().decompress(packed, length + 1)
    if len(data) != length:
        raise CorruptInput("The file cannot be read as a font.")
    return data


def _woff2_tables(file: BinaryIO) -> list[_Table]:
    """Their descriptions are of no fixed length; afterwards the file stands where the stream begins."""
    from fontTools.ttLib.woff2 import WOFF2DirectoryEntry  # noqa: PLC0415 - an idle server does without it

    count = _count(file)
    file.seek(48)
    tables, offset = [], 0
    for _ in range(count):
        entry = WOFF2DirectoryEntry()
        entry.fromFile(file)
        tables.append(_Table(_tag(entry.tag.tobytes()), 0, entry.length, entry.origLength, offset))
        offset += entry.length
    return tables


def _woff2_parts(file: BinaryIO, tables: list[_Table]) -> dict[str, bytes]:
    """Inflates up to the end of the last table that is read, and keeps no more than these."""
    wanted = sorted((table for table in tables if table.tag in _READ), key=lambda table: table.offset)
    parts = {table.tag: b"" for table in wanted}
    at = 0
    for block in _stream(file):
        for table in wanted:
            begin, end = max(table.offset, at), min(table.offset + table.stored, at + len(block))
            if begin < end:
                parts[table.tag] += block[begin - at : end - at]
        at += len(block)
        if not wanted or at >= wanted[-1].offset + wanted[-1].stored:
            break
    if any(len(parts[table.tag]) != table.stored for table in wanted):
        raise CorruptInput("The file cannot be read as a font.")
    return parts


def _stream(file: BinaryIO) -> Iterator[bytes]:
    """What follows the tables' descriptions, inflated in pieces of some block's size however well it was packed."""
    import brotli  # noqa: PLC0415 - an idle server does without it

    begin = file.tell()
    file.seek(20)
    (left,) = struct.unpack(">L", file.read(4))
    file.seek(begin)
    inflating = brotli.Decompressor()
    while packed := file.read(min(_BLOCK, left)):
        left -= len(packed)
        yield inflating.process(packed, output_buffer_limit=_BLOCK)
        while not inflating.can_accept_more_data():
            yield inflating.process(b"", output_buffer_limit=_BLOCK)


def _font(version: bytes, tags: list[str], parts: dict[str, bytes]) -> bytes:
    """A plain font file of these tables."""
    offset = 12 + 16 * len(tags)
    directory, content = struct.pack(">4sHHHH", version, len(tags), 0, 0, 0), b""
    for tag in tags:
        part = parts.get(tag, b"")
        directory += struct.pack(">4sLLL", tag.encode("latin-1"), 0, offset + len(content), len(part))
        content += part
    return directory + content


def _tag(name: bytes) -> str:
    return name.decode("latin-1")
