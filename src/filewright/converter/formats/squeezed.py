"""Compressed streams, and what is inside: a tar, an SVG drawing, or just a file."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable

from filewright.converter.formats.sample import Detection, Sample

_PEEK = 4096
"""Unpacked bytes to look at: a tar header is 512, an XML root is seldom later."""
_MEMORY = 96 << 20


def recognise(sample: Sample, hint: str | None) -> Detection | None:
    """gzip, bzip2, xz, Zstandard or compress; the inside decides between `tar.gz` and `gz`."""
    head = sample.head
    for matches, format_id, peek in _KINDS:
        if matches(head):
            inside = _safely(peek, head)
            if is_tar(inside):
                return Detection(f"tar.{format_id}")
            if format_id == "gz" and (b"<svg" in inside or (hint == "svg" and inside.lstrip().startswith(b"<"))):
                return Detection("svg", note="compressed")
            return Detection(format_id, damaged=not inside and sample.size < 32)
    if is_tar(head[:512]) or (hint == "tar" and head[:1024] == bytes(1024)):
        return Detection("tar")
    return None


def is_tar(block: bytes) -> bool:
    """Whether a tar header stands here: its checksum is right (which old tars without `ustar` have too)."""
    if len(block) < 512 or not block[0]:
        return False
    field = block[148:156].strip(b" \x00")
    try:
        expected = int(field, 8)
    except ValueError:
        return False
    return expected == sum(block[:148]) + 8 * 0x20 + sum(block[156:512])


def _safely(peek: Callable[[bytes], bytes], head: bytes) -> bytes:
    try:
        return peek(head)
    except Exception:  # noqa: BLE001 - whatever a broken stream does to a decompressor, there is nothing to see in it
        return b""


def _gz(head: bytes) -> bytes:
    return zlib.decompressobj(31).decompress(head, _PEEK)


def _bz2(head: bytes) -> bytes:
    return bz2.BZ2Decompressor().decompress(head, _PEEK)


def _xz(head: bytes) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY).decompress(head, _PEEK)


def _zst(head: bytes) -> bytes:
    from backports import zstd  # noqa: PLC0415 - few files need it

    limit = {int(zstd.DecompressionParameter.window_log_max): 26}
    return bytes(zstd.ZstdDecompressor(options=limit).decompress(head, _PEEK))


def _z(head: bytes) -> bytes:
    """The first bytes of a compress(1) stream: LZW with codes that grow from 9 bits."""
    max_bits, block_mode = head[2] & 0x1F, bool(head[2] & 0x80)
    if not 9 <= max_bits <= 16:
        return b""
    table = [bytes((n,)) for n in range(256)] + ([b""] if block_mode else [])
    bits, width, position, previous, out = head[3:], 9, 0, b"", bytearray()
    while len(out) < 512 and position + width <= 8 * len(bits):
        code = int.from_bytes(bits[position // 8 : position // 8 + 3], "little") >> (position % 8) & ((1 << width) - 1)
        position += width
        if code == 256 and block_mode:
            break  # the table starts anew: never before 512 bytes are out, in a real file
        entry = table[code] if code < len(table) else previous + previous[:1]
        if not entry:
            return b""
        out += entry
        if previous:
            table.append(previous + entry[:1])
        previous = entry
        if len(table) >= 1 << width and width < max_bits:
            # Codes come in groups of eight; the rest of a group is padding when the width grows.
            position += -position % (8 * width)
            width += 1
    return bytes(out)


_KINDS: tuple[tuple[Callable[[bytes], bool], str, Callable[[bytes], bytes]], ...] = (
    (lambda head: head.startswith(b"\x1f\x8b\x08"), "gz", _gz),
    (lambda head: head[:3] == b"BZh" and head[4:10] in {b"1AY&SY", b"\x17rE8P\x90"}, "bz2", _bz2),
    (lambda head: head.startswith(b"\xfd7zXZ\x00"), "xz", _xz),
    (lambda head: head.startswith(b"\x28\xb5\x2f\xfd"), "zst", _zst),
    (lambda head: head.startswith(b"\x1f\x9d") and len(head) > 5, "z", _z),
)
