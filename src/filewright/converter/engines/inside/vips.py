"""Draw SVG, and carry deep pictures between PNG and TIFF, with libvips; see `engines.vips`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyvips
from PIL import Image

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside import pillow
from filewright.converter.engines.inside.pictures import drawn, reading, svg, writing

pyvips.cache_set_max(0)
_KEPT = 1 | 2 | 8
"""EXIF, XMP and the colour profile, in libvips' flags; never free text."""


def convert(
    *,
    report: Report,
    source: str,
    source_format: str,
    target: str,
    options: Mapping[str, Any],
    password: str | None,
    max_pixels: int,
    max_pages: int,
) -> list[str]:
    """Write the products into `out/`. What is not deep goes the usual way, so that it looks as it always does."""
    if source_format == "svg":
        return drawn.convert_with(_draw, source, target, options, max_pixels)
    picture = reading.open_picture(source, source_format, max_pixels)
    several = getattr(picture, "n_frames", 1) > 1 and "frame" not in options
    if several or options.get("frame") == "all" or not _is_deep_colour(picture):
        return pillow.convert(
            report=report, source=source, source_format=source_format, target=target, options=options,
            password=password, max_pixels=max_pixels, max_pages=max_pages,
        )  # fmt: skip
    return _deep(picture, source, source_format, target, options, max_pixels)


def _is_deep_colour(picture: Image.Image) -> bool:
    """More than 8 bits in each of several channels, by the header. Deep greys Pillow keeps by itself."""
    if picture.format == "PNG":
        return any("16" in str(tile.args) for tile in getattr(picture, "tile", ()))
    bits = getattr(picture, "tag_v2", {}).get(0x0102, ())
    return isinstance(bits, tuple) and len(bits) >= 3 and set(bits) == {16}


def _deep(
    picture: Image.Image, source: str, source_format: str, target: str, options: Mapping[str, Any], max_pixels: int
) -> list[str]:
    page = options.get("frame", 1)
    paged = {"page": page - 1} if source_format == "tiff" else {}
    try:
        loader = pyvips.Image.tiffload if source_format == "tiff" else pyvips.Image.pngload
        image = loader(source, fail_on="truncated", **paged)
        reading.check_size(picture, max_pixels)
        if image.width * image.height > max_pixels:
            raise Refusal("image_too_large")
        upright = image.autorot()
        fitted = _fitted(upright, options, max_pixels)
        _write(fitted, target, options)
    except pyvips.Error as error:
        raise Refusal("corrupt_input") from error
    return [f"output.{target}"]


def _fitted(image: pyvips.Image, options: Mapping[str, Any], max_pixels: int) -> pyvips.Image:
    width, height = writing.size_for((image.width, image.height), options, max_pixels)
    if (width, height) == (image.width, image.height):
        return image
    return image.resize(width / image.width, vscale=height / image.height)


def _write(image: pyvips.Image, target: str, options: Mapping[str, Any]) -> None:
    keep = 0 if options.get("strip") else _KEPT
    if options.get("strip") and image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", depth=16)
    if options.get("dpi"):
        image = image.copy(xres=options["dpi"] / 25.4, yres=options["dpi"] / 25.4)
    if target == "png":
        image.pngsave("out/output.png", compression=6, filter="all", keep=keep)
    else:
        image.tiffsave("out/output.tiff", compression="deflate", predictor="horizontal", keep=keep)


def _draw(drawing: svg.Drawing, width: int, height: int) -> Image.Image:
    try:
        scale = max(width / drawing.width, height / drawing.height)
        image = pyvips.Image.svgload_buffer(drawing.text, scale=scale)
        pixels = image.colourspace("srgb")
        if not pixels.hasalpha():
            pixels = pixels.addalpha()
        picture = Image.frombytes("RGBA", (pixels.width, pixels.height), bytes(pixels.write_to_memory()))
    except pyvips.Error as error:
        raise Refusal("corrupt_input") from error
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.LANCZOS)
