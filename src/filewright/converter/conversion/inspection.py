"""Look before anything runs: what the file is, whether it can be read, and whether reading it would be dangerous.

Runs in the server or the worker itself, so it unpacks nothing and decodes nothing beyond small, counted pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filewright.converter.conversion.depth import (
    MAX_HTML_DEPTH,
    MAX_JSON_DEPTH,
    MAX_XML_DEPTH,
    json_depth,
    tag_depth,
)
from filewright.converter.conversion.packed import check_zip
from filewright.converter.conversion.pictures import pixel_size
from filewright.converter.conversion.whole import check_whole
from filewright.converter.errors import CorruptInput, EmptyInput, ImageTooLarge, PasswordRequired, TooLarge
from filewright.converter.formats.catalogue import FORMATS, by_name
from filewright.converter.formats.detection import Detection, claimed_format, detect, settle
from filewright.converter.formats.sample import Sample
from filewright.converter.tiers import Tier

_DEPTH_BYTES = 8 << 20
_JSON = frozenset({"json", "ndjson", "geojson", "topojson", "ipynb", "gltf"})
_XML = frozenset(
    {"xml", "svg", "fb2", "ttml", "docbook", "jats", "opml", "rss", "kml", "gpx", "gml", "fodt", "fods", "fodp"}
)


@dataclass(frozen=True)
class Inspection:
    """A file that may be converted."""

    format: str
    """What it is treated as: an id of the catalogue."""
    media_type: str
    bytes: int
    renamed: bool = False
    """Its name says another format of the same kind; it goes by its content."""
    width: int | None = None
    height: int | None = None


def inspect_unknown(path: Path, filename: str | None, *, tier: Tier) -> str | None:
    """For work that takes any file: its size is looked at, and its format only told, if it can be. Blocking."""
    size = path.stat().st_size
    if size > tier.max_input_bytes:
        raise TooLarge(f"The file has {size:,} bytes; {tier.max_input_bytes:,} are allowed.")
    return detect(path, filename).format


def inspect(
    path: Path,
    filename: str | None,
    *,
    tier: Tier,
    from_format: str | None = None,
    password: str | None = None,
) -> Inspection:
    """Blocking; tens of milliseconds at most. Raises the error that a caller should see when the file is no good."""
    size = path.stat().st_size
    if size == 0:
        raise EmptyInput("The file is empty: it has 0 bytes. Make or download it again.")
    if size > tier.max_input_bytes:
        raise TooLarge(f"The file has {size:,} bytes; {tier.max_input_bytes:,} are allowed.")
    detection = detect(path, filename, believed=_believed(from_format))
    format_id = settle(detection, filename, from_format)
    _check_password(detection, password)
    with Sample(path) as sample:
        if _is_zip(sample) and not (detection.encrypted and sample.head.startswith(b"\xd0\xcf")):
            check_zip(sample, max_unpacked=tier.max_output_bytes)
        width, height = _check_pixels(sample, format_id, tier)
        check_whole(sample, format_id)
        _check_depth(sample, format_id)
    claimed = claimed_format(filename)
    return Inspection(
        format=format_id,
        media_type=FORMATS[format_id].media_type,
        bytes=size,
        renamed=claimed is not None and claimed.id != format_id and from_format is None,
        width=width,
        height=height,
    )


def _believed(from_format: str | None) -> str | None:
    found = by_name(from_format) if from_format else None
    return found.id if found is not None else None


def _check_password(detection: Detection, password: str | None) -> None:
    if detection.encrypted and not password:
        raise PasswordRequired(
            "The file is protected by a password. Send the password with it, or remove the protection and try again."
        )


def _is_zip(sample: Sample) -> bool:
    return sample.head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _check_pixels(sample: Sample, format_id: str, tier: Tier) -> tuple[int | None, int | None]:
    size = pixel_size(sample, format_id)
    if size is None:
        return None, None
    width, height = size
    if width * height > tier.max_pixels:
        raise ImageTooLarge(
            f"The picture has {width:,} × {height:,} pixels; {tier.max_pixels:,} pixels are allowed. Make it smaller."
        )
    return width, height


def _check_depth(sample: Sample, format_id: str) -> None:
    if format_id in _JSON:
        too_deep = json_depth(_text(sample)) > MAX_JSON_DEPTH
    elif format_id in _XML:
        too_deep = tag_depth(_text(sample), MAX_XML_DEPTH) > MAX_XML_DEPTH
    elif format_id == "html":
        too_deep = tag_depth(_text(sample), MAX_HTML_DEPTH, html=True) > MAX_HTML_DEPTH
    else:
        return
    if too_deep:
        raise CorruptInput("The file is nested too deep to be meant: thousands of levels. Make it again.")


def _text(sample: Sample) -> bytes:
    """The first megabytes, in an encoding where `<` and `[` are one byte."""
    data = sample.head if sample.whole else sample.read(0, _DEPTH_BYTES)
    return data.replace(b"\x00", b"") if b"\x00" in data[:64] else data
