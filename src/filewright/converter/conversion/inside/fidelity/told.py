"""What a document says, and in which fonts it asks for it to be said: what its readers give, whatever the format."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_SAMPLES = 12
_SHORTEST_SAMPLE = 3
_LONGEST_SAMPLE = 60
_LONGEST_NAME = 64
_MOST_FONTS = 64
_HEBREW_TO_ARABIC = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_EAST_ASIAN = re.compile("[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


class NotMeasured(Exception):
    """There is nothing to measure by, or too much of it."""


class Patience:
    """CPU time that may be spent; past it, nothing is measured."""

    def __init__(self, seconds: float) -> None:
        self._end = time.process_time() + seconds

    def ask(self) -> None:
        if time.process_time() > self._end:
            raise NotMeasured


@dataclass
class Told:
    """Filled by a reader, paragraph by paragraph."""

    patience: Patience
    paragraphs: list[str] = field(default_factory=list)
    asked: dict[str, list[str]] = field(default_factory=dict)
    """By font: some of what it is wanted for, as it will stand in the product."""

    def ask(self, fonts: ScriptFonts, text: str) -> None:
        """Text in one format; each script has a font of its own."""
        self.patience.ask()
        if not text.strip():
            return
        if text.isascii():
            self._ask(fonts.latin, text)
            return
        for part in text.split():
            if _EAST_ASIAN.search(part):
                self._ask(fonts.east_asian, "".join(_EAST_ASIAN.findall(part)))
            elif _HEBREW_TO_ARABIC.search(part):
                self._ask(fonts.complex, part)
            else:
                self._ask(fonts.latin, part)

    def _ask(self, name: str | None, text: str) -> None:
        name = (name or "").strip().lstrip("@")[:_LONGEST_NAME]
        if not name or (name not in self.asked and len(self.asked) >= _MOST_FONTS):
            return
        samples = self.asked.setdefault(name, [])
        if len(samples) < _SAMPLES:
            samples.extend(sample_words(text)[: _SAMPLES - len(samples)])


@dataclass(frozen=True)
class ScriptFonts:
    """The fonts of one run of text. None: the document does not say."""

    latin: str | None = None
    east_asian: str | None = None
    complex: str | None = None

    def over(self, other: ScriptFonts) -> ScriptFonts:
        """What this one says, and where it says nothing, the `other`."""
        return ScriptFonts(
            self.latin or other.latin, self.east_asian or other.east_asian, self.complex or other.complex
        )


def sample_words(text: str) -> Sequence[str]:
    """Those that can be told again: not too short to be found by accident."""
    return [word[:_LONGEST_SAMPLE] for word in text.split() if len(word) >= _SHORTEST_SAMPLE or not word.isascii()]
