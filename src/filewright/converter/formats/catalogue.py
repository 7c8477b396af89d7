"""The formats: those that stand in `table.py`, those that plug-ins bring, and what a person means by a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from filewright.converter.formats.table import TABLES


class Family(StrEnum):
    """What a person would call the kind of thing; also how targets are grouped on the page."""

    DOCUMENT = "document"
    MARKUP = "markup"
    SHEET = "sheet"
    SLIDES = "slides"
    PDF = "pdf"
    EBOOK = "ebook"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    SUBTITLE = "subtitle"
    DATA = "data"
    ARCHIVE = "archive"
    EMAIL = "email"
    FONT = "font"
    GEO = "geo"
    CAD = "cad"


@dataclass(frozen=True)
class Mark:
    """Bytes that stand at one place of every file of a format."""

    bytes: bytes
    at: int = 0


@dataclass(frozen=True)
class Format:
    """One entry. `text` says that the bytes are text, so that a person could read the file in an editor."""

    id: str
    name: str
    family: Family
    extensions: tuple[str, ...]
    media_types: tuple[str, ...]
    text: bool = False
    marks: tuple[Mark, ...] = ()
    """How a format that came with a plug-in is recognised, by any of them; the others have recognisers of their own."""

    @property
    def extension(self) -> str:
        """What a product's name ends with."""
        return self.extensions[0]

    @property
    def media_type(self) -> str:
        """What a product is served as."""
        return self.media_types[0]


def _rows(family: str, table: str) -> Iterable[Format]:
    for line in table.strip().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        format_id, name, extensions, media_types, *flags = cells
        yield Format(
            id=format_id,
            name=name,
            family=Family(family),
            extensions=tuple(extensions.split()) or (format_id,),
            media_types=tuple(media_types.split()),
            text="text" in flags,
        )


_ALL: tuple[Format, ...] = tuple(item for family, table in TABLES.items() for item in _rows(family, table))
_LEARNED: list[Format] = []
_BY_ID: dict[str, Format] = {item.id: item for item in _ALL}
_BY_EXTENSION: dict[str, Format] = {
    extension.lower(): item for item in reversed(_ALL) for extension in reversed(item.extensions)
}
_BY_MEDIA_TYPE: dict[str, Format] = {kind.lower(): item for item in reversed(_ALL) for kind in item.media_types}

FORMATS: Mapping[str, Format] = MappingProxyType(_BY_ID)


def by_name(name: str) -> Format | None:
    """The format that a person means by `docx`, `.DOCX`, `jpeg` or a media type; None when there is none."""
    wanted = name.strip().lower().removeprefix(".")
    if wanted in FORMATS:
        return FORMATS[wanted]
    return _BY_EXTENSION.get(wanted) or _BY_MEDIA_TYPE.get(wanted)


def by_filename(filename: str) -> Format | None:
    """The format that a file's name claims: its longest known ending (`a.tar.gz` is a gzipped tar)."""
    parts = filename.lower().split(".")[1:]
    for start in range(max(0, len(parts) - 2), len(parts)):
        found = _BY_EXTENSION.get(".".join(parts[start:]))
        if found is not None:
            return found
    return None


class FormatClash(ValueError):
    """A word of a new format means another one already. The message says which, and what it means."""


def learn(*formats: Format) -> None:
    """Take up formats that plug-ins bring, for as long as the process lives; all of them or, with FormatClash, none.

    For the start of a process, before anything was planned or listed. The same again changes nothing.
    """
    new = [item for item in formats if _BY_ID.get(item.id) != item]
    for item in new:
        _refuse_clash(item, others=[other for other in new if other is not item])
    _LEARNED.extend(new)
    for item in new:
        _BY_ID[item.id] = item
        _BY_EXTENSION.update({extension.lower(): item for extension in item.extensions})
        _BY_MEDIA_TYPE.update({kind.lower(): item for kind in item.media_types})


def learned() -> Sequence[Format]:
    """What was taken up beside the formats that stand here."""
    return _LEARNED


def forget_learned() -> None:
    """Back to the formats that stand here. For tests; what was planned before keeps its routes."""
    while _LEARNED:
        item = _LEARNED.pop()
        del _BY_ID[item.id]
        for table in (_BY_EXTENSION, _BY_MEDIA_TYPE):
            for word in [word for word, meant in table.items() if meant is item]:
                del table[word]


def _refuse_clash(new: Format, others: Iterable[Format]) -> None:
    taken: dict[str, Format] = {**_BY_MEDIA_TYPE, **_BY_EXTENSION, **_BY_ID}
    for other in others:
        taken |= dict.fromkeys((other.id, *map(str.lower, (*other.extensions, *other.media_types))), other)
    for word in (new.id, *new.extensions, *new.media_types):
        if word.lower() in taken:
            means = taken[word.lower()]
            raise FormatClash(f"{word!r} already means {means.name} ({means.id}); use that format, or another word")
