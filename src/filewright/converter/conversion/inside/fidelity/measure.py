"""Hold a PDF against the office document that it was made of.

`measure` gives a sheet of facts, or None where there is nothing to go by: a locked document, a format of old whose
words nobody here can read but the engine itself, or one so large that it would take longer than it is worth. It never
says that a product is broken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filewright.converter.conversion.inside.fidelity import opendocument, richtext, sheets, slides, word
from filewright.converter.conversion.inside.fidelity.drawn import Drawn
from filewright.converter.conversion.inside.fidelity.package import Package, parsed
from filewright.converter.conversion.inside.fidelity.told import NotMeasured, Patience, Told
from filewright.converter.conversion.inside.fidelity.words import recall

_STYLES = re.compile(
    "(regular|normal|roman|book|light|medium|semibold|demibold|bold|black|italic|oblique|condensed|mt|ps|std|pro){1,8}$"
)
_VOTES = 6
_PATIENCE_SECONDS = 2.0


def measure(
    source: Path, source_format: str, product: Path, aliases: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any] | None:
    """`pages`, `words`, `text_recall`, `missing_glyphs` and `substituted_fonts`.

    `aliases`: by names that a document may ask for, other names by which a PDF may have the font.
    """
    patience = Patience(_PATIENCE_SECONDS)
    told = Told(patience)
    try:
        READERS[source_format](source, told)
        with closing(Drawn(product, patience)) as shown:
            return _compared(told, shown, product, aliases or {})
    except NotMeasured:
        return None


def _compared(told: Told, shown: Drawn, product: Path, aliases: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    found, known = recall(told.paragraphs, shown.text), _Names.of(aliases)
    return {
        "pages": len(shown.pages),
        "words": 0 if found is None else found[0],
        "text_recall": None if found is None else round(found[1], 4),
        "missing_glyphs": _count_boxes(product) if shown.has_boxes else 0,
        "substituted_fonts": [{"asked": name, "got": font} for name, font in _substituted(told, shown, known).items()],
    }


@dataclass(frozen=True)
class _Names:
    """What is known of names that differ and mean the same font."""

    others: Mapping[str, frozenset[str]]
    """All of them plain."""

    @classmethod
    def of(cls, aliases: Mapping[str, Sequence[str]]) -> _Names:
        return cls({_plain(name): frozenset(map(_plain, others)) for name, others in aliases.items()})

    def is_there(self, asked: str, fonts: set[str]) -> bool:
        """Whether one of the PDF's fonts is of that family; a document may also ask for a style by name."""
        plain = _plain(asked)
        wanted = {plain, _without_style(plain), *self.others.get(plain, ())}
        return any(not wanted.isdisjoint({_plain(font), _without_style(_plain(font))}) for font in fonts)


def _substituted(told: Told, shown: Drawn, known: _Names) -> dict[str, str | None]:
    """By font that is not there: what came instead. Where no words tell, it is the only font that nobody asked for."""
    there = {font for font in shown.fonts for name in told.asked if known.is_there(name, {font})}
    came = {
        name: _drawn_instead(samples, shown)
        for name, samples in sorted(told.asked.items())
        if not known.is_there(name, shown.fonts)
    }
    left = {_family(font) for font in shown.fonts - there} - set(came.values())
    only = left.pop() if len(left) == 1 else None
    return {name: font or only for name, font in came.items()}


def _family(font: str) -> str:
    """Without the style, as PDFs write it."""
    return font.partition("-")[0].partition(",")[0]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _without_style(plain: str) -> str:
    return _STYLES.sub("", plain) or plain


def _drawn_instead(samples: list[str], shown: Drawn) -> str | None:
    """The font in which words that were to be in another one are found."""
    votes = Counter(font for sample in samples[:_VOTES] if (font := shown.font_of(sample)))
    return _family(votes.most_common(1)[0][0]) if votes else None


def _count_boxes(product: Path) -> int:
    from filewright.converter.conversion.inside.fidelity.boxes import count_boxes  # noqa: PLC0415 - seldom needed, dear

    return count_boxes(product)


def _zipped(read: Callable[[Package, Told], None]) -> Callable[[Path, Told], None]:
    def whole(path: Path, told: Told) -> None:
        with Package(path) as package:
            read(package, told)

    return whole


def _flat(path: Path, told: Told) -> None:
    opendocument.read_flat(parsed(path.read_bytes()), told)


READERS: Mapping[str, Callable[[Path, Told], None]] = {
    **dict.fromkeys(("docx", "docm", "dotx"), _zipped(word.read)),
    **dict.fromkeys(("xlsx", "xlsm", "xltx"), _zipped(sheets.read)),
    **dict.fromkeys(("pptx", "pptm", "ppsx", "potx"), _zipped(slides.read)),
    **dict.fromkeys(("odt", "ott", "ods", "odp", "odg"), _zipped(opendocument.read)),
    **dict.fromkeys(("fodt", "fods", "fodp"), _flat),
    "rtf": richtext.read,
}
"""For each of `conversion.fidelity.MEASURED`."""
