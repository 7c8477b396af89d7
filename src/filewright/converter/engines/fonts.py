"""Fonts between their wrappers by fontTools (MIT): the tables stay as they are, only the packing changes.

TrueType and OpenType differ in how outlines are stored; between those two the curves are redrawn (cubic to quadratic
and back), within a thousandth of an em.
"""

from __future__ import annotations

from filewright.converter.engines.library import LibraryEngine
from filewright.converter.engines.port import Conversion, Loss

_PACK = {"ttf": 75, "otf": 75, "woff": 90, "woff2": 700}

FONTS = LibraryEngine(
    name="fonttools",
    packages=("fonttools", "brotli"),
    function="filewright.converter.engines.inside.fonts:convert",
    warm=("filewright.converter.engines.inside.fonts",),
    conversions=(
        *(
            Conversion(source, target, cost=_PACK[target], loss=Loss.NONE)
            for source, target in (
                ("ttf", "woff"),
                ("ttf", "woff2"),
                ("otf", "woff"),
                ("otf", "woff2"),
                ("woff", "woff2"),
                ("woff2", "woff"),
            )
        ),
        *(
            Conversion(source, target, cost=1500, loss=Loss.SMALL)
            for source, target in (
                ("ttf", "otf"),
                ("otf", "ttf"),
                ("woff", "ttf"),
                ("woff", "otf"),
                ("woff2", "ttf"),
                ("woff2", "otf"),
            )
        ),
    ),
)
