"""Readers of documents, mark-up and books."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import olefile
from lxml import etree

from corpus.facts.delivery import run
from corpus.facts.reading import text_of
from corpus.rereading.common import Reader, must

_OFFICE = "application/vnd.openxmlformats-officedocument"
_ODF = "application/vnd.oasis.opendocument"


def office(main: str, content_type: str) -> Reader:
    """A package of Microsoft's: its main part is there, is XML, and is of the type."""

    def read(path: Path) -> None:
        with zipfile.ZipFile(path) as package:
            must(package.testzip() is None, "a member is damaged")
            must(f"{_OFFICE}.{content_type}.main+xml" in package.read("[Content_Types].xml").decode(), "another type")
            etree.fromstring(package.read(main))

    return read


def open_document(kind: str) -> Reader:
    def read(path: Path) -> None:
        with zipfile.ZipFile(path) as package:
            must(package.testzip() is None, "a member is damaged")
            must(package.read("mimetype").decode() == f"{_ODF}.{kind}", "another type")
            etree.fromstring(package.read("content.xml"), etree.XMLParser(huge_tree=True))

    return read


def flat(kind: str) -> Reader:
    def read(path: Path) -> None:
        root = root_of(path)
        said = [value for name, value in root.attrib.items() if etree.QName(name).localname == "mimetype"]
        must(said == [f"{_ODF}.{kind}"], f"a document of type {said}")

    return read


def epub(path: Path) -> None:
    with zipfile.ZipFile(path) as package:
        must(package.testzip() is None, "a member is damaged")
        must(package.read("mimetype") == b"application/epub+zip", "another type")
        container = etree.fromstring(package.read("META-INF/container.xml"))
        spine = etree.fromstring(package.read(container.find(".//{*}rootfile").get("full-path")))
        must(spine.findall(".//{*}itemref"), "a book without pages")


def ole(stream: str) -> Reader:
    def read(path: Path) -> None:
        with olefile.OleFileIO(path) as package:
            must(package.exists(stream), f"no stream {stream}")

    return read


def root_of(path: Path) -> etree._Element:
    return etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))


def xml(*names: str) -> Reader:
    def read(path: Path) -> None:
        found = etree.QName(root_of(path)).localname
        must(not names or found in names, f"a root called {found}")

    return read


def words(pattern: str = r"\w") -> Reader:
    """Text with something of the format in it, in UTF-8."""

    def read(path: Path) -> None:
        text = path.read_bytes().decode("utf-8-sig")
        must("\0" not in text and re.search(pattern, text, re.MULTILINE), f"nothing like {pattern}")

    return read


def html_page(path: Path) -> None:
    root = etree.HTML(path.read_bytes())
    must(root is not None and root.find("body") is not None and len(root.find("body")), "a page without a body")


def rtf(path: Path) -> None:
    data = path.read_bytes()
    must(data.startswith(b"{\\rtf1") and data.rstrip(b"\0\r\n ").endswith(b"}"), "not one whole group")
    text_of(path, "rtf")


def notebook(path: Path) -> None:
    book = json.loads(path.read_text(encoding="utf-8"))
    must(book["nbformat"] >= 4 and book["cells"], "a notebook without cells")


def pdf(path: Path) -> None:
    must(int(re.search(r"Pages:\s+(\d+)", run("pdfinfo", path))[1]) > 0, "no pages")
    run("qpdf", "--check", path)


def postscript(path: Path) -> None:
    run("gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=nullpage", path)


def eps(path: Path) -> None:
    head = path.read_bytes()[:4096]
    must(head.startswith(b"%!PS-Adobe-") and b"EPSF" in head.splitlines()[0] and b"%%BoundingBox:" in head, "no EPS")
    postscript(path)
