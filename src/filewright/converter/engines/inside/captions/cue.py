"""What a reader gives: text on the screen for a while."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cue:
    """Times in milliseconds; lines parted by a line feed."""

    start: int
    end: int
    text: str
