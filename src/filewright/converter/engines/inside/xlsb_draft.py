"""Runs in the sandbox: bring a binary workbook of a pre-release of Excel 2007 to the form that was published.

The published record that names a sheet (BrtBundleSh, [MS-XLSB] 2.4.304) holds state, id, relationship and name. The
pre-releases had four more bytes in front of the id. Readers of today stumble over them: LibreOffice then gives an
empty workbook without a word, others crash.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from filewright.chassis.sandbox.child import Refusal, Report

_WORKBOOK = "xl/workbook.bin"
_BUNDLE_SHEET = 156
_PUBLISHED, _DRAFT = 8, 12
"""Where the relationship's name begins in the record."""


def publish(source: str, target: str, report: Report) -> bool:
    """Write the workbook in its published form to `target`; False, and nothing written, when it is in that form."""
    try:
        with zipfile.ZipFile(source) as package:
            workbook = package.read(_WORKBOOK) if _WORKBOOK in package.namelist() else b""
            published = b"".join(_published(head, kind, body) for head, kind, body in _records(workbook))
            if published == workbook:
                return False
            with zipfile.ZipFile(Path(target), "w", zipfile.ZIP_DEFLATED) as made:
                for name in package.namelist():
                    made.writestr(name, published if name == _WORKBOOK else package.read(name))
            return True
    except (zipfile.BadZipFile, IndexError, OSError, ValueError) as error:
        raise Refusal("corrupt_input") from error


def _records(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Each record: the bytes of its kind, its kind as a number, its content."""
    place = 0
    while place < len(data):
        start = place
        kind = data[place]
        place += 1
        if kind & 0x80:
            kind = (kind & 0x7F) | (data[place] << 7)
            place += 1
        head = data[start:place]
        length, place = _length(data, place)
        yield head, kind, data[place : place + length]
        place += length


def _length(data: bytes, place: int) -> tuple[int, int]:
    length = 0
    for shift in (0, 7, 14, 21):
        byte = data[place]
        place += 1
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return length, place


def _published(head: bytes, kind: int, body: bytes) -> bytes:
    if kind == _BUNDLE_SHEET and not _two_texts(body, _PUBLISHED) and _two_texts(body, _DRAFT):
        body = body[:4] + body[8:]
    return head + _written_length(len(body)) + body


def _two_texts(body: bytes, place: int) -> bool:
    """Whether exactly two texts, each with its length in front, fill the record from `place` on."""
    for _ in range(2):
        if place + 4 > len(body):
            return False
        (letters,) = struct.unpack_from("<I", body, place)
        place += 4 + 2 * letters
    return place == len(body)


def _written_length(length: int) -> bytes:
    written = bytearray()
    while length >= 0x80:
        written.append((length & 0x7F) | 0x80)
        length >>= 7
    written.append(length)
    return bytes(written)
