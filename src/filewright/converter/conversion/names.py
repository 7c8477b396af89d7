"""What a product is called: after the user's file, made harmless for every file system and terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

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


def harmless(filename: str) -> str:
    """The user's name as it is, ending and all, but for what is dangerous in it."""
    stem = stem_of(filename)
    last = re.split(r"[/\\]", filename)[-1]
    ending = last[len(_without_ending(last)) :]
    return f"{stem}{ending}" if re.fullmatch(r"(\.\w{1,16}){0,2}", ending, re.ASCII) else stem


def unique(names: Sequence[str]) -> list[str]:
    """The same, but where two are alike, even if only to a file system that does not tell cases apart, the later one
    has a number: `a.pdf`, `a (2).pdf`.
    """
    seen: set[str] = set()
    return [_another(name, seen) for name in names]


def _another(name: str, seen: set[str]) -> str:
    rest = _without_ending(name)
    wanted, number = name, 1
    while wanted.casefold() in seen:
        number += 1
        wanted = f"{rest} ({number}){name[len(rest) :]}"
    seen.add(wanted.casefold())
    return wanted


def _without_ending(name: str) -> str:
    known = by_filename(name)
    if known is not None:
        for extension in sorted(known.extensions, key=len, reverse=True):
            if name.lower().endswith(f".{extension.lower()}"):
                return name[: -len(extension) - 1]
    stem, dot, ending = name.rpartition(".")
    return stem if dot and stem and len(ending) <= 8 and ending.isalnum() else name
