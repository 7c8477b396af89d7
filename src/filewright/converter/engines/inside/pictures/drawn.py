"""From a harmless drawing to a picture file, whichever renderer draws it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.pictures import svg, writing
from filewright.converter.engines.inside.pictures.colours import flattened

Draw = Callable[[svg.Drawing, int, int], Image.Image]
"""Draws to exactly this width and height."""


def convert_with(draw: Draw, source: str, target: str, options: Mapping[str, Any], max_pixels: int) -> list[str]:
    """Write `out/output.<target>`; the size is checked before anything is drawn."""
    drawing = svg.read(source)
    width, height = _size(drawing, options, max_pixels)
    picture = draw(drawing, width, height)
    if options.get("background"):
        picture = flattened(picture, options["background"])
    done = {key: value for key, value in options.items() if key not in {"width", "height", "dpi"}}
    writing.save(picture, f"out/output.{target}", target, done, max_pixels=max_pixels)
    return [f"output.{target}"]


def _size(drawing: svg.Drawing, options: Mapping[str, Any], max_pixels: int) -> tuple[int, int]:
    scale = options.get("dpi", 96) / 96
    width, height = drawing.width * scale, drawing.height * scale
    asked = [asked / side for asked, side in ((options.get("width"), width), (options.get("height"), height)) if asked]
    fit = min(asked, default=1.0)
    width, height = width * fit, height * fit
    if not math.isfinite(width * height) or math.ceil(width) * math.ceil(height) > max_pixels:
        raise Refusal("image_too_large")
    return max(1, round(width)), max(1, round(height))
