"""What an uploaded file is and what can be made of it, so that a caller needs no second question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filewright.converter.errors import InputError
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.formats.detection import detect, settle

UNKNOWN_TYPE = "application/octet-stream"


class Offers(Protocol):
    """What can be made of a format."""

    def targets(self, format_id: str) -> Sequence[str]:
        """All of it, nearest first."""
        ...

    def suggested(self, format_id: str) -> Sequence[str]:
        """The few that are likeliest to be wanted, best first."""
        ...


@dataclass(frozen=True)
class Recognition:
    """The type by content. `format` is None when nobody here knows it."""

    format: str | None
    media_type: str


def recognise(path: Path, filename: str) -> Recognition:
    """Look at the content, with the name as tie-break. Never raises for what is in the file."""
    detection = detect(path, filename or None)
    try:
        found: str | None = settle(detection, filename or None)
    except InputError:
        # The job will say what is wrong with it; here only what it looks like counts.
        found = detection.format
    return Recognition(found, FORMATS[found].media_type if found else UNKNOWN_TYPE)
