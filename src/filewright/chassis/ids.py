"""Identifiers: prefixed, sortable by time of birth, and unguessable.

`job_01jd6qx2v7…`: a prefix that names the kind, then 26 characters of Crockford base32 holding 48 bits of
milliseconds and 80 random bits (the ULID layout), in lower case.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Protocol

from filewright.chassis.clock import Clock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80
_CHARS = 26
_SHAPE = re.compile(r"[a-z]{2,5}_[0-9a-hjkmnp-tv-z]{26}")


class IdSource(Protocol):
    """Makes new identifiers."""

    def new(self, prefix: str) -> str:
        """A fresh id such as `job_01jd6q…`; two calls never give the same one."""
        ...


class RandomIds:
    """Ids from the clock and the operating system's randomness."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self, prefix: str) -> str:
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return f"{prefix}_{_base32((milliseconds << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS))}"


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` has the shape of an id of that kind; says nothing about its existence."""
    return text.startswith(f"{prefix}_") and _SHAPE.fullmatch(text) is not None


def moment_of(identifier: str) -> datetime:
    """The moment in an id of ours, to the millisecond. Raises ValueError for what is none."""
    if _SHAPE.fullmatch(identifier) is None:
        raise ValueError("not an id")
    number = 0
    for character in identifier.rpartition("_")[2]:
        number = number * 32 + _ALPHABET.index(character)
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=number >> _RANDOM_BITS)


def _base32(number: int) -> str:
    digits = []
    for _ in range(_CHARS):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
