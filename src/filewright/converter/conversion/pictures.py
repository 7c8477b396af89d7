"""How many pixels a picture has, read from its header, before any decoder allocates a buffer for them.

Every reader takes a `Sample` and gives width and height; ValueError, IndexError and struct.error mean a damaged header.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping

from filewright.converter.formats.boxes import boxes
from filewright.converter.formats.sample import Sample

Size = tuple[int, int]
_MAX_SEGMENTS = 2048
_MAX_IFDS = 256
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def pixel_size(sample: Sample, format_id: str) -> Size | None:
    """Width and height of the largest picture in the file; None when the header does not say."""
    reader = _READERS.get(format_id)
    if reader is None:
        return None
    try:
        return reader(sample)
    except (ValueError, IndexError, struct.error):
        return None


def jpeg_scan_start(sample: Sample) -> int | None:
    """Where the picture data of a JPEG begins; None when the segments before it are cut off or broken."""
    for marker, start, length in _segments(sample):
        if marker == 0xDA:
            return start + length
    return None


def _segments(sample: Sample) -> list[tuple[int, int, int]]:
    """Marker, start and length of each segment up to and including the first start of scan."""
    found, at = [], 2
    for _ in range(_MAX_SEGMENTS):
        header = sample.read(at, 4)
        while header[:2] == b"\xff\xff":  # fill bytes
            at += 1
            header = sample.read(at, 4)
        if len(header) < 4 or header[0] != 0xFF:
            break
        length = header[2] << 8 | header[3]
        found.append((header[1], at + 2, length))
        if header[1] == 0xDA:
            break
        at += 2 + length
    return found


def _jpg(sample: Sample) -> Size | None:
    for marker, start, _ in _segments(sample):
        if marker in _SOF:
            height, width = struct.unpack(">HH", sample.read(start + 3, 4))
            return width, height
    return None


def _png(sample: Sample) -> Size:
    return struct.unpack_from(">II", sample.head, 16)


def _gif(sample: Sample) -> Size:
    return struct.unpack_from("<HH", sample.head, 6)


def _webp(sample: Sample) -> Size | None:
    head, kind = sample.head, sample.head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _bmp(sample: Sample) -> Size:
    if sample.head[14] == 12:
        return struct.unpack_from("<HH", sample.head, 18)
    width, height = struct.unpack_from("<ii", sample.head, 18)
    return abs(width), abs(height)


def _tiff(sample: Sample) -> Size | None:
    order = "<" if sample.head[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", sample.head, 2)[0] == 43
    at = struct.unpack_from(order + ("Q" if big else "I"), sample.head, 8 if big else 4)[0]
    largest, seen = None, set()
    for _ in range(_MAX_IFDS):
        if at in seen or not at:
            break
        seen.add(at)
        size, at = _directory(sample, at, order, big=big)
        if size is not None and (largest is None or size[0] * size[1] > largest[0] * largest[1]):
            largest = size
    return largest


def _directory(sample: Sample, at: int, order: str, *, big: bool) -> tuple[Size | None, int]:
    count_format, entry_bytes, link = ("Q", 20, "Q") if big else ("H", 12, "I")
    width_of_count = struct.calcsize(order + count_format)
    count = min(4096, struct.unpack(order + count_format, sample.read(at, width_of_count))[0])
    table = sample.read(at + width_of_count, count * entry_bytes + struct.calcsize(order + link))
    values = {}
    for index in range(count):
        tag, kind = struct.unpack_from(order + "HH", table, index * entry_bytes)
        if tag in {256, 257}:
            where = index * entry_bytes + (12 if big else 8)
            values[tag] = struct.unpack_from(order + {3: "H", 4: "I", 16: "Q"}.get(kind, "I"), table, where)[0]
    following = struct.unpack_from(order + link, table, count * entry_bytes)[0]
    return ((values[256], values[257]) if len(values) == 2 else None), following


def _ico(sample: Sample) -> Size:
    count = min(256, sample.head[4] | sample.head[5] << 8)
    largest = (0, 0)
    for index in range(count):
        entry = sample.head[6 + 16 * index : 22 + 16 * index]
        size = (entry[0] or 256, entry[1] or 256)
        picture = sample.read(struct.unpack_from("<I", entry, 12)[0], 24)
        if picture.startswith(b"\x89PNG"):
            size = struct.unpack_from(">II", picture, 16)
        largest = max(largest, size, key=lambda pair: pair[0] * pair[1])
    return largest


def _psd(sample: Sample) -> Size:
    height, width = struct.unpack_from(">II", sample.head, 14)
    return width, height


def _heif(sample: Sample) -> Size | None:
    """The largest `ispe` property: parts of a grid are smaller than the whole."""
    sizes = [
        struct.unpack(">II", sample.read(prop.start + 4, 8))
        for meta in boxes(sample, 0, sample.size)
        if meta.kind == b"meta"
        for iprp in boxes(sample, meta.start + 4, meta.end)
        if iprp.kind == b"iprp"
        for ipco in boxes(sample, iprp.start, iprp.end)
        if ipco.kind == b"ipco"
        for prop in boxes(sample, ipco.start, ipco.end)
        if prop.kind == b"ispe"
    ]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _jp2(sample: Sample) -> Size | None:
    if sample.head.startswith(b"\xff\x4f"):
        right, bottom, left, top = struct.unpack_from(">IIII", sample.head, 8)
        return right - left, bottom - top
    for header in boxes(sample, 0, sample.size):
        if header.kind == b"jp2h":
            for box in boxes(sample, header.start, header.end):
                if box.kind == b"ihdr":
                    height, width = struct.unpack(">II", sample.read(box.start, 8))
                    return width, height
    return None


def _jxl(sample: Sample) -> Size | None:
    if sample.head.startswith(b"\xff\x0a"):
        return _jxl_header(sample.head[2:32])
    for box in boxes(sample, 0, sample.size):
        if box.kind in {b"jxlc", b"jxlp"}:
            data = sample.read(box.start + (4 if box.kind == b"jxlp" else 0), 32)
            return _jxl_header(data[2:]) if data.startswith(b"\xff\x0a") else None
    return None


def _jxl_header(data: bytes) -> Size:
    """SizeHeader of ISO 18181-1: bits from the least significant on."""
    bits, at = int.from_bytes(data, "little"), 0

    def take(count: int) -> int:
        nonlocal at
        value = bits >> at & ((1 << count) - 1)
        at += count
        return value

    def length(*, small: bool) -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    small = bool(take(1))
    height = length(small=small)
    ratio = take(3)
    if ratio:
        across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        return height * across // down, height
    return length(small=small), height


def _exr(sample: Sample) -> Size | None:
    at = sample.head.find(b"dataWindow\x00box2i\x00")
    if at < 0:
        return None
    left, top, right, bottom = struct.unpack_from("<iiii", sample.head, at + 21)
    return right - left + 1, bottom - top + 1


def _hdr(sample: Sample) -> Size | None:
    found = re.search(rb"\n[-+]([XY]) (\d{1,9}) [-+][XY] (\d{1,9})\n", sample.head)
    if found is None:
        return None
    first, second = int(found[2]), int(found[3])
    return (second, first) if found[1] == b"Y" else (first, second)


def _tga(sample: Sample) -> Size:
    return struct.unpack_from("<HH", sample.head, 12)


def _pcx(sample: Sample) -> Size:
    left, top, right, bottom = struct.unpack_from("<HHHH", sample.head, 4)
    return right - left + 1, bottom - top + 1


def _dds(sample: Sample) -> Size:
    height, width = struct.unpack_from("<II", sample.head, 12)
    return width, height


def _ppm(sample: Sample) -> Size | None:
    found = re.match(
        rb"P[1-6](?:\s|#[^\n]{0,1000}\n){1,100}(\d{1,10})(?:\s|#[^\n]{0,1000}\n){1,100}(\d{1,10})", sample.head
    )
    return (int(found[1]), int(found[2])) if found is not None else None


def _qoi(sample: Sample) -> Size:
    return struct.unpack_from(">II", sample.head, 4)


_READERS: Mapping[str, Callable[[Sample], Size | None]] = {
    "jpg": _jpg,
    "png": _png,
    "gif": _gif,
    "webp": _webp,
    "bmp": _bmp,
    "tiff": _tiff,
    "ico": _ico,
    "psd": _psd,
    "heic": _heif,
    "avif": _heif,
    "jp2": _jp2,
    "jxl": _jxl,
    "exr": _exr,
    "hdr": _hdr,
    "tga": _tga,
    "pcx": _pcx,
    "dds": _dds,
    "ppm": _ppm,
    "qoi": _qoi,
}
TELLING = frozenset(_READERS)
"""The formats whose headers say it."""
