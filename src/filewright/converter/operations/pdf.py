"""Operations on PDFs, as data. What carries them out runs in the sandbox: `inside/pdf/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filewright.converter.engines.port import Loss
from filewright.converter.operations.library import LibraryOperator
from filewright.converter.operations.port import ANY, MAX_INPUTS, Ability

Options = Mapping[str, Mapping[str, Any]]

_RANGES = r"^\s*[0-9]{1,7}\s*(-\s*([0-9]{1,7})?)?\s*(,\s*[0-9]{1,7}\s*(-\s*([0-9]{1,7})?)?\s*)*$"
PAGES: Options = {
    "pages": {
        "type": "string", "pattern": _RANGES, "maxLength": 1000,
        "description": "Which pages, such as 1-3,7 or 5-; all if not given",
    },
}  # fmt: skip
_BOOKMARKS: Options = {
    "bookmarks": {
        "type": "boolean", "default": True,
        "description": "Make a bookmark for each file, with the file's own bookmarks below it",
    },
}  # fmt: skip
_EVERY: Options = {
    "every": {
        "type": "integer", "minimum": 1, "maximum": 100_000, "default": 1,
        "description": "How many pages each part has; the last one may have fewer",
    },
}  # fmt: skip
_BY_RANGES: Options = {
    "ranges": {
        "type": "string", "pattern": _RANGES, "maxLength": 10_000,
        "description": "Pages of each part, the parts with commas between them, such as 1-3,4,5-",
    },
}  # fmt: skip
_DEGREES: Options = {
    "degrees": {
        "enum": [90, 180, 270, -90], "default": 90,
        "description": "How far to turn, clockwise: 90, 180, 270, or -90",
    },
}  # fmt: skip

_LEVEL: Options = {
    "level": {
        "type": "string", "enum": ["light", "balanced", "strong"], "default": "balanced",
        "description": "light: hardly to be seen; strong: as small as is bearable",
    },
}  # fmt: skip
_WORD = {"type": "string", "maxLength": 2000}
_FIELDS: Options = {
    name: {**_WORD, "description": f"The {name} to write into the file; empty takes it away"}
    for name in ("title", "author", "subject", "keywords", "creator")
}
_MARK: Options = {
    "place": {
        "enum": [
            "center", "tiled", "top-left", "top", "top-right", "left", "right", "bottom-left", "bottom", "bottom-right",
        ],
        "default": "center",
        "description": "Where; tiled puts it there again and again over all of the page",
    },
    "opacity": {
        "type": "number", "minimum": 0.02, "maximum": 1, "default": 0.35, "description": "1 covers what is below",
    },
    "size": {
        "type": "integer", "minimum": 2, "maximum": 100, "default": 40,
        "description": "How wide it is, in percent of the page",
    },
    "angle": {
        "type": "number", "minimum": -180, "maximum": 180, "default": 0,
        "description": "How far it is turned, in degrees, against the clock",
    },
    "layer": {"enum": ["over", "under"], "default": "over", "description": "Over what is on the page, or under it"},
    **PAGES,
}  # fmt: skip
_TEXT: Options = {
    "text": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The words to write over the pages"},
    "color": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$", "default": "#808080", "description": "Of the letters"},
}
_STAMPS = ("png", "jpg", "webp", "gif", "svg")


def _one(name: str, value: str, description: str) -> Options:
    return {name: {"enum": [value], "default": value, "description": description}}


def _action(value: str) -> Options:
    return _one("action", value, "read: what the file says of itself, as JSON; set: change it; strip: leave it out")


def _what(value: str) -> Options:
    return _one("what", value, "Which parts: pages (as a PDF), text, images, or attachments")


PDF = LibraryOperator(
    name="qpdf",
    packages=("pikepdf",),
    function="filewright.converter.operations.inside.pdf:operate",
    abilities=(
        Ability("pdf", "pdf", cost=30, operation="merge", inputs=(2, MAX_INPUTS), converts=True, options=_BOOKMARKS),
        Ability("pdf", "pdf", cost=30, operation="split", many=True, options=_EVERY),
        Ability("pdf", "pdf", cost=30, operation="split", many=True, options=_BY_RANGES, required=("ranges",)),
        Ability("pdf", "pdf", cost=20, operation="rotate", options={**_DEGREES, **PAGES}),
        Ability("pdf", "pdf", 300, Loss.SMALL, operation="compress", options=_LEVEL),
        Ability("pdf", "json", 20, Loss.MOST, operation="metadata", options=_action("read")),
        Ability("pdf", "pdf", cost=20, operation="metadata", options={**_action("set"), **_FIELDS}),
        Ability("pdf", "pdf", cost=20, operation="metadata", options=_action("strip")),
        Ability(
            "pdf", "pdf", 20, Loss.MOST, operation="extract", options={**_what("pages"), **PAGES}, required=("pages",)
        ),
        Ability("pdf", "txt", 20, Loss.MOST, operation="extract", options={**_what("text"), **PAGES}),
        Ability("pdf", ANY, 60, Loss.MOST, many=True, operation="extract", options={**_what("images"), **PAGES}),
        Ability("pdf", ANY, 20, Loss.MOST, many=True, operation="extract", options=_what("attachments")),
    ),
    warm=("filewright.converter.operations.inside.pdf.documents",),
)

PDF_MARKED = LibraryOperator(
    name="typst-watermark",
    packages=("typst", "pikepdf"),
    function="filewright.converter.operations.inside.pdf:operate",
    abilities=(
        Ability("pdf", "pdf", cost=120, operation="watermark", options={**_TEXT, **_MARK}, required=("text",)),
        Ability("pdf", "pdf", cost=120, operation="watermark", inputs=(2, 2), beside=_STAMPS, options=_MARK),
    ),
    warm=("filewright.converter.operations.inside.pdf.stamping",),
)
"""With a picture as the second input, that is put over the pages; else the words are."""
