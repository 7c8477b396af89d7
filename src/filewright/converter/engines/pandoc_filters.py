"""What is done to a document between pandoc's reader and its writer, by the programs in Lua of `inside/pandoc/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filewright.converter.engines.port import Conversion

_FOLDER = Path(__file__).with_name("inside") / "pandoc"
_BOOK_LANGUAGE = _FOLDER / "book_language.lua"
_ONE_OF_EACH_NAME = _FOLDER / "one_of_each_name.lua"
_PICTURES_APART = _FOLDER / "pictures_apart.lua"
_PICTURES_DESCRIBED = _FOLDER / "pictures_described.lua"
_PICTURES_EMBEDDED = _FOLDER / "pictures_embedded.lua"
_TABLES_BY_SLIDES = _FOLDER / "tables_by_slides.lua"
_TITLE_FIRST = _FOLDER / "title_first.lua"
_UNBOXED = _FOLDER / "unboxed.lua"
_WITHOUT_TAGS = _FOLDER / "without_tags.lua"
WITHOUT_PICTURES = _FOLDER / "without_pictures.lua"
"""For writers that give up over one that is missing."""

_WITHOUT_TITLE = frozenset({"mediawiki", "textile", "ipynb"})
"""Formats whose writers would drop the title of a document."""
_STRICT_ABOUT_NAMES = frozenset({"docbook", "jats"})
"""XML that is not well-formed to many readers when an identifier stands in it twice."""
MARKUPS = frozenset({"md", "rst", "adoc", "org", "textile", "mediawiki"})
"""Text that a person reads as it stands: writers would put the tags of boxes and marks into it."""
_BOXED = frozenset({"docx", "odt", "epub", "fb2", "pptx", "ipynb"})
_HOLDING_PICTURES = frozenset({"docx", "odt", "rtf", "epub", "fb2", "pptx", "ipynb"})
"""Their pictures lie in the file itself."""
_WRITINGS = MARKUPS | {"tex", "typ", "docbook", "jats", "opml", "man"}
"""Text alone: a picture in it can only be a link to another file."""

_PICTURES: Mapping[str, Mapping[str, Any]] = {
    "pictures": {
        "type": "string", "enum": ["describe", "embed"], "default": "describe",
        "description": "What stands where a picture was: the words that describe it, or all of it as a `data:` address",
    }
}  # fmt: skip


def picture_options(source: str, target: str) -> Mapping[str, Mapping[str, Any]]:
    """JSON Schema of what can be said about pictures on that way: Markdown alone can hold them."""
    return _PICTURES if target == "md" and source in _HOLDING_PICTURES else {}


def filters_of(conversion: Conversion, options: Mapping[str, Any]) -> Sequence[Path]:
    """The programs, in the order in which they are to run."""
    source, target = conversion.source, conversion.target
    return [
        *([_BOOK_LANGUAGE] if source == "epub" else []),
        *([_TITLE_FIRST] if target in _WITHOUT_TITLE else []),
        *([_ONE_OF_EACH_NAME] if target in _STRICT_ABOUT_NAMES else []),
        *([_WITHOUT_TAGS] if source == "epub" and target in MARKUPS else []),
        *([_UNBOXED] if source in _BOXED and target in MARKUPS else []),
        *_for_pictures_and_slides(source, target, options),
    ]


def _for_pictures_and_slides(source: str, target: str, options: Mapping[str, Any]) -> Sequence[Path]:
    if target == "pptx":
        return [_TABLES_BY_SLIDES, _PICTURES_APART]
    if source not in _HOLDING_PICTURES or target not in _WRITINGS:
        return []
    return [_PICTURES_EMBEDDED if options.get("pictures") == "embed" else _PICTURES_DESCRIBED]
