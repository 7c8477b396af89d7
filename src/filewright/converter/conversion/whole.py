"""Is the file all there? Only what its own headers tell at once; the rest is for the engine that reads it.

Many decoders make a picture or a sound out of half a file and say nothing. A person would rather be told.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from filewright.converter.conversion.pictures import jpeg_scan_start
from filewright.converter.errors import CorruptInput
from filewright.converter.formats.boxes import boxes
from filewright.converter.formats.sample import Sample
from filewright.converter.formats.streams import id3_end

_SEARCHED = 8 << 20
_PIECE = 1 << 20
_MAX_CHUNKS = 20_000
_TOP_BOXES = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"meta", b"moof", b"wide", b"uuid", b"mfra", b"sidx"}
)
_UNKNOWN_LENGTHS = frozenset({0, 0xFFFFFFFF})
_PLACEHOLDER = 0x7FFFF000
"""Recorders that do not know the length yet write something at least this large."""


def check_whole(sample: Sample, format_id: str) -> None:
    """Raise CorruptInput when the file ends before its content does."""
    check = _CHECKS.get(format_id)
    if check is None:
        return
    try:
        problem = check(sample)
    except (struct.error, IndexError, ValueError):
        problem = "its header is cut off"
    if problem:
        raise CorruptInput(f"The file is damaged or incomplete: {problem}. Make or download it again, completely.")


def _jpg(sample: Sample) -> str:
    start = jpeg_scan_start(sample)
    if start is None:
        return "it ends before the picture begins"
    end = sample.size
    while end > max(start, sample.size - _SEARCHED):
        piece_start = max(start, end - _PIECE)
        if b"\xff\xd9" in sample.read(piece_start, end - piece_start + 1):
            return ""
        end = piece_start
    return "the end of the picture is missing" if end <= start else ""


def _png(sample: Sample) -> str:
    at = 8
    for _ in range(_MAX_CHUNKS):
        header = sample.read(at, 8)
        if len(header) < 8:
            return "the end of the picture is missing"
        length, kind = struct.unpack(">I4s", header)
        at += 12 + length
        if kind == b"IEND":
            return ""
        if at > sample.size:
            return "the end of the picture is missing"
    return ""


def _webp(sample: Sample) -> str:
    (length,) = struct.unpack_from("<I", sample.head, 4)
    return "the end of the picture is missing" if length + 8 > sample.size + 1 else ""


def _wav(sample: Sample) -> str:
    at, seen_format = 12, False
    long_form = not sample.head.startswith(b"RIFF")
    for _ in range(_MAX_CHUNKS):
        header = sample.read(at, 8)
        if len(header) < 8:
            return "it holds no sound"
        kind, length = struct.unpack("<4sI", header)
        if kind == b"fmt ":
            if length < 14:
                return "the description of the sound is cut off"
            seen_format = True
        if kind == b"data":
            unknown = long_form or length in _UNKNOWN_LENGTHS or length >= _PLACEHOLDER
            missing = at + 8 + length - sample.size
            if not seen_format:
                return "the description of the sound is missing"
            return "the end of the sound is missing" if not unknown and missing > max(4096, length // 100) else ""
        at += 8 + length + length % 2
    return ""


def _mp3(sample: Sample) -> str:
    return "it ends inside its title information" if id3_end(sample) >= sample.size else ""


def _mp4(sample: Sample) -> str:
    seen = set()
    for box in boxes(sample, 0, sample.size):
        if box.end > sample.size and box.kind in _TOP_BOXES:
            return "its end is missing"
        seen.add(box.kind)
    return "" if seen & {b"moov", b"moof"} else "the description of what is in it is missing"


def _heif(sample: Sample) -> str:
    kinds = set()
    for box in boxes(sample, 0, sample.size):
        if box.end > sample.size and box.kind in _TOP_BOXES:
            return "the end of the picture is missing"
        kinds.add(box.kind)
    return "" if kinds & {b"meta", b"moov"} else "the description of the picture is missing"


def _parquet(sample: Sample) -> str:
    if sample.size < 12 or sample.tail[-4:] not in {b"PAR1", b"PARE"}:
        return "its end is missing"
    (length,) = struct.unpack("<I", sample.tail[-8:-4])
    return "its description of columns is cut off" if length + 12 > sample.size else ""


def _7z(sample: Sample) -> str:
    offset, length = struct.unpack_from("<QQ", sample.head, 12)
    return "its end is missing" if 32 + offset + length > sample.size else ""


def _ttf(sample: Sample) -> str:
    (count,) = struct.unpack_from(">H", sample.head, 4)
    for index in range(count):
        offset, length = struct.unpack_from(">II", sample.head, 12 + 16 * index + 8)
        if offset + length > sample.size:
            return "some of its tables are missing"
    return ""


def _woff(sample: Sample) -> str:
    (length,) = struct.unpack_from(">I", sample.head, 8)
    return "its end is missing" if length > sample.size else ""


def _pdf(sample: Sample) -> str:
    return "it ends after its first line" if sample.size < 32 else ""


_CHECKS: Mapping[str, Callable[[Sample], str]] = {
    "jpg": _jpg,
    "png": _png,
    "webp": _webp,
    "wav": _wav,
    "mp3": _mp3,
    **dict.fromkeys(("mp4", "m4a", "mov", "3gp", "3g2"), _mp4),
    **dict.fromkeys(("heic", "avif"), _heif),
    **dict.fromkeys(("parquet", "geoparquet"), _parquet),
    "7z": _7z,
    **dict.fromkeys(("ttf", "otf"), _ttf),
    **dict.fromkeys(("woff", "woff2"), _woff),
    "pdf": _pdf,
}
