"""OpenDocument files, zipped or flat, with nothing in them that acts, leads away or tells who wrote them."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from lxml import etree

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.pictures import svg
from filewright.converter.operations.inside.sanitizing import fields, packages

_MANIFEST = "META-INF/manifest.xml"
_MANIFEST_NAMES = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
_HREF = "{http://www.w3.org/1999/xlink}href"
_PICTURES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".svm", ".emf", ".wmf", ".bmp", ".tif", ".tiff"}
)
_FONTS = frozenset({".ttf", ".otf", ".woff", ".woff2"})
_KEPT_XML = frozenset({"content.xml", "styles.xml"})
"""Settings name printers and data sources, `meta.xml` and RDF name people; no program needs them."""
_REMOVED = frozenset(
    {
        "scripts", "event-listeners", "event-listener", "script", "dde-source", "dde-connection-decls",
        "dde-connection-decl", "dde-links", "dde-link", "section-source", "table-source", "cell-range-source",
        "applet", "plugin", "floating-frame", "object-ole", "meta", "settings", "database-source-sql",
        "database-source-table", "database-source-query", "filter-options", "connection-resource", "sound",
        "alphabetical-index-auto-mark-file", "forms-source", "linked-table", "signature", "metadata",
    }
)  # fmt: skip
_UNWRAPPED = frozenset({"a", "execute-macro", "dde-connection", "macro"})
_FORMULAS = frozenset({"formula", "condition", "expression", "cell-range-address"})
_PEOPLE = frozenset({"creator", "creator-initials", "sender-initials", "initial-creator", "author-name"})
_INSIDE = re.compile(r"^(?:#|\./|Pictures/|Object|ObjectReplacements/|media/|Media/|Fonts/)", re.IGNORECASE)


def clean(source: Path, out: Path, report: Report) -> None:
    """Write the harmless file to `out`; a flat one is one XML, a package many."""
    with source.open("rb") as file:
        is_package = file.read(2) == b"PK"
    if not is_package:
        out.write_bytes(_xml(source.read_bytes()))
        return
    parts = packages.read(source, report)
    if "mimetype" not in parts or "content.xml" not in parts:
        raise Refusal("corrupt_input")
    kept = {name: _content(name, content) for name, content in parts.items() if _is_kept(name)}
    made = {"mimetype": parts["mimetype"], **kept}
    packages.write({**made, _MANIFEST: _manifest(parts.get(_MANIFEST), made)}, out, stored="mimetype")


def _is_kept(name: str) -> bool:
    path = PurePosixPath(name)
    if name.startswith(("META-INF/", "Basic/", "Scripts/", "Dialogs/", "Thumbnails/", "Configurations", "Versions/")):
        return False
    if path.name in _KEPT_XML:
        return True
    if path.suffix.lower() in _PICTURES | _FONTS:
        return True
    # The picture of an object has no ending, and lies where it can be nothing else.
    return path.parts[0] == "ObjectReplacements"


def _content(name: str, content: bytes) -> bytes:
    if name.endswith(".xml"):
        return _xml(content)
    if name.lower().endswith(".svg"):
        path = Path("tmp/picture.svg")
        path.write_bytes(content)
        return svg.read(str(path)).text
    return packages.bare_picture(name, content)


def _xml(content: bytes) -> bytes:
    root = packages.parsed(content)
    for element in list(root.iter(etree.Element)):
        name = etree.QName(element).localname
        if name in _REMOVED and element.getparent() is not None:
            packages.remove(element)
        elif name in _PEOPLE and element.text:
            element.text = "Author"
        else:
            _without_ways_out(element, name)
    for element in list(root.iter(etree.Element)):
        if etree.QName(element).localname in _UNWRAPPED and element.get(_HREF) is None:
            packages.unwrap(element)
    return packages.written(root)


def _without_ways_out(element: etree._Element, name: str) -> None:
    href = element.get(_HREF)
    if href is not None and (not _INSIDE.match(href) or ".." in href):
        del element.attrib[_HREF]
        if name in {"image", "object", "fill-image", "audio", "video"} and len(element) == 0:
            packages.remove(element)
            return
    for key, value in list(element.attrib.items()):
        plain = etree.QName(key).localname
        far = plain in _FORMULAS and (fields.is_active(value) or "'file" in value.lower())
        if far or plain in {"macro-name", "event-name", "target-frame-name", "control-implementation"}:
            del element.attrib[key]


def _manifest(said: bytes | None, parts: dict[str, bytes]) -> bytes:
    """A list of the parts that are there, each as the source called it."""
    types: dict[str, str] = {}
    if said is not None:
        for entry in packages.parsed(said).iter(f"{{{_MANIFEST_NAMES}}}file-entry"):
            path, kind = (entry.get(f"{{{_MANIFEST_NAMES}}}{key}", "") for key in ("full-path", "media-type"))
            types[path] = kind
    root = etree.Element(f"{{{_MANIFEST_NAMES}}}manifest", nsmap={"manifest": _MANIFEST_NAMES})
    root.set(f"{{{_MANIFEST_NAMES}}}version", "1.3")
    folders = [path for path in types if path.endswith("/") and any(part.startswith(path) for part in parts)]
    for path in (
        "/",
        *(folder for folder in folders if folder != "/"),
        *(part for part in parts if part != "mimetype"),
    ):
        entry = etree.SubElement(root, f"{{{_MANIFEST_NAMES}}}file-entry")
        entry.set(f"{{{_MANIFEST_NAMES}}}full-path", path)
        usual = parts["mimetype"].decode("ascii", "replace") if path == "/" else _usual_type(path)
        entry.set(f"{{{_MANIFEST_NAMES}}}media-type", types.get(path, usual))
    return packages.written(root)


def _usual_type(path: str) -> str:
    return "text/xml" if path.endswith(".xml") else ""
