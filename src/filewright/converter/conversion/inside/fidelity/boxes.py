"""Count the letters of a PDF that are drawn as a box, because no font had a shape for them.

Reads every page's drawing instructions, which takes long; only for a PDF of which it is known that it has such letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pikepdf

from filewright.converter.conversion.inside.fidelity.truetype import boxes

_MOST_BOXES = 1_000_000
_DEEPEST_FORM = 4
_SHOWS = frozenset({"Tj", "TJ", "'", '"'})


def count_boxes(path: Path) -> int:
    """How many there are on all pages."""
    counted = 0
    with pikepdf.open(path) as document:
        known: dict[Any, frozenset[int]] = {}
        for page in document.pages:
            counted += _count(page.obj, page.obj.get("/Resources", {}), known, 0)
            if counted > _MOST_BOXES:
                break
    return counted


def _count(holder: Any, resources: Any, known: dict[Any, frozenset[int]], depth: int) -> int:
    fonts, forms = resources.get("/Font", {}), resources.get("/XObject", {})
    counted, at = 0, frozenset[int]()
    for operands, operator in pikepdf.parse_content_stream(holder):
        name = str(operator)
        if name == "Tf":
            at = _codes(fonts.get(str(operands[0])), known)
        elif name in _SHOWS and at:
            counted += sum(code in at for text in _strings(operands[-1]) for code in text)
        elif name == "Do" and depth < _DEEPEST_FORM:
            form = forms.get(str(operands[0]))
            if form is not None and form.get("/Subtype") == "/Form":
                counted += _count(form, form.get("/Resources", resources), known, depth + 1)
    return counted


def _strings(shown: Any) -> Iterator[bytes]:
    for part in shown if isinstance(shown, pikepdf.Array) else (shown,):
        if isinstance(part, pikepdf.String):
            yield bytes(part)


def _codes(font: Any, known: dict[Any, frozenset[int]]) -> frozenset[int]:
    """Of a font with one byte for a letter: those that are drawn as a box. A letter's code is its glyph's number."""
    if font is None:
        return frozenset()
    key = font.objgen
    if key not in known:
        descriptor: Mapping[str, Any] = font.get("/FontDescriptor", {})
        program = descriptor.get("/FontFile2") if font.get("/Subtype") == "/TrueType" else None
        known[key] = frozenset() if program is None else boxes(program.read_bytes())
    return known[key]
