"""Read an SVG that nobody trusts, and give it back harmless: one file that needs no other.

References to anything but the drawing itself and data inside it are taken out, scripts too, and entities are expanded
under libxml2's limit on how far a text may grow. Every renderer gets the result, so none has to be trusted with links.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from filewright.chassis.sandbox.child import Refusal

_LARGEST = 64 << 20
"""Bytes of SVG text, unpacked."""
_SVG = "{http://www.w3.org/2000/svg}"
_HREFS = ("href", "{http://www.w3.org/1999/xlink}href")
_ACTIVE = {f"{_SVG}{name}" for name in ("script", "foreignObject", "iframe", "handler", "listener")}
_EXTERNAL_URL = re.compile(r"""url\(\s*(?!["']?\s*(?:#|data:))[^)]*(?:\)|\Z)""", re.IGNORECASE)
_IMPORT = re.compile(r"@import[^;]*(;|$)", re.IGNORECASE)
_LENGTH = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*([a-z%]*)\s*$", re.IGNORECASE)
_PIXELS = {"": 1.0, "px": 1.0, "pt": 96 / 72, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6,
           "em": 16.0, "rem": 16.0, "ex": 8.0}  # fmt: skip
_DEFAULT_SIDE = 512.0
_MOST_USES = 100_000
"""How many elements `use` may stand for, all together."""


@dataclass(frozen=True)
class Drawing:
    """Harmless SVG text, and its natural size in pixels at 96 to the inch."""

    text: bytes
    width: float
    height: float


def read(path: str) -> Drawing:
    """Raises Refusal: `corrupt_input` for what is not SVG, `archive_bomb` for what unpacks to far too much."""
    root = _parse(_unpacked(Path(path)))
    _disarm(root)
    _check_uses(root)
    width, height = _natural_size(root)
    root.set("width", f"{width:g}")
    root.set("height", f"{height:g}")
    return Drawing(etree.tostring(root), width, height)


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Refusal("corrupt_input") from error
    if len(data) > _LARGEST:
        raise Refusal("archive_bomb" if packed else "resource_limit")
    return data


def _parse(data: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities="internal", load_dtd=False, no_network=True, huge_tree=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refusal("corrupt_input") from error
    if etree.QName(root).localname != "svg":
        raise Refusal("corrupt_input")
    if root.tag == "svg":
        # A drawing that forgot its namespace: every browser refuses it, every person expects a picture.
        return _parse(re.sub(rb"<svg\b", b'<svg xmlns="http://www.w3.org/2000/svg"', data, count=1))
    return root


def _disarm(root: etree._Element) -> None:
    for element in list(root.iter()):
        if element.tag in _ACTIVE or not isinstance(element.tag, str):
            _remove(element)
            continue
        for name in _HREFS:
            reference = element.get(name)
            if reference is not None and not _is_inside(reference):
                del element.attrib[name]
        for name, value in element.attrib.items():
            if str(name).lower().startswith("on"):
                del element.attrib[name]
            elif "url(" in value.lower():
                element.set(name, _EXTERNAL_URL.sub("none", value))
        if element.tag == f"{_SVG}style" and element.text:
            element.text = _EXTERNAL_URL.sub("none", _IMPORT.sub("", element.text))


def _is_inside(reference: str) -> bool:
    stripped = reference.strip().lower()
    return stripped.startswith("#") or (stripped.startswith("data:") and not stripped.startswith("data:image/svg"))


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        previous = element.getprevious()
        if previous is None:
            parent.text = (parent.text or "") + element.tail
        else:
            previous.tail = (previous.tail or "") + element.tail
    parent.remove(element)


def _check_uses(root: etree._Element) -> None:
    """Refuse drawings whose `use` elements double each other into more than can be drawn.

    Thirty elements that each use the one before twice stand for a thousand million shapes.
    """
    named = {element.get("id"): element for element in root.iter() if element.get("id")}
    weights: dict[str, int] = {}

    def weight(element: etree._Element, open_names: frozenset[str]) -> int:
        total = 0
        for user in element.iter(f"{_SVG}use"):
            name = _used(user)
            if name not in named or name in open_names:
                continue
            if name not in weights:
                weights[name] = weight(named[name], open_names | {name})
            total += 1 + weights[name]
        return total

    try:
        if weight(root, frozenset()) > _MOST_USES:
            raise Refusal("resource_limit")
    except RecursionError as error:
        raise Refusal("resource_limit") from error


def _used(element: etree._Element) -> str:
    for name in _HREFS:
        reference = element.get(name)
        if reference is not None:
            return str(reference.strip().removeprefix("#"))
    return ""


def _natural_size(root: etree._Element) -> tuple[float, float]:
    """Width and height in pixels: as said, as the view box says, or a sensible square."""
    box = _view_box(root)
    width, height = (
        _length(root.get("width"), box[0] if box else None),
        _length(root.get("height"), box[1] if box else None),
    )
    ratio = box[1] / box[0] if box else 1.0
    if width is None and height is None:
        return box or (_DEFAULT_SIDE, _DEFAULT_SIDE)
    if width is None:
        return (height or _DEFAULT_SIDE) / ratio, height or _DEFAULT_SIDE
    return width, width * ratio if height is None else height


def _view_box(root: etree._Element) -> tuple[float, float] | None:
    try:
        _, _, width, height = (float(part) for part in re.split(r"[\s,]+", (root.get("viewBox") or "").strip()))
    except ValueError:
        return None
    sane = all(math.isfinite(side) and side > 0 for side in (width, height))
    return (width, height) if sane else None


def _length(text: str | None, whole: float | None) -> float | None:
    """A CSS length in pixels. A percentage is of the view box; what makes no sense counts as not given."""
    found = _LENGTH.match(text or "")
    if found is None:
        return None
    number, unit = float(found[1]), found[2].lower()
    if unit == "%":
        return whole * number / 100 if whole and number > 0 else None
    pixels = number * _PIXELS.get(unit, 1.0)
    return pixels if math.isfinite(pixels) and pixels > 0 else None
