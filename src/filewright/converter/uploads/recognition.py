"""What an uploaded file is and what can be made of it, so that a caller needs no second question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filewright.converter.conversion.pictures import TELLING, pixel_size
from filewright.converter.errors import InputError
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.formats.detection import detect, settle
from filewright.converter.formats.sample import Sample

_MOST = 1 << 53
"""Headers say anything."""
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
    load: int | None = None
    """See `Artifact.load`."""


def recognise(path: Path, filename: str) -> Recognition:
    """Look at the content, with the name as tie-break. Never raises for what is in the file."""
    detection = detect(path, filename or None)
    try:
        found: str | None = settle(detection, filename or None)
    except InputError:
        # The job will say what is wrong with it; here only what it looks like counts.
        found = detection.format
    if found is None:
        return Recognition(None, UNKNOWN_TYPE)
    load = min(detection.texts, _MOST) if detection.texts is not None else _pixels(path, found)
    return Recognition(found, FORMATS[found].media_type, load)


def _pixels(path: Path, format_id: str) -> int | None:
    if format_id not in TELLING:
        return None
    with Sample(path) as sample:
        size = pixel_size(sample, format_id)
    return None if size is None else min(size[0] * size[1], _MOST)
