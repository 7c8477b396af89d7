"""What the readers of this folder share: how they say that a product is not what its name says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Reader = Callable[[Path], object]
"""Returns nothing of note, and raises when the product is not of the type, is broken, or holds nothing."""


class NotSo(AssertionError):
    """The product is not what its name says; the message tells why."""


def must(condition: object, why: str) -> None:
    if not condition:
        raise NotSo(why)
