"""SVG into a PDF that is still a drawing: lines stay lines, text stays text. Typst's own converter does the work."""

from __future__ import annotations

from filewright.converter.engines.pixels import SIZE, PixelEngine
from filewright.converter.engines.port import Conversion, Loss

_SIZE = {name: {**schema, "description": f"{name.capitalize()} of the page in pixels, 96 to the inch"}
         for name, schema in SIZE.items()}  # fmt: skip

VECTOR = PixelEngine(
    name="svg2pdf",
    packages=("typst", "lxml"),
    function="filewright.converter.engines.inside.vector:convert",
    conversions=(Conversion("svg", "pdf", cost=60, loss=Loss.SMALL, options=_SIZE),),
    warm=("filewright.converter.engines.inside.vector",),
)
