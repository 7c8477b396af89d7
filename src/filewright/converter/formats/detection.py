"""What a file is, by its content; and whether that agrees with what its name or its owner says.

Content comes first. The name only decides between types that share a container (MP4 and M4A, MKV and MKA) and
between kinds of text, which look alike. A file that could be read as two types (a PDF with a ZIP behind it) is of the
type that begins at its first byte; that one decision is what everything after it works with.

    detect()   looks: bounded, pure Python, safe on hostile bytes in the server's own process
    settle()   decides: the format to work with, or the error that says why not
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from filewright.converter.errors import CorruptInput, InputError, TypeMismatch, UnsupportedFormat
from filewright.converter.formats import boxes, learned, ole, packages, signatures, squeezed, streams, text
from filewright.converter.formats.catalogue import FORMATS, Format, by_filename, by_name
from filewright.converter.formats.sample import Detection, Sample

__all__ = ["Detection", "claimed_format", "detect", "settle"]

_RECOGNISERS: Sequence[Callable[[Sample, str | None], Detection | None]] = (
    signatures.program,
    learned.named,
    signatures.early_pdf,
    boxes.recognise,
    streams.recognise,
    packages.recognise,
    ole.recognise,
    squeezed.recognise,
    signatures.recognise,
    learned.marked,
    signatures.late_pdf,
    text.recognise,
)
_CONTAINERS: Sequence[frozenset[str]] = (
    frozenset({"mp4", "m4a", "mov", "3gp", "3g2"}),
    frozenset({"mkv", "mka", "webm"}),
    frozenset({"ogg", "opus", "ogv"}),
    frozenset({"wma", "wmv"}),
    frozenset({"stl", "ebu-stl"}),
    frozenset({"parquet", "geoparquet"}),
    frozenset({"sqlite", "gpkg"}),
    frozenset({"ps", "eps", "pdf"}),
    frozenset(
        {"xml", "svg", "fb2", "ttml", "docbook", "jats", "opml", "rss", "kml", "gpx", "gml", "fodt", "fods", "fodp"}
    ),
    frozenset({"json", "ndjson", "geojson", "topojson", "ipynb", "gltf"}),
    frozenset({"eml", "mbox", "mhtml"}),
    frozenset({"gz", "svg"}),
    frozenset({"zip", "shp.zip", "kmz", "epub", "3mf", "docx", "xlsx", "pptx", "odt", "ods", "odp"}),
)
"""Formats of different families that share a container: a name from the same group is no lie."""
_UNMARKED = frozenset({"tga", "mpg", "ts", "mp3", "aac", "wps", "pcx", "ac3"})
"""Formats that may begin with anything, so that only their engine can say whether a file is one."""
_VAGUE_ENDINGS = (".dat", ".bin", ".tmp", ".1")


def detect(path: Path, filename_hint: str | None = None, *, believed: str | None = None) -> Detection:
    """Look at the content. `filename_hint` is what the user calls the file; `believed` is a format id they gave.

    Never raises for what is in the file; an unknown type is `Detection(None)`.
    """
    claimed = by_filename(filename_hint) if filename_hint else None
    hint = believed or (claimed.id if claimed is not None else None)
    with Sample(path) as sample:
        if sample.size == 0:
            return Detection(None, note="empty")
        for recognise in _RECOGNISERS:
            found = recognise(sample, hint)
            if found is not None:
                return found
    return Detection(None)


def claimed_format(filename: str | None) -> Format | None:
    """The format that a name promises; None for endings that everybody uses for everything."""
    if not filename or filename.lower().endswith(_VAGUE_ENDINGS):
        return None
    return by_filename(filename)


def settle(detection: Detection, filename: str | None, from_format: str | None = None) -> str:
    """The format to treat the file as.

    Raises UnsupportedFormat when nobody knows what it is, CorruptInput when it is not even nearly what is claimed, and
    TypeMismatch when it is plainly something else.
    """
    explicit = by_name(from_format) if from_format else None
    if from_format and explicit is None:
        raise UnsupportedFormat(f"There is no format called {_shown(from_format)}. Leave `from` away or name another.")
    claimed = explicit or claimed_format(filename)
    if detection.damaged:
        raise CorruptInput(_damaged(detection))
    if detection.format is None:
        return _unrecognised(claimed, explicit, detection)
    found = FORMATS[detection.format]
    if claimed is None or claimed == found:
        return found.id
    if explicit is not None and (_is_text(explicit, found) or explicit.id in _GENERAL.get(found.id, ())):
        return explicit.id
    if explicit is not None and detection.encrypted and not detection.confident:
        return explicit.id
    if claimed.family is found.family or any({claimed.id, found.id} <= group for group in _CONTAINERS):
        return found.id
    raise _mismatch(found, claimed, explicit=explicit is not None)


_GENERAL = {found: ("zip",) for found in FORMATS if "+zip" in FORMATS[found].media_type or found in _CONTAINERS[-1]}
"""What a file also is, for someone who asks for it by name: every DOCX is a ZIP."""


def _is_text(one: Format, other: Format) -> bool:
    return one.text and other.text


def _unrecognised(claimed: Format | None, explicit: Format | None, detection: Detection) -> str:
    if claimed is None:
        what = f" (it is {detection.note})" if detection.note else ""
        raise UnsupportedFormat(
            f"The content is of no type that can be converted here{what}. If you know its type, say so with `from=`."
        )
    if claimed.id in _UNMARKED:
        return claimed.id
    who = "You say that this is" if explicit is not None else "The name says"
    raise CorruptInput(
        f"{who} {claimed.name} ({claimed.id}), but the content does not begin like one. "
        "It is damaged or incomplete: make or download the file again."
    )


def _damaged(detection: Detection) -> str:
    what = detection.note or "damaged"
    return f"The file cannot be read: it is {what}. Make or download it again, completely."


def _mismatch(found: Format, claimed: Format, *, explicit: bool) -> InputError:
    said = "you say that it is" if explicit else "its name says"
    return TypeMismatch(
        f"The content is {found.name} ({found.id}), but {said} {claimed.name} ({claimed.id}). "
        f"If you want it converted as what it is, send from={found.id} (on the command line: --from {found.id})."
    )


def _shown(name: str) -> str:
    printable = "".join(c for c in name if c.isprintable())
    return f"{printable[:32]!r}"
