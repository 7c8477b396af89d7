"""Office documents, and text that a person marks up."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from corpus.making.tools import XML, Maker, sample
from corpus.samples import OTHER, PHRASE

_OOXML = "application/vnd.openxmlformats-officedocument"


def _retyped(origin: str, plain: str, macro: str) -> Maker:
    def make(path: Path) -> None:
        with zipfile.ZipFile(sample(origin, path)) as given, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name in given.namelist():
                data = given.read(name)
                made.writestr(name, data.replace(plain.encode(), macro.encode()) if "Types" in name else data)

    return make


docm = _retyped(
    "office-text/report.docx",
    f"{_OOXML}.wordprocessingml.document.main+xml",
    "application/vnd.ms-word.document.macroEnabled.main+xml",
)
pptm = _retyped(
    "slides/show.pptx",
    f"{_OOXML}.presentationml.presentation.main+xml",
    "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml",
)


def xlsm(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Zahlen"
    for row in (["Ort", "Summe"], ["Genève", 6.75], ["Łódź", 12]):
        book.active.append(row)
    plain = path.with_suffix(".xlsx")
    book.save(plain)
    with zipfile.ZipFile(plain) as given, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name in given.namelist():
            data = given.read(name).replace(
                f"{_OOXML}.spreadsheetml.sheet.main+xml".encode(),
                b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
            )
            made.writestr(name, data)


_DRAWN = f"""{XML}<office:document-content office:version="1.2"
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"><office:body><office:drawing>
<draw:page draw:name="one"><draw:frame svg:x="2cm" svg:y="2cm" svg:width="12cm" svg:height="2cm"><draw:text-box>
<text:p>{PHRASE}</text:p></draw:text-box></draw:frame>
<draw:rect svg:x="2cm" svg:y="6cm" svg:width="5cm" svg:height="3cm"/></draw:page>
</office:drawing></office:body></office:document-content>"""


def odg(path: Path) -> None:
    kind = "application/vnd.oasis.opendocument.graphics"
    named = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    entries = "".join(
        f'<m:file-entry m:full-path="{name}" m:media-type="{of}"/>'
        for name, of in (("/", kind), ("content.xml", "text/xml"))
    )
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("mimetype", kind)
        made.writestr("content.xml", _DRAWN)
        made.writestr(
            "META-INF/manifest.xml", f'{XML}<m:manifest xmlns:m="{named}" m:version="1.2">{entries}</m:manifest>'
        )


_MARKED_UP: Mapping[str, str] = {
    "rst": f"Eins\n====\n\n{PHRASE}\n\nZwei\n====\n\n{OTHER}\n",
    "adoc": f"= Ein Buch\n\n== Eins\n\n{PHRASE}\n\n== Zwei\n\n{OTHER}\n",
    "org": f"#+TITLE: Ein Buch\n\n* Eins\n\n{PHRASE}\n\n* Zwei\n\n{OTHER}\n",
    "tex": "\\documentclass{article}\n\\begin{document}\n\\section{Eins}\n"
    f"{PHRASE}\n\n{OTHER}\n\\end{{document}}\n",
    "typ": f"= Eins\n\n{PHRASE}\n\n= Zwei\n\n#emph[{OTHER}]\n",
    "textile": f"h1. Eins\n\n{PHRASE}\n\nh1. Zwei\n\n{OTHER}\n",
    "mediawiki": f"== Eins ==\n\n{PHRASE}\n\n== Zwei ==\n\n'''{OTHER}'''\n",
    "docbook": f'{XML}<article xmlns="http://docbook.org/ns/docbook" version="5.0"><title>Ein Buch</title>'
    f"<section><title>Eins</title><para>{PHRASE}</para></section></article>\n",
    "jats": f'{XML}<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Publishing DTD v1.2 20190208//EN" '
    '"JATS-journalpublishing1.dtd">\n<article article-type="research-article"><front><article-meta><title-group>'
    "<article-title>Ein Buch</article-title></title-group></article-meta></front>"
    f"<body><sec><title>Eins</title><p>{PHRASE}</p></sec></body></article>\n",
    "ipynb": json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"language_info": {"name": "python"}},
            "cells": [
                {"cell_type": "markdown", "id": "one", "metadata": {}, "source": ["# Eins\n", "\n", PHRASE]},
                {"cell_type": "code", "id": "two", "metadata": {}, "source": ["print(1)"], "outputs": [],
                 "execution_count": None},
            ],
        }
    ),
    "opml": f'{XML}<opml version="2.0"><head><title>Ein Buch</title></head><body><outline text="Eins">'
    f'<outline text="{PHRASE}"/></outline></body></opml>\n',
    "man": f'.TH BERICHT 1 "2026-11-22"\n.SH EINS\n{PHRASE}\n.SH ZWEI\n.B {OTHER}\n',
    "rss": f'{XML}<rss version="2.0"><channel><title>Ein Blatt</title><link>https://example.org/</link>'
    f"<description>Neues</description><item><title>Eins</title><description>{PHRASE}</description></item>"
    "<item><title>Zwei</title></item></channel></rss>\n",
}  # fmt: skip
MARKUP = tuple(_MARKED_UP)


def markup(name: str) -> Maker:
    return lambda path: path.write_text(_MARKED_UP[name], encoding="utf-8")


def mhtml(path: Path) -> None:
    page = f"<!DOCTYPE html><html><head><title>Seite</title></head><body><h1>Eins</h1><p>{PHRASE}</p></body></html>"
    path.write_bytes(
        (
            "From: <Saved by Blink>\r\nSnapshot-Content-Location: https://example.org/\r\nSubject: Seite\r\n"
            "MIME-Version: 1.0\r\n"
            'Content-Type: multipart/related; type="text/html"; boundary="edge"\r\n\r\n--edge\r\n'
            "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
            f"Content-Location: https://example.org/\r\n\r\n{page}\r\n--edge--\r\n"
        ).encode()
    )
