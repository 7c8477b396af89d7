"""Words over pictures. PDFs are marked in another way; see `pdf`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Loss
from filewright.converter.operations.library import LibraryOperator
from filewright.converter.operations.pictures import WRITTEN_AGAIN
from filewright.converter.operations.port import same_format

_WORDS: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The words to write over the picture"},
    "place": {
        "enum": [
            "center", "tiled", "top-left", "top", "top-right", "left", "right", "bottom-left", "bottom", "bottom-right",
        ],
        "default": "center",
        "description": "Where; tiled writes them again and again over all of it",
    },
    "opacity": {
        "type": "number", "minimum": 0.02, "maximum": 1, "default": 0.35, "description": "1 covers what is below",
    },
    "size": {
        "type": "integer", "minimum": 2, "maximum": 100, "default": 40,
        "description": "How wide the words are, in percent of the picture",
    },
    "color": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$", "default": "#808080", "description": "Of the letters"},
    "angle": {
        "type": "number", "minimum": -180, "maximum": 180, "default": 0,
        "description": "How far the words are turned, in degrees, against the clock",
    },
}  # fmt: skip

PICTURES_MARKED = LibraryOperator(
    name="pillow-watermark",
    packages=("pillow", "pillow-heif", "fonttools", "numpy"),
    function="filewright.converter.operations.inside.marking:operate",
    abilities=same_format(
        "watermark",
        tuple(kind for kind in WRITTEN_AGAIN),
        cost=150,
        loss=Loss.SMALL,
        options=_WORDS,
        required=("text",),
    ),
    warm=WARM,
)
