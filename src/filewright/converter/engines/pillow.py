"""Pictures of every usual kind into each other and into PDF, by Pillow and pillow-heif.

The broad engine of the family: animations stay animations where the target can hold one, photos come out upright,
colours keep their profile or are turned into sRGB, and a damaged or enormous file is refused by name. The work is in
`inside.pillow` (reading), `inside.pictures.writing` and `inside.pictures.paged` (PDF).
"""

from __future__ import annotations

from filewright.converter.engines.pixels import (
    BACKGROUND,
    FRAME,
    SIZE,
    WRITTEN,
    Options,
    PixelEngine,
    photo_options,
    picture_loss,
)
from filewright.converter.engines.port import Conversion, Loss

_READ = {
    "jpg": 15, "png": 30, "webp": 25, "gif": 15, "avif": 60, "heic": 100, "tiff": 20, "bmp": 10, "ico": 10, "icns": 15,
    "jp2": 150, "psd": 30, "tga": 10, "pcx": 20, "dds": 20, "ppm": 10, "qoi": 30,
}  # fmt: skip
_SEVERAL_FRAMES = {"gif", "webp", "avif", "tiff"}
_SAME = {"jpg", "png", "webp", "gif", "avif", "heic", "tiff"}
"""Formats in which a person wants a smaller, resized or stripped copy of the same kind."""

_PDF: Options = {
    **SIZE,
    **BACKGROUND,
    "quality": {
        "type": "integer", "minimum": 1, "maximum": 100, "default": 90,
        "description": "Of pictures that were not JPEG before and had lost detail already; a JPEG goes in as it is",
    },
    "page": {
        "type": "string", "enum": ["picture", "a4", "letter"], "default": "picture",
        "description": "Size of the page: that of the picture, or paper with the picture fitted inside",
    },
    "dpi": {
        "type": "integer", "minimum": 10, "maximum": 2400,
        "description": "How many pixels make an inch of a page of the picture's size; as the file says if not given",
    },
}  # fmt: skip


def _to_picture(source: str, target: str) -> Conversion:
    several = source in _SEVERAL_FRAMES
    return Conversion(
        source,
        target,
        cost=_READ[source] + WRITTEN[target],
        loss=max(picture_loss(target), Loss.SMALL if source in {"psd", "ico", "icns"} else Loss.NONE),
        many=several,
        options={**photo_options(target), **(FRAME if several else {})},
    )


def _to_pdf(source: str) -> Conversion:
    frames = {
        "frame": {**FRAME["frame"], "description": "Which frame or page to take, from 1; `all` makes a page each"}
    }
    return Conversion(
        source,
        "pdf",
        cost=_READ[source] + 30,
        loss=Loss.SMALL,
        options={**_PDF, **(frames if source in _SEVERAL_FRAMES else {})},
    )


PILLOW = PixelEngine(
    name="pillow",
    packages=("pillow", "pillow-heif", "pikepdf", "numpy"),
    function="filewright.converter.engines.inside.pillow:convert",
    conversions=(
        *(_to_picture(source, target) for source in _READ for target in WRITTEN if source != target or source in _SAME),
        *(_to_pdf(source) for source in _READ),
    ),
)
