"""Pictures turned and mirrored, in the format they have, with what their cameras wrote. Runs in the sandbox.

What comes in is first set upright as its camera was held, so that a turn is a turn of what people see; the product has
no note of that left. A JPEG is coded again by its own tables, so that nothing is smoothed away twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image, JpegImagePlugin

from filewright.converter.engines.inside.pictures import reading, writing
from filewright.converter.operations.inside import frames
from filewright.converter.operations.inside.order import Order

_TURNS = {
    90: Image.Transpose.ROTATE_270,  # Pillow counts the other way
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
_FLIPS = {"horizontal": Image.Transpose.FLIP_LEFT_RIGHT, "vertical": Image.Transpose.FLIP_TOP_BOTTOM}
_COARSER_ALIKE = {0, 2}
"""Ways of keeping colours coarser that are the same across and down, so that they survive a turn."""


def operate(order: Order) -> list[str]:
    """Write `out/output.<target>` with every frame or page turned."""
    opened = frames.opened(order.source, order.source_format, order.max_pixels, order.max_pages)
    path = f"out/output.{order.target}"
    steps = _steps(order.options)

    def turned(frame: Image.Image) -> Image.Image:
        made = frame
        for step in steps:
            made = made.transpose(step)
        made.info = frame.info
        return made

    if order.target == "jpg" and opened.picture.mode in {"L", "RGB", "CMYK"}:
        _jpg(opened, turned, path)
    else:
        frames.write(opened, path, order.target, {}, order.report, turned, strip=False)
    return [f"output.{order.target}"]


def _steps(options: Mapping[str, Any]) -> list[Image.Transpose]:
    """The mirror first, then the turn."""
    flip = [_FLIPS[options["flip"]]] if options.get("flip") else []
    degrees = int(options["degrees"]) % 360
    return [*flip, *([_TURNS[degrees]] if degrees else [])]


def _jpg(opened: frames.Opened, turned: Callable[[Image.Image], Image.Image], path: str) -> None:
    source = opened.picture
    with reading.reading():
        coarser = JpegImagePlugin.get_sampling(source)
        tables = source.quantization  # type: ignore[attr-defined]
    upright = opened.frame(0)
    notes = writing.notes_of(upright)
    kept: dict[str, Any] = {"exif": notes.exif, "dpi": notes.dpi, "xmp": notes.xmp}
    kept["icc_profile"] = upright.info.get("icc_profile")
    turned(upright).save(
        path,
        "JPEG",
        qtables=tables,
        subsampling=coarser if coarser in _COARSER_ALIKE else 0,
        optimize=True,
        **{key: value for key, value in kept.items() if value},
    )
