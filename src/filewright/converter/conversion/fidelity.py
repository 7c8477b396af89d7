"""How true a product is to its source, as data: what `inside/fidelity` measured, believed as far as it can be.

Measured are office documents that became a PDF, where the document's own XML says what has to be on the pages, and
operations that make a PDF of PDFs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEASURED = frozenset(
    {
        "docx", "docm", "dotx", "xlsx", "xlsm", "xltx", "pptx", "pptm", "ppsx", "potx",
        "odt", "ott", "ods", "odp", "odg", "fodt", "fods", "fodp", "rtf",
    }
)  # fmt: skip
"""Formats that a PDF can be held against."""
_LARGEST = 64 << 20
_OF_A_PART = frozenset({"pages", "preview", "sheet", "sheets"})
_MOST_FONTS = 64
_LONGEST_NAME = 64
_LARGEST_COUNT = 1 << 31


@dataclass(frozen=True)
class Original:
    """What a product is held against."""

    path: Path
    format: str
    fonts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By names that it may ask for: other names by which a PDF may have that font."""


@dataclass(frozen=True)
class Substitution:
    """A font that the document asks for and the product has not."""

    asked: str
    got: str | None
    """None: no text shows what came instead."""


@dataclass(frozen=True)
class Fidelity:
    """What can be said of a product beside its source."""

    pages: int
    words: int | None
    """Of the source, those that must be seen; None: there was no time to count them."""
    text_recall: float | None
    """What part of them is in the product; None: there are none."""
    missing_glyphs: int
    """Letters that are drawn as a box, because no font had a shape for them."""
    substituted_fonts: tuple[Substitution, ...]
    source_pages: int | None = None
    """Of the files that it was made of, together; None where they have none of their own."""
    likeness: float | None = None
    """How alike the pages look before and after, of those drawn the one that is the least; None: none were."""

    def as_json(self) -> dict[str, Any]:
        """The shape of the API."""
        shown: dict[str, Any] = {
            "pages": self.pages,
            "words": self.words,
            "text_recall": self.text_recall,
            "missing_glyphs": self.missing_glyphs,
            "substituted_fonts": [{"asked": font.asked, "got": font.got} for font in self.substituted_fonts],
        }
        more = {"source_pages": self.source_pages, "likeness": self.likeness}
        return {**shown, **{name: value for name, value in more.items() if value is not None}}


def is_measured(source_format: str, target: str, options: Mapping[str, Any], *, size: int) -> bool:
    """Whether there is anything to measure: not of a part of the document, nor of one that is too large.

    `options` may have their defaults filled in, as those of jobs do; these ask for no part.
    """
    is_whole = not any(options.get(name) for name in _OF_A_PART)
    return target == "pdf" and source_format in MEASURED and size <= _LARGEST and is_whole


def fidelity_of(untrusted: object) -> Fidelity | None:
    """What the sandbox said, if it has the shape of a measurement."""
    if not isinstance(untrusted, Mapping):
        return None
    pages, words, glyphs = (_count(untrusted.get(name)) for name in ("pages", "words", "missing_glyphs"))
    recall, fonts = untrusted.get("text_recall"), untrusted.get("substituted_fonts")
    before, likeness = _count(untrusted.get("source_pages")), untrusted.get("likeness")
    if pages is None or glyphs is None or not isinstance(fonts, Sequence):
        return None
    if words is None and (before is None or untrusted.get("words") is not None):
        return None
    if not _is_part(recall) or not _is_part(likeness):
        return None
    return Fidelity(pages, words, recall, glyphs, tuple(_substitutions(fonts[:_MOST_FONTS])), before, likeness)


def _is_part(value: object) -> bool:
    """Of a whole; or nothing at all."""
    return value is None or (isinstance(value, int | float) and 0 <= value <= 1)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < _LARGEST_COUNT else None


def _substitutions(fonts: Sequence[object]) -> list[Substitution]:
    return [
        Substitution(asked, _name(font.get("got")))
        for font in fonts
        if isinstance(font, Mapping) and (asked := _name(font.get("asked")))
    ]


def _name(value: object) -> str | None:
    """A font's name, which a document chose, as something that can be shown."""
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value if letter.isprintable())[:_LONGEST_NAME].strip() or None
