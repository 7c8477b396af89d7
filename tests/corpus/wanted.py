"""The few targets per kind of file that are tried at every run of the tests: what people ask for most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from filewright.converter.formats.catalogue import FORMATS, Family

_BY_FORMAT: Mapping[str, Sequence[str]] = {
    "svg": ("png", "jpg", "pdf"),
    "gif": ("mp4", "webp", "png", "avif"),
    "emf": ("png", "svg", "pdf"),
    "dxf": ("svg", "geojson", "pdf"),
    "json": ("yaml", "csv", "xlsx"),
    "yaml": ("json", "toml"),
    "ics": ("csv", "json", "html"),
    "mbox": ("html", "txt", "zip"),
    "zst": ("gz", "zip"),
    "z": ("gz", "zip"),
    "gz": ("zst", "zip"),
    "y4m": ("mp4", "gif"),
    "ipynb": ("html", "md", "pdf"),
}
_BY_FAMILY: Mapping[Family, Sequence[str]] = {
    Family.DOCUMENT: ("pdf", "docx", "odt", "html", "txt", "md"),
    Family.MARKUP: ("pdf", "docx", "html", "md", "txt"),
    Family.SHEET: ("pdf", "xlsx", "ods", "csv", "json"),
    Family.SLIDES: ("pdf", "pptx", "odp", "png"),
    Family.PDF: ("png", "txt", "docx", "svg", "html"),
    Family.EBOOK: ("pdf", "epub", "docx", "txt", "html"),
    Family.IMAGE: ("png", "jpg", "webp", "pdf", "avif", "gif"),
    Family.AUDIO: ("mp3", "wav", "flac", "ogg"),
    Family.VIDEO: ("mp4", "webm", "gif", "mp3"),
    Family.SUBTITLE: ("srt", "vtt", "ass", "ttml"),
    Family.DATA: ("csv", "json", "xlsx", "parquet"),
    Family.ARCHIVE: ("zip", "tar.gz", "7z"),
    Family.EMAIL: ("pdf", "html", "txt", "zip"),
    Family.FONT: ("woff2", "ttf", "woff"),
    Family.GEO: ("geojson", "gpkg", "kml", "csv"),
    Family.CAD: ("stl", "obj", "glb", "3mf"),
}


def can_be_asked(facts: Mapping[str, Any], target: str) -> bool:
    """A film without sound becomes no MP3, and one without pictures no film: both are refused, and rightly."""
    if "duration_s" not in facts:
        return True
    needed = {Family.AUDIO: "audio", Family.VIDEO: "video", Family.IMAGE: "video"}.get(FORMATS[target].family, "")
    return not needed or needed in facts


_MANY_PAGES = 100
_MANY_PIXELS = 8_000_000
_LONG_WORK = frozenset({"svg", "avif", "gif"})


def is_large(facts: Mapping[str, Any]) -> bool:
    """Whether all that is made of it takes long."""
    pages, width, height = (facts.get(name) for name in ("pages", "width", "height"))
    if isinstance(pages, int) and pages > _MANY_PAGES:
        return True
    return isinstance(width, int) and isinstance(height, int) and width * height > _MANY_PIXELS


def is_quick(facts: Mapping[str, Any], target: str) -> bool:
    """Large files are not made into what takes longest and is asked for least: smaller ones of their kind prove that
    way, and `scripts/corpus.py` goes it with the large ones, too.
    """
    return not is_large(facts) or target not in _LONG_WORK


def wanted_targets(source_format: str, possible: Sequence[str]) -> Sequence[str]:
    """Those of the short list that lead somewhere."""
    family = FORMATS[source_format].family
    listed = _BY_FORMAT.get(source_format, _BY_FAMILY[family])
    return [target for target in listed if target in possible and target != source_format]


_LEAST_SHARE = 2


def share(targets: Sequence[str], turn: int, turns: int) -> Sequence[str]:
    """What the file whose `turn` it is, of `turns` files, is made into; the next one goes on where it ended."""
    size = min(len(targets), max(_LEAST_SHARE, math.ceil(len(targets) / turns)))
    return [targets[(turn * size + step) % len(targets)] for step in range(size)]
