"""What a PDF says of itself: read, changed, or left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pikepdf

from filewright.converter.operations.inside.order import Order, Product
from filewright.converter.operations.inside.pdf.documents import BROKEN, opened, save

_LONGEST = 10_000
_FIELDS: Mapping[str, str] = {
    "title": "/Title",
    "author": "/Author",
    "subject": "/Subject",
    "keywords": "/Keywords",
    "creator": "/Creator",
}


def metadata(order: Order) -> list[Product]:
    with opened(order.sources[0], order.password, order.max_pages) as document:
        if order.options["action"] == "read":
            shown = {"format": "pdf", "bytes": Path(order.sources[0]).stat().st_size, **_read(document)}
            text = json.dumps(shown, ensure_ascii=False, indent=1) + "\n"
            (Path("out") / "output.json").write_text(text, encoding="utf-8")
            return ["output.json"]
        if order.options["action"] == "strip":
            _strip(document)
        else:
            _set(document, order.options)
        return [save(document)]


def _read(document: pikepdf.Pdf) -> dict[str, Any]:
    return {
        "version": document.pdf_version,
        "pages": len(document.pages),
        "page_sizes": _sizes(document),
        "encrypted": document.is_encrypted,
        "info": _info(document),
        "xmp": _xmp(document),
        "language": _text(document.Root.get("/Lang")),
        "tagged": "/StructTreeRoot" in document.Root,
        "forms": "/AcroForm" in document.Root,
        "attachments": sorted(name[:_LONGEST] for name in _attachments(document)),
    }


def _sizes(document: pikepdf.Pdf) -> list[dict[str, float]]:
    """In points; equal ones in a row are told once, with how many there are."""
    found: list[dict[str, float]] = []
    for page in document.pages:
        box = [float(value) for value in page.mediabox]
        size = {"width": round(abs(box[2] - box[0]), 2), "height": round(abs(box[3] - box[1]), 2)}
        if found and {name: found[-1][name] for name in size} == size:
            found[-1]["pages"] += 1
        else:
            found.append({**size, "pages": 1})
    return found


def _info(document: pikepdf.Pdf) -> dict[str, str]:
    try:
        found = {str(key).removeprefix("/"): _text(value) for key, value in document.docinfo.items()}
    except BROKEN:
        return {}
    return {key: value for key, value in found.items() if value is not None}


def _xmp(document: pikepdf.Pdf) -> dict[str, Any]:
    try:
        with document.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as xmp:
            return {str(key)[:200]: str(value)[:_LONGEST] for key, value in list(xmp.items())[:500]}
    except (*BROKEN, StopIteration):
        return {}


def _attachments(document: pikepdf.Pdf) -> list[str]:
    try:
        return list(document.attachments)
    except BROKEN:
        return []


def _set(document: pikepdf.Pdf, options: Mapping[str, Any]) -> None:
    """Both places where a PDF says it; an empty text takes it away."""
    changes = {name: options[name] for name in _FIELDS if name in options}
    for name, value in changes.items():
        if value:
            document.docinfo[_FIELDS[name]] = value
        elif _FIELDS[name] in document.docinfo:
            del document.docinfo[_FIELDS[name]]
    try:
        with document.open_metadata(set_pikepdf_as_editor=False) as xmp:
            xmp.load_from_docinfo(document.docinfo, delete_missing=True)
    except BROKEN:
        if "/Metadata" in document.Root:
            del document.Root["/Metadata"]


def _strip(document: pikepdf.Pdf) -> None:
    """Who, when and with what; also what programs keep for themselves. What is on the pages stays."""
    if "/Info" in document.trailer:
        del document.trailer["/Info"]
    for holder in (document.Root, *(page.obj for page in document.pages)):
        for key in ("/Metadata", "/PieceInfo", "/LastModified"):
            if key in holder:
                del holder[key]
    for found in document.objects:
        if isinstance(found, pikepdf.Dictionary | pikepdf.Stream) and "/Metadata" in found:
            del found["/Metadata"]


def _text(value: object) -> str | None:
    return str(value)[:_LONGEST] if isinstance(value, pikepdf.String) else None
