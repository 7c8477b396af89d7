"""The text of an API key: what kind it is, 30 random characters, and a checksum of both.

    fw_live_ 7dK…(30 of base62)…x 0aB3cD
    kind     178 random bits      CRC-32, six of base62

The prefix lets scanners of code find keys that leaked; the checksum lets us refuse what is no key, or was copied in
part, without asking the database. Only the digest of a key is stored: with that much randomness a fast one is enough.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass, field

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARS = 30
_CHECK_CHARS = 6
_SHAPE = re.compile(r"[a-z]{2,8}_(live|test)_[0-9A-Za-z]{36}")
_HINT_CHARS = 4
"""Of the random ones: enough to know it again, far too few to help in guessing."""


@dataclass(frozen=True)
class NewKey:
    """A key at the only moment when anybody but its owner has it."""

    text: str = field(repr=False)
    sha256: str
    hint: str


def make_key(app: str, *, live: bool) -> NewKey:
    """A fresh key."""
    prefix = f"{app}_{'live' if live else 'test'}_"
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
    text = prefix + random + _checksum(prefix + random)
    return NewKey(text, digest(text), prefix + random[:_HINT_CHARS])


def looks_like_key(text: str, app: str) -> bool:
    """Whether the text wants to be taken for a key, good or not."""
    return text.startswith((f"{app}_live_", f"{app}_test_"))


def is_sound(text: str, app: str) -> bool:
    """Whether it is whole and unchanged; says nothing about its existence."""
    if not looks_like_key(text, app) or _SHAPE.fullmatch(text) is None:
        return False
    return secrets.compare_digest(text[-_CHECK_CHARS:], _checksum(text[:-_CHECK_CHARS]))


def digest(text: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = []
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
