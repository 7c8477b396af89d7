"""Deep pictures and drawings by libvips: it keeps 16 bits a channel, which Pillow does not, and draws SVG by librsvg.

Measured on 2 million pixels, Pillow writes smaller PNG and JPEG in about the same time, so libvips is the second choice
for everything but PNG and TIFF among themselves, and SVG.
"""

from __future__ import annotations

from filewright.converter.engines.drawing import svg_conversions
from filewright.converter.engines.pixels import FRAME, PixelEngine, photo_options
from filewright.converter.engines.port import Conversion, Loss

VIPS = PixelEngine(
    name="vips",
    packages=("pyvips", "pyvips-binary", "pillow", "lxml"),
    function="filewright.converter.engines.inside.vips:convert",
    conversions=(
        Conversion("tiff", "png", cost=120, loss=Loss.NONE, many=True, options={**photo_options("png"), **FRAME}),
        Conversion("tiff", "tiff", cost=70, loss=Loss.NONE, many=True, options={**photo_options("tiff"), **FRAME}),
        Conversion("png", "png", cost=170, loss=Loss.NONE, options=photo_options("png")),
        Conversion("png", "tiff", cost=80, loss=Loss.NONE, options=photo_options("tiff")),
        *svg_conversions(cost=45),
    ),
)
