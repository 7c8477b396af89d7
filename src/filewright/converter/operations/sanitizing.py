"""Files made harmless, each kind in its own way. What runs in the sandbox is `inside.sanitizing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Loss
from filewright.converter.operations.library import LibraryOperator
from filewright.converter.operations.pictures import PICTURES, WRITTEN_AGAIN
from filewright.converter.operations.port import Ability, same_format

_FUNCTION = "filewright.converter.operations.inside.sanitizing:operate"
_WITHOUT_MACROS = {"docm": "docx", "xlsm": "xlsx", "pptm": "pptx"}
_OFFICE = ("docx", "dotx", "xlsx", "xltx", "pptx", "ppsx", "potx")
_OPEN_DOCUMENT = ("odt", "ott", "fodt", "ods", "fods", "odp", "fodp", "odg")

Schema = Mapping[str, Any]
_STRUCTURE: Mapping[str, Schema] = {
    "mode": {
        "enum": ["structure"], "default": "structure",
        "description": "structure: scripts, links, embedded files and metadata are taken out, text stays text; "
        "pixels: the pages are drawn, and the document is made anew from the drawings",
    },
}  # fmt: skip
_PIXELS: Mapping[str, Schema] = {
    "mode": {**_STRUCTURE["mode"], "enum": ["pixels"], "default": "pixels"},
    "dpi": {
        "type": "integer", "minimum": 50, "maximum": 600, "default": 150,
        "description": "How many pixels make an inch of the page, for `pixels`",
    },
    "quality": {
        "type": "integer", "minimum": 1, "maximum": 100, "default": 85, "description": "Of the drawings, for `pixels`",
    },
}  # fmt: skip

_EITHER: Mapping[str, Schema] = {
    "mode": {
        "enum": ["structure", "pixels"], "default": "pixels",
        "description": "Of a picture nothing but its pixels is kept in either way",
    },
}  # fmt: skip

SANITIZED = LibraryOperator(
    name="sanitize",
    packages=("pikepdf", "lxml", "pillow", "pypdfium2"),
    function=_FUNCTION,
    abilities=(
        Ability("pdf", "pdf", 60, Loss.SMALL, operation="sanitize", options=_STRUCTURE),
        Ability("pdf", "pdf", 900, Loss.MOST, operation="sanitize", options=_PIXELS, converts=True),
        *(
            Ability(source, target, 60, Loss.SMALL, operation="sanitize", options=_STRUCTURE)
            for source, target in _WITHOUT_MACROS.items()
        ),
        *same_format(
            "sanitize", (*_OFFICE, *_OPEN_DOCUMENT, "html", "svg"), cost=60, loss=Loss.SMALL, options=_STRUCTURE
        ),
        *same_format("sanitize", WRITTEN_AGAIN, cost=200, loss=Loss.SMALL, options=_EITHER),
        *(
            Ability(source, "png", 200, Loss.SMALL, operation="sanitize", options=_EITHER)
            for source in PICTURES
            if source not in WRITTEN_AGAIN
        ),
    ),
    warm=WARM,
)
