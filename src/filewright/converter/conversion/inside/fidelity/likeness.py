"""How alike two pages look: structural similarity (SSIM) of small grey pictures of them.

A page is made 96 by 96 greys. That is too small for the edges of letters to matter, and large enough to see a line that
moved, a table that lost its borders, or a picture that is gone. Paper that is blank on both pages is no merit.

Pillow alone does it: to load more for this would take longer than the work that is measured.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import product

from PIL import Image, ImageMath

ALIKE = 0.95
"""From which on two pages count as the same."""
_SIDE = 96
_WINDOW = 8
_STEP = 2
_SEEN = 1.0
"""How far greys are apart in a window on which something is drawn."""
_DIFFERENT_PAPER = 255 / 15
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def greys(page: Image.Image, side: int = _SIDE) -> Image.Image:
    """A page as so many greys each way; what is transparent is white paper."""
    if page.mode in {"RGBA", "LA", "PA"} or "transparency" in page.info:
        paper = Image.new("RGBA", page.size, "white")
        page = Image.alpha_composite(paper, page.convert("RGBA"))
    return page.convert("L").resize((side, side), Image.Resampling.BOX)


def likeness(one: Image.Image, other: Image.Image) -> float:
    """Of two pages of greys: from 1 for the same down to 0."""
    found, drawn, farthest = 0.0, 0, 0.0
    for mean1, mean2, square1, square2, mixed in _windows(one.convert("F"), other.convert("F")):
        spread1, spread2 = square1 - mean1 * mean1, square2 - mean2 * mean2
        farthest = max(farthest, abs(mean1 - mean2))
        if spread1 > _SEEN or spread2 > _SEEN:
            shared = mixed - mean1 * mean2
            top = (2 * mean1 * mean2 + _C1) * (2 * shared + _C2)
            found += top / ((mean1 * mean1 + mean2 * mean2 + _C1) * (spread1 + spread2 + _C2))
            drawn += 1
    alike = found / drawn if drawn else float(farthest < _DIFFERENT_PAPER)
    return min(1.0, max(0.0, alike))


def _windows(one: Image.Image, other: Image.Image) -> Iterator[Sequence[float]]:
    """The means, the mean squares, and the mean product of both pages in each window."""
    pictures = (one, other, _times(one, one), _times(other, other), _times(one, other))
    for left, top in product(range(0, _WINDOW, _STEP), repeat=2):
        right = one.width - (one.width - left) % _WINDOW
        below = one.height - (one.height - top) % _WINDOW
        means = [_values(picture.reduce(_WINDOW, box=(left, top, right, below))) for picture in pictures]
        yield from zip(*means, strict=True)


def _times(one: Image.Image, other: Image.Image) -> Image.Image:
    made: Image.Image = ImageMath.lambda_eval(
        lambda pictures: pictures["one"] * pictures["other"], one=one, other=other
    )
    return made


def _values(picture: Image.Image) -> list[float]:
    count = picture.width * picture.height
    return list(struct.unpack(f"{count}f", picture.tobytes()))
