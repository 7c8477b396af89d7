"""Which operations are held against what they were done to, and how long that may take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filewright.converter.operations.port import Errand, Made

_SAME_WORDS = frozenset({"merge", "rotate", "watermark", "metadata", "compress", "ocr", "sanitize"})
"""Operations after which every word of before is still there."""
_SAME_LOOKS = frozenset({"compress", "ocr", "sanitize"})
"""And every page looks as before."""
_LONG = 0.2
"""Seconds of work beside which it is little to read and to draw a few pages."""
_LARGEST = 64 << 20
_SHARE = 0.1
_MOST_SECONDS = 2.0


def is_measured(work: Errand, made: Sequence[Made]) -> bool:
    """Whether it is one PDF of PDFs, none of them too large to look at beside the work."""
    ability = work.ability
    if ability.operation not in _SAME_WORDS or (ability.source, ability.target, len(made)) != ("pdf", "pdf", 1):
        return False
    sizes = [path.stat().st_size for path in (*originals(work), made[0].path)]
    return sum(sizes) <= _LARGEST


def originals(work: Errand) -> Sequence[Path]:
    """What the product is made of; without what was put beside, such as a stamp."""
    return [work.source] if work.ability.beside else work.sources


def has_same_looks(work: Errand) -> bool:
    """Whether its pages should look as before."""
    return work.ability.operation in _SAME_LOOKS


def is_drawn(work: Errand, elapsed: float) -> bool:
    """Whether they should, and the work took so long that there is time to see."""
    return has_same_looks(work) and elapsed >= _LONG


def seconds_for(elapsed: float) -> float:
    """Of CPU, for the words after work that took so long. What is quick stays quick: its pages are counted, no more."""
    return min(_MOST_SECONDS, _SHARE * elapsed) if elapsed >= _LONG else 0.0
