"""How many of a document's words are in its product.

Words are compared as people read them, not as they are stored: without case (small capitals), with composed and shaped
letters taken apart (ligatures, Arabic forms), without the marks above and below letters, which a page may place as
pieces of their own. Scripts without spaces are compared letter by letter. A word that the page breaks in two, or runs
into its neighbour, is found all the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORDS = re.compile(f"[{_SPACELESS}]|(?:(?![{_SPACELESS}])[^\\W_])+")
_SHORTEST_JOINED = 3
"""Letters of a word that is looked for within what was run together; shorter ones are found anywhere."""


class _Unmarked(dict[int, int | None]):
    """A table for `str.translate` that drops marks and what is not seen, made as it is asked."""

    def __missing__(self, code: int) -> int | None:
        dropped = unicodedata.category(chr(code)) in {"Mn", "Me", "Cf"}
        self[code] = None if dropped else code
        return self[code]


_UNMARKED = _Unmarked()


def words_of(text: str) -> list[str]:
    """The words, in a form to compare."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_UNMARKED)
    return _WORDS.findall(text.casefold())


def recall(said: Iterable[str], shown: str) -> tuple[int, float] | None:
    """How many words were said, and what part of them is shown; None when nothing was said."""
    wanted = Counter(word for text in said for word in words_of(text))
    count = wanted.total()
    if not count:
        return None
    found = words_of(shown)
    missing = wanted - Counter(found)
    if missing:
        together = "".join(found)
        for word in list(missing):
            if len(word) >= _SHORTEST_JOINED and together.count(word) >= wanted[word]:
                del missing[word]
    return count, 1 - missing.total() / count
