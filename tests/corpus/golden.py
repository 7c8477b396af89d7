"""Pages as they looked when somebody looked at them: small grey pictures as text, and how alike two of them are.

A page is kept as 48 by 48 greys of 16 steps. That is too small to read and large enough to see a line that moved, a
table that lost its borders, or a picture that is gone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pypdfium2
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

STORED = Path(__file__).parent / "golden.json"
OFFICE = frozenset({"office-text", "sheets", "slides"})
ALIKE = 0.95
"""Structural similarity (SSIM) from which on two pages count as the same."""
_SIDE = 48
_PAGES = 2
_DRAWN_AT = 512
_WINDOW = 8
_STEP = 255 / 15
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Grey = NDArray[np.float64]


def pages_of(pdf: Path) -> tuple[int, list[str]]:
    """How many pages there are, and the first of them."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return len(document), [_small(document[number]) for number in range(min(_PAGES, len(document)))]
    finally:
        document.close()


def likeness(one: str, other: str) -> float:
    """SSIM, from 1 for the same down to 0, of what is drawn on either page; paper that is blank on both is no merit."""
    windows = [sliding_window_view(_greys(page), (_WINDOW, _WINDOW))[::2, ::2] for page in (one, other)]
    first, second = windows
    axes = (2, 3)
    mean1, mean2 = first.mean(axes), second.mean(axes)
    spread1, spread2 = first.var(axes), second.var(axes)
    shared = (first * second).mean(axes) - mean1 * mean2
    found = ((2 * mean1 * mean2 + _C1) * (2 * shared + _C2)) / ((mean1**2 + mean2**2 + _C1) * (spread1 + spread2 + _C2))
    drawn = (spread1 > 0) | (spread2 > 0)
    return float(found[drawn].mean()) if drawn.any() else float(np.abs(mean1 - mean2).max() < _STEP)


def stored() -> dict[str, tuple[int, Sequence[str]]]:
    """By file of the corpus."""
    kept = json.loads(STORED.read_text(encoding="utf-8"))
    return {name: (entry["pages"], entry["first"]) for name, entry in kept.items()}


def _small(page: pypdfium2.PdfPage) -> str:
    scale = _DRAWN_AT / max(page.get_size())
    picture = page.render(scale=scale, grayscale=True).to_pil().convert("L")  # type: ignore[misc]
    small = np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    page.close()
    return "".join(f"{round(grey / _STEP):x}" for grey in small.ravel())


def _greys(page: str) -> Grey:
    return np.array([int(digit, 16) * _STEP for digit in page]).reshape(_SIDE, _SIDE)
