"""Ids that a test can write down beforehand."""

from __future__ import annotations

from collections import Counter


class SequentialIds:
    """Implements `chassis.ids.IdSource`: `job_00000000000000000000000001`, `…2`, …, counted for each prefix."""

    def __init__(self) -> None:
        self._made: Counter[str] = Counter()

    def new(self, prefix: str) -> str:
        self._made[prefix] += 1
        # Decimal digits are base32 digits too, so this has the shape of a real id.
        return f"{prefix}_{self._made[prefix]:026d}"
