"""Take out of a picture file what people and programs wrote into it, without touching a pixel.

Of each kind of file the parts are listed that a decoder needs to show the same picture; whatever is not on the list is
left out, also what follows the end of the picture (films, depth maps and second pictures that phones hang on). How a
photo is to be turned is kept, in the smallest note that says it. Runs in the sandbox.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping

from filewright.chassis.sandbox.child import Refusal

_EXIF = b"Exif\0\0"
_UPRIGHT = 1


def stripped(data: bytes, kind: str, orientation: int) -> bytes:
    """The same picture with nothing but the picture. `kind` is one of `KINDS`; the file has been decoded before."""
    try:
        return b"".join(_KINDS[kind](data, orientation))
    except (IndexError, struct.error) as error:
        raise Refusal("corrupt_input") from error


def _note(orientation: int) -> bytes:
    """A TIFF of one tag: how the picture is to be turned."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _jpg(data: bytes, orientation: int) -> Iterator[bytes]:
    yield data[:2]
    if orientation != _UPRIGHT:
        yield _jpg_segment(0xE1, _EXIF + _note(orientation))
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            raise Refusal("corrupt_input")
        marker = data[at + 1]
        if marker == 0xD9:
            yield b"\xff\xd9"
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if marker == 0xDA:
            end = _end_of_scan(data, end)
        if _is_needed(marker, data[at + 4 : at + 18]):
            yield data[at:end]
        at = end


def _is_needed(marker: int, begin: bytes) -> bool:
    if marker == 0xFE:
        return False
    if not 0xE0 <= marker <= 0xEF:
        return True
    return begin.startswith((b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"))


def _jpg_segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next marker stands that is not part of the coded picture."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise Refusal("corrupt_input")
        if data[at + 1] not in _IN_SCAN:
            return at
        at += 2 if data[at + 1] != 0xFF else 1


_IN_SCAN = frozenset({0x00, 0xFF, *range(0xD0, 0xD8)})

_PNG_PARTS = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs",
     b"cICP", b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT"}
)  # fmt: skip


def _png(data: bytes, orientation: int) -> Iterator[bytes]:
    yield data[:8]
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _PNG_PARTS:
            yield data[at:end]
        if kind == b"IHDR" and orientation != _UPRIGHT:
            yield _png_chunk(b"eXIf", _note(orientation))
        if kind == b"IEND":
            return
        at = end


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


_WEBP_PARTS = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_SAYS_EXIF, _WEBP_SAYS_XMP = 0x08, 0x04


def _webp(data: bytes, orientation: int) -> Iterator[bytes]:
    parts = []
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        content = data[at + 8 : at + 8 + length]
        if kind == b"VP8X":
            flags = content[0] & ~(_WEBP_SAYS_EXIF | _WEBP_SAYS_XMP)
            flags |= _WEBP_SAYS_EXIF if orientation != _UPRIGHT else 0
            content = bytes((flags,)) + content[1:]
        if kind in _WEBP_PARTS:
            parts.append(_webp_chunk(kind, content))
        at += 8 + length + length % 2
    if orientation != _UPRIGHT:
        parts.append(_webp_chunk(b"EXIF", _note(orientation)))
    yield b"RIFF" + struct.pack("<I", 4 + sum(map(len, parts))) + b"WEBP"
    yield from parts


def _webp_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _gif(data: bytes, orientation: int) -> Iterator[bytes]:
    at = 13 + _table(data[10])
    yield data[:at]
    while data[at] != 0x3B:
        start = at
        if data[at] == 0x2C:
            at = _blocks(data, at + 10 + _table(data[at + 9]) + 1)
            yield data[start:at]
            continue
        if data[at] != 0x21:
            raise Refusal("corrupt_input")
        label = data[at + 1]
        at = _blocks(data, at + 2)
        looping = data[start + 3 : start + 14] in {b"NETSCAPE2.0", b"ANIMEXTS1.0"}
        if label in {0xF9, 0x01} or (label == 0xFF and looping):
            yield data[start:at]
    yield b"\x3b"


def _table(flags: int) -> int:
    """Bytes of the table of colours that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(data: bytes, at: int) -> int:
    """Behind a chain of blocks."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


_KINDS: Mapping[str, Callable[[bytes, int], Iterator[bytes]]] = {"jpg": _jpg, "png": _png, "webp": _webp, "gif": _gif}
KINDS = frozenset(_KINDS)
"""Kinds of files that this can be done with."""
