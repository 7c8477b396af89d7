"""What can be asked when a drawing becomes a picture; the same for each engine that can do it."""

from __future__ import annotations

from filewright.converter.engines.pixels import WRITTEN, Options, writing_options
from filewright.converter.engines.port import Conversion, Loss

_DPI: Options = {
    "dpi": {
        "type": "integer", "minimum": 10, "maximum": 2400, "default": 96,
        "description": "How many pixels make an inch of the drawing; 96 is its natural size",
    },
}  # fmt: skip
_BACKGROUND: Options = {
    "background": {
        "type": "string", "pattern": "^#[0-9a-fA-F]{6}$",
        "description": "Colour of the sheet; transparent if not given and the format can be",
    },
}  # fmt: skip


def svg_conversions(cost: int) -> tuple[Conversion, ...]:
    """SVG into every kind of picture that we write."""
    return tuple(
        Conversion(
            "svg",
            target,
            cost=cost + written,
            loss=Loss.LARGE,
            options={**writing_options(target), **_DPI, **_BACKGROUND},
        )
        for target, written in WRITTEN.items()
    )
