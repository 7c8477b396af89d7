"""Drawings by resvg: no other library, more of SVG 2 than librsvg, slower because it looks for fonts each time."""

from __future__ import annotations

from filewright.converter.engines.drawing import svg_conversions
from filewright.converter.engines.pixels import PixelEngine

RESVG = PixelEngine(
    name="resvg",
    packages=("resvg-py", "pillow", "lxml"),
    function="filewright.converter.engines.inside.resvg:convert",
    conversions=svg_conversions(cost=130),
)
