"""Formats that came with plug-ins, recognised by the marks they declare.

A plug-in can not take files away from the formats that stand in the catalogue: its mark decides for a file that is
called so as well, which is how a format that is a ZIP inside tells itself from other ZIPs; for files of any other name
all that Filewright knows itself is asked first.
"""

from __future__ import annotations

from filewright.converter.formats import catalogue, text
from filewright.converter.formats.catalogue import Format
from filewright.converter.formats.sample import Detection, Sample


def named(sample: Sample, hint: str | None) -> Detection | None:
    """Called so, and begins so; text without any mark is believed to be what it is called."""
    for known in catalogue.learned():
        if known.id != hint:
            continue
        if _bears_mark(sample, known):
            return Detection(known.id)
        if known.text and not known.marks and text.decode(sample.head, cut=not sample.whole) is not None:
            return Detection(known.id, confident=False)
    return None


def marked(sample: Sample, _: str | None) -> Detection | None:
    """Begins so, and nobody else knew it."""
    return next((Detection(known.id) for known in catalogue.learned() if _bears_mark(sample, known)), None)


def _bears_mark(sample: Sample, known: Format) -> bool:
    return any(sample.head.startswith(mark.bytes, mark.at) for mark in known.marks)
