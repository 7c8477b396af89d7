"""What a conversion delivered, as the fact checkers see it; and how texts and programs are read."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from corpus.facts import reading

_GAP = 60


@dataclass(frozen=True)
class Delivery:
    """The products of one conversion, in order."""

    source_format: str
    target: str
    products: tuple[Path, ...]

    @property
    def first(self) -> Path:
        return self.products[0]

    @cached_property
    def text(self) -> str | None:
        """All words of all products; None when the target holds no text that can be read without its maker."""
        texts = [reading.text_of(product, self.target) for product in self.products]
        return None if any(text is None for text in texts) else plain("\n".join(str(text) for text in texts))

    @cached_property
    def grids(self) -> dict[str, list[list[object]]] | None:
        """Rows of cells with the header first, by the name of the table; None when the target is no table."""
        found: dict[str, list[list[object]]] = {}
        for number, product in enumerate(self.products):
            tables = reading.grids_of(product, self.target)
            if tables is None:
                return None
            found |= {name or f"#{number}": grid for name, grid in tables.items()}
        return found


def plain(text: str) -> str:
    """As the manifest compares: normal form C, white space collapsed."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def letters(text: str) -> str:
    """Letters and digits alone, ligatures and presentation forms undone: what mark-up and typesetting leave alone."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c)[0] in "LN")


def holds(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text: to the letter, or but for punctuation, mark-up and line ends.

    Between two of its words may stand what layout puts there: the number of a footnote, the cell of a next column.
    """
    if plain(phrase) in text or (letters(phrase) or plain(phrase)) in letters(text):
        return True
    in_order = f".{{0,{_GAP}}}?".join(map(re.escape, plain(phrase).split()))
    return re.search(in_order, text) is not None


def missing_from(text: str, phrase: str) -> str:
    """Empty when the text holds the phrase, else a short reason."""
    return "" if holds(text, phrase) else f"{phrase[:60]!r} is not in it"


def run(*argv: str | Path, check: bool = True) -> str:
    """What a program of this machine says."""
    done = subprocess.run(argv, check=check, capture_output=True, timeout=120)
    return done.stdout.decode("utf-8", "replace")
