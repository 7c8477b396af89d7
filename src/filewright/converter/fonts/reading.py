"""Look at a font file as a stranger's: is it one, what is it called, and may documents carry it?

Only tables of fixed shape are read, and names, which are counted first; no glyph and no character map. Of what is
wrapped for the web no more is inflated than these need (`wrapped.py`). So what a file costs to be looked at is bounded
by its size, and nothing here has to run in a sandbox. Whether its shapes are sound is the business of the engines,
which are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from filewright.converter.errors import ConversionError, CorruptInput, FontNotEmbeddable, UnsupportedFormat
from filewright.converter.fonts.wrapped import WRAPPERS, unwrapped_names

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

_KINDS = {b"\0\1\0\0": "ttf", b"true": "ttf", b"OTTO": "otf", b"ttcf": "ttc", **WRAPPERS}
_NEEDED = frozenset({"head", "maxp", "cmap", "name", "hhea", "hmtx"})
_SHAPES = frozenset({"glyf", "CFF ", "CFF2"})
_MOST_FACES = 64
_MOST_NAMES = 4096
_MOST_NAME_BYTES = 1 << 20
_LONGEST_NAME = 100
_FAMILY, _STYLE, _FULL, _POSTSCRIPT, _LARGE_FAMILY, _LARGE_STYLE = 1, 2, 4, 6, 16, 17

_RESTRICTED, _PREVIEW, _EDITABLE, _NO_SUBSETS, _BITMAPS_ONLY = 0x0002, 0x0004, 0x0008, 0x0100, 0x0200


class Embedding(StrEnum):
    """What the maker of a font allows (`fsType` of its OS/2 table); of several, what allows most."""

    INSTALLABLE = "installable"
    EDITABLE = "editable"
    PREVIEW = "preview"
    """In documents that are only read and printed, as a PDF is."""
    UNSTATED = "unstated"
    """The font has no such table."""


@dataclass(frozen=True)
class Face:
    """One of the fonts in a file."""

    family: str
    style: str
    full_name: str
    postscript_name: str
    also: tuple[str, ...] = ()
    """More names of its family, in other languages or for older programs."""

    def as_json(self) -> dict[str, Any]:
        """As a row keeps it."""
        return {
            "family": self.family,
            "style": self.style,
            "full_name": self.full_name,
            "postscript_name": self.postscript_name,
            "also": list(self.also),
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(**{**kept, "also": tuple(kept.get("also", ()))})


@dataclass(frozen=True)
class Found:
    """A font file that is one."""

    format: str
    embedding: Embedding
    faces: tuple[Face, ...]


def read_font(path: Path) -> Found:
    """Raises UnsupportedFormat, CorruptInput, ArchiveBomb, or FontNotEmbeddable for what its maker keeps to himself."""
    with path.open("rb") as file:
        beginning = file.read(12)
    kind = _KINDS.get(beginning[:4])
    if kind is None:
        raise UnsupportedFormat("A font is a TTF, OTF, TTC, WOFF or WOFF2 file.")
    numbers = range(_faces(beginning)) if kind == "ttc" else [-1]
    try:
        opened = unwrapped_names if kind in WRAPPERS.values() else _as_it_is
        looks = [_look(opened(path), number) for number in numbers]
    except ConversionError:
        raise
    except Exception:  # noqa: BLE001 - whatever the reader trips over, the file is no font
        raise CorruptInput("The file cannot be read as a font.") from None
    embeddings = [embedding for _, embedding in looks]
    strictest = max(embeddings, key=list(Embedding).index)
    return Found(kind, strictest, tuple(face for face, _ in looks))


def _faces(beginning: bytes) -> int:
    count = struct.unpack(">L", beginning[8:12])[0] if len(beginning) == 12 else 0
    if not 0 < count <= _MOST_FACES:
        raise CorruptInput(f"A collection has from 1 to {_MOST_FACES} fonts.")
    return int(count)


def _as_it_is(path: Path) -> BinaryIO:
    return path.open("rb")


def _look(opened: BinaryIO, number: int) -> tuple[Face, Embedding]:
    from fontTools.ttLib import TTFont  # noqa: PLC0415 - an idle server does without these megabytes

    with opened as file, TTFont(file, fontNumber=number, lazy=True) as font:
        tables = set(font.keys())
        if not tables >= _NEEDED or tables.isdisjoint(_SHAPES):
            raise CorruptInput("The font has no outlines, or lacks what programs need to show it.")
        if font["head"].magicNumber != 0x5F0F3CF5 or font["maxp"].numGlyphs < 1:
            raise CorruptInput("The file cannot be read as a font.")
        embedding = _embedding(font["OS/2"].fsType if "OS/2" in tables else None)
        return _face(font), embedding


def _embedding(bits: int | None) -> Embedding:
    if bits is None:
        return Embedding.UNSTATED
    if bits & (_NO_SUBSETS | _BITMAPS_ONLY):
        raise FontNotEmbeddable("Its maker does not allow that documents carry a part of it, as all PDFs made here do.")
    if bits & _EDITABLE:
        return Embedding.EDITABLE
    if bits & _PREVIEW:
        return Embedding.PREVIEW
    if bits & _RESTRICTED:
        raise FontNotEmbeddable("Its maker does not allow that documents carry it (restricted licence).")
    return Embedding.INSTALLABLE


def _face(font: TTFont) -> Face:
    _count_names(font.reader["name"])
    names = font["name"]
    family = _plain(names.getBestFamilyName())
    if not family:
        raise CorruptInput("The font has no name.")
    also = dict.fromkeys(name for name in _families(names.names) if name != family)
    full = _plain(names.getBestFullName())
    return Face(
        family=family,
        style=_plain(names.getBestSubFamilyName()) or "Regular",
        full_name=full or family,
        postscript_name=_plain(names.getDebugName(_POSTSCRIPT)) or (full or family).replace(" ", ""),
        also=tuple(also)[:_MOST_FACES],
    )


def _count_names(table: bytes) -> None:
    """Names may lie over each other: a small table can stand for gigabytes of them."""
    (count,) = struct.unpack_from(">H", table, 2)
    lengths = (struct.unpack_from(">H", table, 6 + 12 * number + 8)[0] for number in range(min(count, _MOST_NAMES)))
    if count > _MOST_NAMES or sum(lengths) > _MOST_NAME_BYTES:
        raise CorruptInput("The font has more names than a font has.")


def _families(records: Sequence[Any]) -> Iterator[str]:
    for record in records:
        if record.nameID in {_FAMILY, _LARGE_FAMILY} and (name := _plain(record.toUnicode(errors="replace"))):
            yield name


def _plain(name: str | None) -> str:
    """A name that a font brought, as something that can be kept and shown."""
    kept = "".join(letter for letter in name or "" if letter.isprintable())
    return kept.encode("utf-8", "replace").decode("utf-8")[:_LONGEST_NAME].strip()
