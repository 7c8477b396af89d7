"""Hold a PDF against the PDFs that it was made of: pages, words, and how alike the pages look. Runs in the sandbox.

It is for work that changes files and not what they say, so the files themselves tell what has to be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pypdfium2

from filewright.converter.conversion.inside.fidelity.likeness import greys, likeness
from filewright.converter.conversion.inside.fidelity.told import NotMeasured, Patience
from filewright.converter.conversion.inside.fidelity.words import recall

_MOST_PAGES = 200
_MOST_DRAWN = 4
_SIDE = 512


def measure(
    sources: Sequence[str], product: Path, *, password: str | None, seconds: float, looks: bool
) -> dict[str, Any]:
    """As `measure.measure`, with `source_pages` and, where `looks` is asked for, `likeness`: of the page that is the
    least alike of a few. When `seconds` of CPU do not do, or are none, pages are counted and no words.
    """
    patience = Patience(seconds)
    with ExitStack() as opened:
        before = [_open(Path(source), password, opened) for source in sources]
        after = _open(product, password, opened)
        counted = sum(map(len, before))
        words, part = _words(before, after, patience) if seconds > 0 and counted <= _MOST_PAGES else (None, None)
        return {
            "pages": len(after),
            "source_pages": counted,
            "words": words,
            "text_recall": part,
            "likeness": _likeness(before[0], after, patience) if looks and len(before) == 1 else None,
            "missing_glyphs": 0,
            "substituted_fonts": [],
        }


def _words(
    before: Sequence[pypdfium2.PdfDocument], after: pypdfium2.PdfDocument, patience: Patience
) -> tuple[int | None, float | None]:
    """How many there were, and what part of them is left; None when it would take too long."""
    try:
        said = [text for document in before for text in _texts(document, patience)]
        found = recall(said, "\n".join(_texts(after, patience)))
    except NotMeasured:
        return None, None
    return (0, None) if found is None else (found[0], round(found[1], 4))


def _open(path: Path, password: str | None, opened: ExitStack) -> pypdfium2.PdfDocument:
    document = pypdfium2.PdfDocument(path, password=password)
    opened.callback(document.close)
    return document


def _texts(document: pypdfium2.PdfDocument, patience: Patience) -> list[str]:
    found = []
    for number in range(len(document)):
        patience.ask()
        page = document[number]
        text = page.get_textpage()
        found.append(text.get_text_range(errors="replace"))
        text.close()
        page.close()
    return found


def _likeness(before: pypdfium2.PdfDocument, after: pypdfium2.PdfDocument, patience: Patience) -> float | None:
    """Of the first page, the last, and some between."""
    if len(before) != len(after):
        return None
    last = len(after) - 1
    chosen = sorted({round(last * part / (_MOST_DRAWN - 1)) for part in range(_MOST_DRAWN)})
    found: list[float] = []
    try:
        for number in chosen:
            patience.ask()
            found.append(likeness(*(_drawn(document, number) for document in (before, after))))
    except NotMeasured:
        pass
    return round(min(found), 4) if found else None


def _drawn(document: pypdfium2.PdfDocument, number: int) -> Any:
    page = document[number]
    picture = page.render(scale=_SIDE / max(*page.get_size(), 1.0), grayscale=True).to_pil()
    page.close()
    return greys(picture)
