"""Draw SVG with resvg; see `engines.resvg`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import resvg_py
from PIL import Image

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.pictures import drawn, svg


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
    """Write the picture into `out/`."""
    return drawn.convert_with(drawn_at, source, target, options, max_pixels)


def drawn_at(drawing: svg.Drawing, width: int, height: int) -> Image.Image:
    """The drawing in exactly that size."""
    try:
        packed = bytes(resvg_py.svg_to_bytes(svg_string=drawing.text.decode(), width=width, height=height))
    except ValueError as error:
        raise Refusal("corrupt_input") from error
    picture = Image.open(io.BytesIO(packed), formats=("PNG",)).convert("RGBA")
    return picture if picture.size == (width, height) else picture.resize((width, height), Image.Resampling.LANCZOS)
