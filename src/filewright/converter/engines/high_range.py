"""OpenEXR into ordinary pictures: light without an upper end, brought into what a screen can show."""

from __future__ import annotations

from filewright.converter.engines.pixels import WRITTEN, Options, PixelEngine, picture_loss, writing_options
from filewright.converter.engines.port import Conversion, Loss

_EXPOSURE: Options = {
    "exposure": {
        "type": "number", "minimum": -20, "maximum": 20, "default": 0,
        "description": "Stops to brighten or darken by, before the highlights are brought in",
    },
}  # fmt: skip

OPENEXR = PixelEngine(
    name="openexr",
    packages=("OpenEXR", "numpy", "pillow"),
    function="filewright.converter.engines.inside.high_range:convert",
    conversions=tuple(
        Conversion(
            "exr",
            target,
            cost=60 + written,
            loss=max(Loss.SMALL, picture_loss(target)),
            options={**writing_options(target), **_EXPOSURE},
        )
        for target, written in WRITTEN.items()
    ),
)
