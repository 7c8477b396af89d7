"""The zipped files that office documents are, as names and bytes: read within bounds, written the same every time."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from lxml import etree

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.archives.bounds import meter_for
from filewright.converter.engines.inside.archives.unpack import DAMAGE, members
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.operations.inside import stripping

_PICTURES = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png", ".gif": "gif", ".webp": "webp"}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def read(path: Path, report: Report) -> dict[str, bytes]:
    """All parts; the first of two that have one name, as every reader would take it."""
    meter = meter_for(path, report)
    parts: dict[str, bytes] = {}
    with refusing("corrupt_input", *DAMAGE):
        for member in meter.members(members(path, "zip", meter, None)):
            if member.content is not None:
                content = b"".join(iter(lambda content=member.content: content.read(1 << 18), b""))  # type: ignore[misc]
                parts.setdefault(member.name, content)
    return parts


def write(parts: Mapping[str, bytes], path: Path, *, stored: str | None = None) -> None:
    """In the order given; `stored` is the part that has to stand there unpacked."""
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.compress_type = zipfile.ZIP_STORED if name == stored else zipfile.ZIP_DEFLATED
            package.writestr(info, content)


def parsed(content: bytes) -> etree._Element:
    """A part's XML. One with a document type, which no office program writes, is refused."""
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refusal("corrupt_input") from error
    if root.getroottree().docinfo.doctype:
        raise Refusal("corrupt_input")
    return root


def written(root: etree._Element) -> bytes:
    """As office programs write it."""
    made: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return made


def bare_picture(name: str, content: bytes) -> bytes:
    """A picture without what its camera wrote; anything else, and what is not what its name says, as it is."""
    kind = _PICTURES.get(Path(name.lower()).suffix)
    if kind is None or not content.startswith(_BEGIN[kind]):
        return content
    try:
        return stripping.stripped(content, kind, 1)
    except Refusal:
        return content


_BEGIN = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG", "gif": b"GIF8", "webp": b"RIFF"}


def unwrap(element: etree._Element) -> None:
    """Its children and text take its place."""
    parent = element.getparent()
    if parent is None:
        return
    place = parent.index(element)
    previous = element.getprevious()
    children = list(element)
    _append_text(parent, previous, element.text)
    for offset, child in enumerate(children):
        parent.insert(place + offset, child)
    last = children[-1] if children else previous
    _append_text(parent, last, element.tail)
    element.tail = None
    parent.remove(element)


def remove(element: etree._Element) -> None:
    """It and all in it; the text behind it stays."""
    parent = element.getparent()
    if parent is None:
        return
    _append_text(parent, element.getprevious(), element.tail)
    element.tail = None
    parent.remove(element)


def _append_text(parent: etree._Element, previous: etree._Element | None, text: str | None) -> None:
    if not text:
        return
    if previous is None:
        parent.text = (parent.text or "") + text
    else:
        previous.tail = (previous.tail or "") + text
