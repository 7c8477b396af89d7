"""Subtitles between their formats: pysubs2 (MIT), and readers of our own for the two that television uses."""

from __future__ import annotations

from filewright.converter.engines.library import LibraryEngine, every_pair
from filewright.converter.engines.port import Conversion, Loss

_READ = ("srt", "vtt", "ass", "ssa", "ttml", "sub", "smi", "scc", "ebu-stl")
_WRITTEN = ("srt", "vtt", "ass", "ssa", "ttml", "sub")
_FRAME_RATE = {
    "fps": {
        "type": "number",
        "minimum": 1,
        "maximum": 240,
        "default": 25,
        "description": "Frames per second, for formats that count frames and files that do not say",
    }
}

SUBTITLES = LibraryEngine(
    name="pysubs2",
    packages=("pysubs2",),
    function="filewright.converter.engines.inside.subtitles:convert",
    warm=("filewright.converter.engines.inside.subtitles",),
    conversions=(
        *every_pair(_READ, _WRITTEN, cost=45, loss=Loss.SMALL, options=_FRAME_RATE),
        *(Conversion(source, "txt", cost=45, loss=Loss.MOST) for source in _READ),
        *(Conversion(source, "json", cost=45, loss=Loss.LARGE) for source in _READ),
    ),
)
