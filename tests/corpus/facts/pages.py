"""Facts about pages and slides, counted by poppler, mutool, own reading of packages, and the number of products."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from typing import Any

from corpus.facts.delivery import Delivery, run
from corpus.facts.pictures import ONE_PICTURE, frames_of, size_of
from corpus.facts.reading import xml_root

Facts = Mapping[str, Any]
_DRAWN = ONE_PICTURE | {"svg", "eps"}
_PAGED = frozenset({"tiff", "gif", "webp", "avif", "heic"})


def pages(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """As many pages, pictures or slides."""
    found = _count(delivery)
    return None if found is None else "" if found == count else f"{found} pages, not {count}"


def page_size(points: list[float], delivery: Delivery, facts: Facts) -> str | None:
    """The first page keeps its shape: width to height, within 2 %, upright or turned."""
    if delivery.target not in {"png", "jpg", "webp", "svg", "bmp", "tiff"}:
        return None
    width, height = size_of(delivery.first, delivery.target)
    wanted = points[0] / points[1]
    fits = any(abs(shape / wanted - 1) < 0.02 for shape in (width / height, height / width))
    return "" if fits else f"{width:g} × {height:g}, not the shape of {points[0]:g} × {points[1]:g}"


def _count(delivery: Delivery) -> int | None:
    target = delivery.target
    if target == "pdf":
        return sum(_pdf_pages(product) for product in delivery.products)
    if target in {"pptx", "ppsx", "potx"} and delivery.source_format != "pdf":
        with zipfile.ZipFile(delivery.first) as package:
            return sum(bool(re.fullmatch(r"ppt/slides/slide\d+\.xml", name)) for name in package.namelist())
    if target in {"odp", "fodp"} and delivery.source_format != "pdf":
        data = delivery.first.read_bytes()
        if target == "odp":
            with zipfile.ZipFile(delivery.first) as package:
                data = package.read("content.xml")
        return len(xml_root(data).findall(".//{*}presentation/{*}page"))
    if target == "ps":
        return delivery.first.read_bytes().count(b"\n%%Page:")
    if target in _PAGED and len(delivery.products) == 1:
        return frames_of(delivery.first)
    return len(delivery.products) if target in _DRAWN else None


def _pdf_pages(path: object) -> int:
    said = {int(re.search(r"Pages:\s+(\d+)", run("pdfinfo", str(path)))[1]),
            int(re.search(r"Pages:\s+(\d+)", run("mutool", "info", str(path)))[1])}  # fmt: skip
    return said.pop() if len(said) == 1 else -1
