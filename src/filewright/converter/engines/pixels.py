"""What every engine that makes pictures shares: one shape of engine, one set of options, one set of figures.

A person who asks for a jpg with `quality` and `width` gets the same whether it comes from a photo, a drawing or a page
of a PDF, so all these engines declare the options that are made here and hand them to one writer,
`inside.pictures.writing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filewright.converter.engines.library import check_packages, products
from filewright.converter.engines.port import Availability, Conversion, Loss, Work

Options = Mapping[str, Mapping[str, Any]]

WARM = tuple(
    f"filewright.converter.engines.inside.{name}"
    for name in ("pillow", "vips", "resvg", "pdfium", "unlocked", "high_range")
)
"""One warm parent for all of them: together they are smaller than two parents would be."""

WRITTEN: Mapping[str, int] = {
    "jpg": 15, "png": 160, "webp": 100, "gif": 345, "avif": 1000, "heic": 2000, "tiff": 60, "bmp": 10, "ico": 20,
    "icns": 80, "jp2": 500, "tga": 20, "pcx": 30, "dds": 20, "ppm": 10, "qoi": 40,
}  # fmt: skip
"""What `inside.pictures.writing` writes, with the CPU milliseconds of a photo of two million pixels."""

_WITH_QUALITY = {"jpg": 88, "webp": 85, "avif": 75, "heic": 75, "jp2": 80}
_WITH_LOSSLESS = {"webp": False, "avif": False, "heic": False, "jp2": True}
_WITHOUT_ALPHA = {"jpg", "bmp", "pcx", "ppm"}
_WITH_DPI = {"jpg", "png", "tiff", "bmp"}
_COLOUR = "^#[0-9a-fA-F]{6}$"

SIZE: Options = {
    "width": {
        "type": "integer", "minimum": 1, "maximum": 65535,
        "description": "Width in pixels; proportions are kept. With a height as well, the picture fits inside both",
    },
    "height": {
        "type": "integer", "minimum": 1, "maximum": 65535,
        "description": "Height in pixels; proportions are kept",
    },
}  # fmt: skip
BACKGROUND: Options = {
    "background": {
        "type": "string", "pattern": _COLOUR, "default": "#ffffff",
        "description": "Colour behind what is transparent",
    },
}  # fmt: skip
STRIP: Options = {
    "strip": {
        "type": "boolean", "default": False,
        "description": "Leave out what the camera and programs wrote into the file (place, time, device)",
    },
}  # fmt: skip
DENSITY: Options = {
    "dpi": {
        "type": "integer", "minimum": 1, "maximum": 2400,
        "description": "Dots per inch to write into the file; pixels stay",
    },
}  # fmt: skip
FRAME: Options = {
    "frame": {
        "oneOf": [{"type": "integer", "minimum": 1}, {"const": "all"}],
        "description": "Which frame or page to take, from 1; `all` gives a picture for each. If not given: every page "
        "of a TIFF, and all of an animation where the target can move, else its first frame",
    },
}  # fmt: skip


def writing_options(target: str) -> Options:
    """What can be said about writing a picture in this format."""
    options: dict[str, Mapping[str, Any]] = {**SIZE}
    if target in _WITH_QUALITY:
        options["quality"] = {
            "type": "integer", "minimum": 1, "maximum": 100, "default": _WITH_QUALITY[target],
            "description": "1 is smallest, 100 is best",
        }  # fmt: skip
    if target in _WITH_LOSSLESS:
        options["lossless"] = {
            "type": "boolean", "default": _WITH_LOSSLESS[target],
            "description": "Keep every pixel exactly; `quality` does not count then",
        }  # fmt: skip
    if target in _WITHOUT_ALPHA:
        options |= BACKGROUND
    return options


def photo_options(target: str) -> Options:
    """The same for a picture that was a picture before: it has metadata and a density of its own."""
    density = DENSITY if target in _WITH_DPI else {}
    return {**writing_options(target), **STRIP, **density}


@dataclass(frozen=True)
class PixelEngine:
    """An engine that is one function of `inside`, called with the limits on pixels and pages as well."""

    name: str
    packages: tuple[str, ...]
    """Distributions it needs; the version of the first is shown."""
    function: str
    conversions: Sequence[Conversion]
    warm: tuple[str, ...] = WARM

    def check(self) -> Availability:
        return check_packages(*self.packages)

    async def convert(self, work: Work) -> Sequence[Path]:
        untrusted_names = await work.python(
            self.function,
            warm=self.warm,
            source=work.inside(work.source),
            source_format=work.conversion.source,
            target=work.conversion.target,
            options=dict(work.options),
            password=work.password,
            max_pixels=work.max_pixels,
            max_pages=work.max_pages,
        )
        return products(work, untrusted_names)


def picture_loss(target: str) -> Loss:
    """What a photo or a scan loses by being written in this format."""
    if target in {"ico", "icns"}:
        return Loss.LARGE
    return Loss.SMALL if target in {"jpg", "webp", "avif", "heic", "gif", "pcx"} else Loss.NONE
