"""Pictures and drawings."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from corpus.making.tools import Maker, run

PICTURES: Mapping[str, str] = {
    "jpg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF", "heic": "HEIF", "tiff": "TIFF", "bmp": "BMP",
    "jp2": "JPEG2000", "tga": "TGA", "pcx": "PCX", "dds": "DDS", "ppm": "PPM",
}  # fmt: skip


def _pillow(size: tuple[int, int] = (64, 40)) -> object:
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    return Image.radial_gradient("L").resize(size).convert("RGB")


def picture(name: str) -> Maker:
    return lambda path: _pillow().save(path, PICTURES[name])


def windows_icon(path: Path) -> None:
    _pillow((64, 64)).save(path, "ICO", sizes=[(64, 64)])


def apple_icon(path: Path) -> None:
    """One picture, of 64 by 64."""
    plain = path.with_suffix(".plain.png")
    _pillow((64, 64)).save(plain)
    entry = plain.read_bytes()
    path.write_bytes(struct.pack(">4sI4sI", b"icns", 16 + len(entry), b"icp6", 8 + len(entry)) + entry)


def _as_png(path: Path) -> Path:
    plain = path.with_suffix(".plain.png")
    _pillow().save(plain)
    return plain


def magick(path: Path) -> None:
    run("convert", _as_png(path), path)


def jxl(path: Path) -> None:
    run("cjxl", "--quiet", _as_png(path), path)


def exr(path: Path) -> None:
    import numpy
    import OpenEXR

    shades = numpy.tile(numpy.linspace(0, 1, 64, dtype="float32"), (40, 1))
    channels = dict.fromkeys("RGB", shades)
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(str(path))


def qoi(path: Path) -> None:
    """Every pixel spelled out."""
    pixels = b"".join(b"\xfe" + bytes(pixel) for pixel in _pillow().getdata())
    path.write_bytes(b"qoif" + struct.pack(">IIBB", 64, 40, 3, 0) + pixels + bytes(7) + b"\x01")


def eps(path: Path) -> None:
    path.write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 120 80\n%%EndComments\n"
        "newpath 10 10 moveto 110 10 lineto 60 70 lineto closepath fill\nshowpage\n%%EOF\n"
    )


def emf(path: Path) -> None:
    """A filled rectangle, from [MS-EMF]; a tenth of a millimetre to a unit."""
    rectangle = struct.pack("<II4i", 43, 24, 10, 10, 110, 70)
    end = struct.pack("<IIIII", 14, 20, 0, 0, 20)
    header = struct.pack(
        "<II4i4iIIIIHHIIIiiii", 1, 88, 0, 0, 120, 80, 0, 0, 12_000, 8_000, 0x464D4520, 0x10000,
        88 + len(rectangle) + len(end), 3, 1, 0, 0, 0, 0, 1200, 800, 1200, 800,
    )  # fmt: skip
    path.write_bytes(header + rectangle + end)


def wmf(path: Path) -> None:
    """A placeable metafile of three to two with one rectangle, from [MS-WMF]."""

    def words(*values: int) -> bytes:
        return b"".join(value.to_bytes(2, "little") for value in values)

    head = [0xCDD7, 0x9AC6, 0, 0, 0, 1200, 800, 1000, 0, 0]
    checksum = 0
    for word in head:
        checksum ^= word
    records = [
        words(5, 0, 0x020B, 0, 0),  # window origin
        words(5, 0, 0x020C, 800, 1200),  # window extent
        words(7, 0, 0x041B, 800, 1200, 0, 0),  # rectangle
        words(3, 0, 0),
    ]
    size = 9 + sum(map(len, records)) // 2
    path.write_bytes(
        words(*head, checksum) + words(1, 9, 0x0300, size & 0xFFFF, size >> 16, 0, 7, 0, 0) + b"".join(records)
    )
