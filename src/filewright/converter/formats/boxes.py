"""Formats made of ISO base media boxes: MP4, MOV, 3GP, HEIC, AVIF, JPEG 2000, JPEG XL."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from filewright.converter.formats.sample import Detection, Sample

_MAX_BOXES = 256
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia"})
_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp"})
_BRANDS = {
    b"qt  ": "mov",
    b"M4A ": "m4a",
    b"M4B ": "m4a",
    b"M4P ": "m4a",
    b"avif": "avif",
    b"avis": "avif",
    b"heic": "heic",
    b"heix": "heic",
    b"hevc": "heic",
    b"hevx": "heic",
    b"heim": "heic",
    b"heis": "heic",
    b"mif1": "heic",
    b"msf1": "heic",
    b"jp2 ": "jp2",
    b"jpx ": "jp2",
    b"jxl ": "jxl",
}
_SAME_CONTAINER = frozenset({"mp4", "m4a", "mov", "3gp", "3g2"})


class Box(NamedTuple):
    """One box: its kind, and where its payload begins and ends. `end` may lie beyond a cut-off file."""

    kind: bytes
    start: int
    end: int


def boxes(sample: Sample, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets, at most `_MAX_BOXES`; stops at the first one that makes no sense."""
    for _ in range(_MAX_BOXES):
        header = sample.read(start, 16)
        if len(header) < 8 or start >= end:
            return
        size, kind = struct.unpack_from(">I4s", header)
        body = start + 8
        if size == 1:
            if len(header) < 16:
                return
            size, body = struct.unpack_from(">Q", header, 8)[0], start + 16
        elif size == 0:
            size = end - start
        if size < body - start:
            return
        yield Box(kind, body, start + size)
        start += size


def recognise(sample: Sample, hint: str | None) -> Detection | None:
    """By the brands in `ftyp`; the name decides among MP4, M4A and MOV when the brand is a general one."""
    head = sample.head
    if head.startswith(b"\x00\x00\x00\x0cjP  \r\n\x87\n"):
        return Detection("jp2")
    if head.startswith(b"\x00\x00\x00\x0cJXL \r\n\x87\n"):
        return Detection("jxl")
    kind = head[4:8]
    if kind not in _FIRST or len(head) < 12:
        return None
    if kind not in {b"ftyp", b"styp"}:
        return _old_quicktime(sample)
    size = min(struct.unpack_from(">I", head)[0], 512)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, max(16, min(size, len(head)) - 3), 4))]
    return Detection(_by_brands(sample, brands, hint))


def _by_brands(sample: Sample, brands: list[bytes], hint: str | None) -> str:
    major = _BRANDS.get(brands[0])
    if brands[0] in {b"mif1", b"msf1"}:  # a general picture file: a later brand says how it is coded
        return next((fmt for brand in brands[1:] if (fmt := _BRANDS.get(brand)) in {"avif", "heic"}), None) or "heic"
    if major is not None and major not in {"m4a", "mov"}:
        return major
    if any(brand.startswith((b"3g2", b"kddi")) for brand in brands[:2]):
        return "3g2"
    if brands[0].startswith(b"3gp") or (hint == "3gp" and any(brand.startswith(b"3gp") for brand in brands)):
        return "3gp"
    if hint in _SAME_CONTAINER and not (major == "mov" and hint in {"3gp", "3g2"}):
        return hint
    return major or ("m4a" if track_kinds(sample) == {b"soun"} else "mp4")


def _old_quicktime(sample: Sample) -> Detection | None:
    """QuickTime before `ftyp`: only taken when the boxes up to `moov` all make sense."""
    for box in boxes(sample, 0, sample.size):
        if box.kind == b"moov":
            return Detection("mov")
        if box.kind not in _FIRST:
            return None
    return None


def track_kinds(sample: Sample) -> set[bytes]:
    """The handler of each track: `vide`, `soun`, …"""
    kinds: set[bytes] = set()
    waiting = [(0, sample.size)]
    for _ in range(_MAX_BOXES):
        if not waiting:
            break
        for box in boxes(sample, *waiting.pop()):
            if box.kind == b"hdlr":
                kinds.add(sample.read(box.start + 8, 4))
            elif box.kind in _CONTAINERS:
                waiting.append((box.start, min(box.end, sample.size)))
    return kinds & {b"vide", b"soun"}
