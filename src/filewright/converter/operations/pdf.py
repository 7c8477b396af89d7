"""Operations on PDFs, as data. What carries them out runs in the sandbox: `inside/pdf/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filewright.converter.operations.library import LibraryOperator
from filewright.converter.operations.port import MAX_INPUTS, Ability

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

PDF = LibraryOperator(
    name="qpdf",
    packages=("pikepdf",),
    function="filewright.converter.operations.inside.pdf:operate",
    abilities=(
        Ability("pdf", "pdf", cost=30, operation="merge", inputs=(2, MAX_INPUTS), converts=True, options=_BOOKMARKS),
        Ability("pdf", "pdf", cost=30, operation="split", many=True, options=_EVERY),
        Ability("pdf", "pdf", cost=30, operation="split", many=True, options=_BY_RANGES, required=("ranges",)),
        Ability("pdf", "pdf", cost=20, operation="rotate", options={**_DEGREES, **PAGES}),
    ),
    warm=("filewright.converter.operations.inside.pdf.documents",),
)
