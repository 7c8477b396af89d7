"""How alike two pages look: structural similarity (SSIM) of small grey pictures of them.

A page is made 96 by 96 greys. That is too small for the edges of letters to matter, and large enough to see a line that
moved, a table that lost its borders, or a picture that is gone. Paper that is blank on both pages is no merit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

Grey = Any
"""An array of floats, two ways; 0 is black, 255 is white."""

ALIKE = 0.95
"""From which on two pages count as the same."""
_SIDE = 96
_WINDOW = 8
_STEP = 2
_SEEN = 1.0
"""How far greys are apart in a window on which something is drawn."""
_DIFFERENT_PAPER = 255 / 15
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def greys(page: Image.Image, side: int = _SIDE) -> Grey:
    """A page as so many greys each way; what is transparent is white paper."""
    if page.mode in {"RGBA", "LA", "PA"} or "transparency" in page.info:
        paper = Image.new("RGBA", page.size, "white")
        page = Image.alpha_composite(paper, page.convert("RGBA"))
    return np.asarray(page.convert("L").resize((side, side), Image.Resampling.BOX), dtype=np.float64)


def likeness(one: Grey, other: Grey) -> float:
    """From 1 for the same down to 0."""
    first, second = (sliding_window_view(page, (_WINDOW, _WINDOW))[::_STEP, ::_STEP] for page in (one, other))
    axes = (2, 3)
    mean1, mean2 = first.mean(axes), second.mean(axes)
    spread1, spread2 = first.var(axes), second.var(axes)
    shared = (first * second).mean(axes) - mean1 * mean2
    found = ((2 * mean1 * mean2 + _C1) * (2 * shared + _C2)) / ((mean1**2 + mean2**2 + _C1) * (spread1 + spread2 + _C2))
    drawn = (spread1 > _SEEN) | (spread2 > _SEEN)
    alike = float(found[drawn].mean()) if drawn.any() else float(np.abs(mean1 - mean2).max() < _DIFFERENT_PAPER)
    return min(1.0, max(0.0, alike))
