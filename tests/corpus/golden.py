"""Pages as they looked when somebody looked at them: small grey pictures as text, and how alike two of them are.

A page is kept as 48 by 48 greys of 16 steps. That is too small to read and large enough to see a line that moved, a
table that lost its borders, or a picture that is gone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
from PIL import Image

from filewright.converter.conversion.inside.fidelity.likeness import greys
from filewright.converter.conversion.inside.fidelity.likeness import likeness as alike

STORED = Path(__file__).parent / "golden.json"
OFFICE = frozenset({"office-text", "sheets", "slides"})
_SIDE = 48
_PAGES = 2
_DRAWN_AT = 512
_STEP = 255 / 15


def pages_of(pdf: Path) -> tuple[int, list[str]]:
    """How many pages there are, and the first of them."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return len(document), [_small(document[number]) for number in range(min(_PAGES, len(document)))]
    finally:
        document.close()


def likeness(one: str, other: str) -> float:
    """SSIM, from 1 for the same down to 0."""
    return alike(_greys(one), _greys(other))


def stored() -> dict[str, tuple[int, Sequence[str]]]:
    """By file of the corpus."""
    kept = json.loads(STORED.read_text(encoding="utf-8"))
    return {name: (entry["pages"], entry["first"]) for name, entry in kept.items()}


def _small(page: pypdfium2.PdfPage) -> str:
    scale = _DRAWN_AT / max(page.get_size())
    picture = page.render(scale=scale, grayscale=True).to_pil()  # type: ignore[misc]
    page.close()
    return "".join(f"{round(grey / _STEP):x}" for grey in greys(picture, _SIDE).tobytes())


def _greys(page: str) -> Image.Image:
    picture = Image.new("F", (_SIDE, _SIDE))
    picture.putdata([int(digit, 16) * _STEP for digit in page])
    return picture
