"""A PDF in fewer bytes: finer packing, and pictures no finer than anybody sees. The smaller of the two is kept."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from PIL import Image

from filewright.converter.operations.inside.order import Order, Product
from filewright.converter.operations.inside.pdf.documents import BROKEN, OUTPUT, opened, save

_LEAST_BYTES = 4_096
"""A picture below this is not worth another look."""
_POINTS_PER_INCH = 72
UNREADABLE = (
    *BROKEN,
    pikepdf.UnsupportedImageTypeError,
    pikepdf.DependencyError,
    NotImplementedError,
    OSError,
    Image.DecompressionBombError,
)
"""What comes of pictures that nobody can draw, or not with what is here."""


@dataclass(frozen=True)
class _Level:
    dpi: int
    quality: int


_LEVELS = {"light": _Level(300, 85), "balanced": _Level(200, 72), "strong": _Level(120, 50)}


def compress(order: Order) -> list[Product]:
    """Text and lines stay as they are."""
    source = Path(order.sources[0])
    with opened(order.sources[0], order.password, order.max_pages) as document:
        locked = document.is_encrypted
        _shrink_pictures(document, _LEVELS[order.options["level"]], order)
        for page in document.pages:
            if "/Thumb" in page.obj:
                del page.obj["/Thumb"]
        document.remove_unreferenced_resources()
        pikepdf.settings.set_flate_compression_level(9)
        save(document, recompress_flate=True)
    made = Path("out") / OUTPUT
    if not locked and made.stat().st_size >= source.stat().st_size:
        shutil.copyfile(source, made)
    return [OUTPUT]


def _shrink_pictures(document: pikepdf.Pdf, level: _Level, order: Order) -> None:
    seen: set[tuple[int, int]] = set()
    Image.MAX_IMAGE_PIXELS = order.max_pixels
    for number, page in enumerate(document.pages):
        order.report(number / len(document.pages))
        box = [float(value) for value in page.mediabox]
        inches = max(abs(box[2] - box[0]), abs(box[3] - box[1]), 1.0) / _POINTS_PER_INCH
        for stream in pictures(page):
            if stream.objgen in seen:
                continue
            seen.add(stream.objgen)
            try:
                _shrink(stream, level, inches, order.max_pixels)
            except UNREADABLE:
                continue  # one that cannot be read stays as it is


def pictures(page: pikepdf.Page) -> Iterator[pikepdf.Stream]:
    """The pictures that a page draws, also by way of its forms; none where its list of them is broken."""
    try:
        yield from page.get_images(recursive=True).values()
    except UNREADABLE:
        return


def _shrink(stream: pikepdf.Stream, level: _Level, inches: float, max_pixels: int) -> None:
    """Replace the picture by a smaller one of the same look, if there is such."""
    stored = len(stream.read_raw_bytes())
    width, height = int(stream.Width), int(stream.Height)
    if stored < _LEAST_BYTES or width * height > max_pixels or _is_special(stream):
        return
    picture = pikepdf.PdfImage(stream).as_pil_image()
    if picture.mode not in {"L", "RGB"}:
        return
    scale = min(1.0, level.dpi * inches / max(width, height))
    if scale < 1.0:
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = picture.resize(smaller, Image.Resampling.LANCZOS, reducing_gap=3.0)
    coded = io.BytesIO()
    picture.save(coded, "JPEG", quality=level.quality, optimize=True)
    if coded.tell() >= 0.95 * stored:
        return
    stream.write(coded.getvalue(), filter=pikepdf.Name.DCTDecode)
    stream.Width, stream.Height = picture.size
    stream.BitsPerComponent = 8
    stream.ColorSpace = pikepdf.Name.DeviceGray if picture.mode == "L" else pikepdf.Name.DeviceRGB
    for key in ("/DecodeParms", "/Decode", "/Intent"):
        if key in stream:
            del stream[key]


def _is_special(stream: pikepdf.Stream) -> bool:
    """A stencil, one with a colour that means nothing, or with values of another meaning."""
    return bool(stream.get("/ImageMask", False)) or "/Mask" in stream or "/Decode" in stream or "/Matte" in stream
