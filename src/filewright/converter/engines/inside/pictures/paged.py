"""Put pictures into a PDF, a page each, losing nothing that is not lost already.

A JPEG goes in as the bytes it is, turned upright by the page's matrix and not by decoding; what was lossless stays
lossless; only pictures of other lossy kinds (HEIC, WebP, ...) are compressed again, as JPEG.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pikepdf
from PIL import Image

from filewright.converter.engines.inside.pictures.colours import suited
from filewright.converter.engines.inside.pictures.writing import notes_of, resized, size_for

_ORIENTATION = 0x0112
_SCREEN_DPI = 96
_MARGIN = 28.35
_LARGEST_SIDE = 14_400.0
"""Points: what readers accept as the side of a page."""
_PAPER = {"a4": (595.28, 841.89), "letter": (612.0, 792.0)}
_UNITS = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
"""EXIF orientation to the matrix that turns the unit square, in which PDF draws a picture, upright."""
_COLOUR_SPACES = {"1": "/DeviceGray", "L": "/DeviceGray", "RGB": "/DeviceRGB", "CMYK": "/DeviceCMYK"}


class Book:
    """A PDF that grows by a page for each picture."""

    def __init__(self, options: Mapping[str, Any], *, max_pixels: int) -> None:
        self._options = options
        self._max_pixels = max_pixels
        self._pdf = pikepdf.new()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pdf.close()

    def add_jpeg(self, path: str, picture: Image.Image, upright: Image.Image) -> None:
        """A page with the JPEG file itself; `picture` is the same, decoded without fault, and `upright` turned."""
        if {"width", "height"} & set(self._options) or picture.mode not in _COLOUR_SPACES:
            self.add(upright, lossy_before=True)
            return
        image = self._image(Path(path).read_bytes(), picture.size, picture.mode, filter_name="/DCTDecode")
        profile = picture.info.get("icc_profile")
        if profile and _components_of(profile) == len(picture.getbands()):
            stream = self._pdf.make_stream(profile, N=len(picture.getbands()))
            image.ColorSpace = pikepdf.Array([pikepdf.Name.ICCBased, stream])
        if picture.mode == "CMYK":
            # Adobe's habit, which every writer of CMYK JPEG follows: ink is stored inverted.
            image.Decode = pikepdf.Array([1, 0] * 4)
        turned = picture.getexif().get(_ORIENTATION, 1)
        self._add_page(image, upright, turned if turned in _UNITS else 1)

    def add(self, upright: Image.Image, *, lossy_before: bool) -> None:
        """A page with these pixels, on the background where they are transparent."""
        scaled = resized(upright, size_for(upright.size, self._options, self._max_pixels))
        flat = suited(scaled, "pdf", background=self._options.get("background", "#ffffff"), keep_profile=False)
        image = self._as_jpeg(flat) if lossy_before and flat.mode != "1" else self._as_it_is(flat)
        self._add_page(image, upright, 1)

    def save(self, path: str) -> None:
        self._pdf.docinfo["/Producer"] = "Filewright"
        self._pdf.save(path)

    def _as_jpeg(self, flat: Image.Image) -> pikepdf.Stream:
        packed = io.BytesIO()
        flat.save(packed, "JPEG", quality=int(self._options.get("quality", 90)), subsampling=0)
        return self._image(packed.getvalue(), flat.size, flat.mode, filter_name="/DCTDecode")

    def _as_it_is(self, flat: Image.Image) -> pikepdf.Stream:
        """Lossless. PDF and PNG share zlib and the row predictors, so the PNG's data can be taken over as a whole."""
        packed = io.BytesIO()
        flat.save(packed, "PNG", compress_level=3)
        image = self._image(b"".join(_idat(packed.getvalue())), flat.size, flat.mode, filter_name="/FlateDecode")
        image.DecodeParms = pikepdf.Dictionary(
            Predictor=15,
            Colors=3 if flat.mode == "RGB" else 1,
            BitsPerComponent=1 if flat.mode == "1" else 8,
            Columns=flat.width,
        )
        return image

    def _image(self, data: bytes, size: tuple[int, int], mode: str, *, filter_name: str) -> pikepdf.Stream:
        image = self._pdf.make_stream(data)
        image.Type = pikepdf.Name.XObject
        image.Subtype = pikepdf.Name.Image
        image.Width, image.Height = size
        image.ColorSpace = pikepdf.Name(_COLOUR_SPACES[mode])
        image.BitsPerComponent = 1 if mode == "1" else 8
        image.Filter = pikepdf.Name(filter_name)
        return image

    def _add_page(self, image: pikepdf.Stream, upright: Image.Image, orientation: int) -> None:
        page_size, (left, bottom, width, height) = self._layout(upright)
        a, b, c, d, e, f = _UNITS[orientation]
        matrix = (a * width, b * height, c * width, d * height, left + e * width, bottom + f * height)
        drawing = " ".join(f"{number:.4f}" for number in matrix)
        page = self._pdf.add_blank_page(page_size=page_size)
        page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Picture=image))
        page.obj.Contents = self._pdf.make_stream(f"q {drawing} cm /Picture Do Q".encode())

    def _layout(self, upright: Image.Image) -> tuple[tuple[float, float], tuple[float, float, float, float]]:
        """The page's size, and the picture's place on it: left, bottom, width, height, all in points."""
        paper = _PAPER.get(str(self._options.get("page", "picture")))
        if paper is None:
            width, height = self._natural_size(upright)
            return (width, height), (0.0, 0.0, width, height)
        across, down = paper if upright.width <= upright.height else (paper[1], paper[0])
        scale = min((across - 2 * _MARGIN) / upright.width, (down - 2 * _MARGIN) / upright.height)
        width, height = upright.width * scale, upright.height * scale
        return (across, down), ((across - width) / 2, (down - height) / 2, width, height)

    def _natural_size(self, upright: Image.Image) -> tuple[float, float]:
        asked = self._options.get("dpi")
        across, down = (asked, asked) if asked else notes_of(upright).dpi or (_SCREEN_DPI, _SCREEN_DPI)
        width, height = upright.width * 72 / max(across, 10), upright.height * 72 / max(down, 10)
        shrink = min(1.0, _LARGEST_SIDE / max(width, height))
        return max(width * shrink, 3.0), max(height * shrink, 3.0)


def _idat(png: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            yield png[at + 8 : at + 8 + length]
        at += 12 + length


def _components_of(profile: bytes) -> int:
    """How many channels a colour profile speaks of, by the signature in its header; 0 for an unknown one."""
    return {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}.get(profile[16:20], 0)
