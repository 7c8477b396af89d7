"""What a function sees that runs inside the sandbox. Imports nothing heavy: every job's child loads it."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Tells the parent how far the work is."""

    def __call__(self, fraction: float) -> None:
        """`fraction` from 0 to 1; lower than before is ignored."""
        ...


class Refusal(Exception):
    """Raised by a sandboxed function to say that the input is at fault, by a short code such as `corrupt_input`.

    Only the code crosses the border.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)
