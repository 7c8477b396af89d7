"""What a picture, sound or film says about itself, as JSON; and the same picture without it. Runs in the sandbox."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lxml import etree
from PIL import ExifTags, Image

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.pictures import reading
from filewright.converter.operations.inside import frames, stripping
from filewright.converter.operations.inside.order import Order

_LONGEST = 10_000
"""Letters of one value; more is data, not a note."""
_MOST = 500
"""Of one kind."""
_TABLES = {ExifTags.IFD.Exif: "camera", ExifTags.IFD.GPSInfo: "place"}
_POINTERS = {0x8769, 0x8825, 0xA005, 0x927C}
_ABOUT_OUR_COPY = (
    "complete_name", "folder_name", "file_name", "file_extension", "file_creation", "file_last", "count", "other_",
    "kind_of_stream", "stream_identifier", "commercial_name", "proportion", "track_id",
)  # fmt: skip
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def operate(order: Order) -> list[str]:
    """Write `out/output.json` with what was read, or the picture stripped."""
    out = Path("out") / f"output.{order.target}"
    if order.options["action"] == "strip":
        _strip(order, out)
    else:
        told = _picture(order) if order.source_format in reading.DECODERS else _media(Path(order.source))
        shown = {"format": order.source_format, "bytes": Path(order.source).stat().st_size, **told}
        out.write_text(json.dumps(_plain(shown), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [out.name]


def _strip(order: Order, out: Path) -> None:
    """Without touching a pixel where the kind of file lets us; else coded again, as finely as it can be."""
    kind, opened = order.source_format, _opened(order)
    if kind not in stripping.KINDS:
        frames.write(opened, str(out), kind, {}, order.report)
        return
    for _ in opened.all(order.report):
        pass  # only a picture that can be seen to its end is taken apart
    out.write_bytes(stripping.stripped(Path(order.source).read_bytes(), kind, opened.orientation))


def _opened(order: Order) -> frames.Opened:
    return frames.opened(order.source, order.source_format, order.max_pixels, order.max_pages)


def _picture(order: Order) -> dict[str, Any]:
    opened = _opened(order)
    opened.frame(0)
    picture = opened.picture
    told: dict[str, Any] = {
        "width": picture.width,
        "height": picture.height,
        "colours": picture.mode,
        "frames": opened.count,
        "orientation": opened.orientation,
        **_exif(picture),
    }
    told["dpi"] = [round(float(value), 2) for value in picture.info.get("dpi", ())]
    told["profile"] = _profile(picture.info.get("icc_profile"))
    told["xmp"] = _xmp(picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp"))
    told["comment"] = picture.info.get("comment")
    told["text"] = {
        str(key): str(value) for key, value in getattr(picture, "text", {}).items() if "xmp" not in str(key)
    }
    return {key: value for key, value in told.items() if value not in (None, "", [], {})}


def _exif(picture: Image.Image) -> dict[str, Any]:
    """By the names of the standard; broken notes are no notes."""
    found: dict[str, Any] = {}
    try:
        exif = picture.getexif()
        found["exif"] = {_tag(ExifTags.TAGS, key): value for key, value in exif.items() if key not in _POINTERS}
        for table, name in _TABLES.items():
            tags = ExifTags.GPSTAGS if name == "place" else ExifTags.TAGS
            found[name] = {_tag(tags, key): value for key, value in exif.get_ifd(table).items() if key not in _POINTERS}
    except Exception:  # noqa: BLE001 - the picture is sound, and that is what was asked about
        return found
    position = _position(found.get("place", {}))
    return {**found, "position": position} if position else found


def _tag(names: Mapping[int, str], key: Any) -> str:
    return names.get(key, f"tag {key}") if isinstance(key, int) else str(key)


def _position(place: Mapping[str, Any]) -> list[float]:
    """Degrees north and east."""
    found = []
    for name, minus in (("Latitude", "S"), ("Longitude", "W")):
        try:
            parts = [float(part) for part in place[f"GPS{name}"]]
            degrees = sum(part / 60**power for power, part in enumerate(parts))
            found.append(round(-degrees if place.get(f"GPS{name}Ref") == minus else degrees, 6))
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return []
    return found if all(math.isfinite(part) for part in found) else []


def _profile(profile: bytes | None) -> str | None:
    from io import BytesIO  # noqa: PLC0415

    from PIL import ImageCms  # noqa: PLC0415 - few ask

    if not profile:
        return None
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile))).strip()
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _xmp(packet: bytes | str | None) -> dict[str, Any]:
    """Properties and their values, flat: enough to see what is said."""
    if not packet:
        return {}
    data = packet.encode() if isinstance(packet, str) else packet
    try:
        root = etree.fromstring(data.strip(b"\0 \n\r\t"), etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return {}
    found: dict[str, Any] = {}
    for description in root.iter(f"{_RDF}Description"):
        for key, value in description.attrib.items():
            found.setdefault(etree.QName(key).localname, value)
        for child in description.iterchildren(etree.Element):
            values = [text.strip() for text in child.itertext() if text.strip()]
            if values:
                found.setdefault(etree.QName(child).localname, values[0] if len(values) == 1 else values)
    found.pop("about", None)
    return found


def _media(source: Path) -> dict[str, Any]:
    from pymediainfo import MediaInfo  # noqa: PLC0415 - pictures do without

    tracks = MediaInfo.parse(source).tracks
    if not any(track.track_type in {"Audio", "Video"} for track in tracks):
        raise Refusal("corrupt_input")
    return {"tracks": [_of_track(track.track_type, track.to_data()) for track in tracks]}


def _of_track(kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in said.items() if key != "track_type" and _is_said(key, value)}
    return {"type": kind.lower(), **kept}


def _is_said(key: str, value: Any) -> bool:
    return value not in (None, "") and not key.startswith(_ABOUT_OUR_COPY)


def _plain(value: Any) -> Any:
    """As JSON can say it, and no longer than anybody would read."""
    if isinstance(value, Mapping):
        return {str(key)[:200]: _plain(item) for key, item in list(value.items())[:_MOST]}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value[:_MOST]]
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, str):
        return value[:_LONGEST].replace("\0", "")
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return str(value)[:_LONGEST]
    return round(number, 6) if math.isfinite(number) else None


def _text(value: bytes) -> str:
    bare = value.strip(b"\0")
    if len(bare) <= _LONGEST and bare.isascii() and bare.decode().isprintable():
        return bare.decode()
    return f"{len(value)} bytes"
