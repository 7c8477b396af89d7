"""What a product is called: after the user's file, made harmless for every file system and terminal."""

from __future__ import annotations

import re
import unicodedata

from filewright.converter.formats.catalogue import FORMATS, by_filename

_MAX_BYTES = 180
"""Room for a number and an extension in the 255 bytes that file systems allow."""
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def stem_of(filename: str) -> str:
    """The user's name without directories and without its ending; never empty, never a path."""
    name = re.split(r"[/\\]", filename)[-1]
    name = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c)[0] != "C")
    name = _FORBIDDEN.sub("_", name).strip(" .")
    stem = _without_ending(name).rstrip(" .")
    while len(stem.encode()) > _MAX_BYTES:
        stem = stem[:-1]
    if not stem:
        return "file"
    return f"_{stem}" if _RESERVED.fullmatch(stem) else stem


def product_names(filename: str, target: str, count: int) -> list[str]:
    """`report.pdf`, or `report-01.png`, `report-02.png`, …"""
    stem, extension = stem_of(filename), FORMATS[target].extension
    if count == 1:
        return [f"{stem}.{extension}"]
    width = len(str(count))
    return [f"{stem}-{number:0{width}d}.{extension}" for number in range(1, count + 1)]


def _without_ending(name: str) -> str:
    known = by_filename(name)
    if known is not None:
        for extension in sorted(known.extensions, key=len, reverse=True):
            if name.lower().endswith(f".{extension.lower()}"):
                return name[: -len(extension) - 1]
    stem, dot, ending = name.rpartition(".")
    return stem if dot and stem and len(ending) <= 8 and ending.isalnum() else name
