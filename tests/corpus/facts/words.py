"""Facts made of words: a phrase of the text, titles, tables, formulas, pictures within a document."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from typing import Any

from corpus.facts.delivery import Delivery, missing_from
from corpus.facts.reading import html_root, xml_root
from filewright.converter.formats.catalogue import FORMATS, Family

Facts = Mapping[str, Any]
_PICTURE_MEMBERS = {
    **dict.fromkeys(("docx", "dotx", "pptx", "ppsx", "potx"), r"(word|ppt)/media/.+"),
    **dict.fromkeys(("odt", "ott", "odp"), r"Pictures/.+|media/.+"),
    "epub": r".*\.(png|jpe?g|gif|svg|webp)",
}
_ONE_SHEET = frozenset({"csv", "tsv", "json", "ndjson", "yaml", "toml", "xml", "parquet", "arrow", "avro", "sqlite"})


def text(phrase: str, delivery: Delivery, facts: Facts) -> str | None:
    """A phrase; of a workbook only where all its sheets go."""
    if "sheets" in facts and delivery.target not in {"xlsx", "xltx", "ods", "fods", "xls"}:
        return None
    if delivery.text is None or _family(delivery) in {Family.ARCHIVE, Family.IMAGE, Family.GEO}:
        return None
    return missing_from(delivery.text, phrase)


def title(phrase: str, delivery: Delivery, facts: Facts) -> str | None:
    """The title of a book, where there is room for one."""
    if delivery.target not in {"epub", "html", "fb2", "docbook", "jats", "opml"} or delivery.text is None:
        return None
    return missing_from(delivery.text, phrase)


def language(code: str, delivery: Delivery, facts: Facts) -> str | None:
    """The language of a book that becomes another book or a page."""
    if delivery.target != "html":
        return None
    found = html_root(delivery.first)
    said = found.get("lang") or found.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
    return "" if said.lower().startswith(code.lower()[:2]) else f"language {said!r}, not {code!r}"


def tables(count: int | Mapping[str, int], delivery: Delivery, facts: Facts) -> str | None:
    """At least as many tables; layout may need more."""
    if not isinstance(count, int):
        return None
    found = _tables(delivery)
    if found is None:
        return None
    return "" if found >= count else f"{found} tables, not {count}"


def images(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """At least as many pictures travel inside the document."""
    pattern = _PICTURE_MEMBERS.get(delivery.target)
    if pattern is None:
        return None
    with zipfile.ZipFile(delivery.first) as package:
        found = sum(re.fullmatch(pattern, name) is not None for name in package.namelist())
    return "" if found >= count else f"{found} pictures, not {count}"


def formula(starmath: str, delivery: Delivery, facts: Facts) -> str | None:
    """The letters of a formula, in their order; each target writes formulas in its own way."""
    if delivery.text is None or delivery.target not in {"pdf", "docx", "tex", "md"}:
        return None
    wanted = list(re.findall(r"[A-Za-z]", re.sub(r"\b(cdot|over|sqrt)\b", "", starmath)))
    return "" if re.search(".{0,30}".join(wanted), delivery.text) else f"{starmath!r} is not in it"


def cells(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """Cells of a notebook that becomes a notebook or JSON."""
    if delivery.target != "json":
        return None
    return missing_from(delivery.text or "", "cells")


def _tables(delivery: Delivery) -> int | None:
    target, path = delivery.target, delivery.first
    if target in {"docx", "dotx"}:
        with zipfile.ZipFile(path) as package:
            return len(xml_root(package.read("word/document.xml")).findall(".//{*}tbl"))
    if target in {"odt", "ott"}:
        with zipfile.ZipFile(path) as package:
            return len(xml_root(package.read("content.xml")).findall(".//{*}table"))
    if target == "fodt":
        return len(xml_root(path.read_bytes()).findall(".//{*}body//{*}table"))
    if target == "html":
        return len(html_root(path).findall(".//table"))
    return None


def _family(delivery: Delivery) -> Family:
    return FORMATS[delivery.target].family
