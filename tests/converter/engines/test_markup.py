"""Pandoc, Typst, WeasyPrint and plain text: words arrive, links to elsewhere stay dead."""

from __future__ import annotations

import re
import secrets
import shutil
import socket
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment
from filewright.converter.engines.pandoc import READERS, WRITERS, Pandoc
from filewright.converter.engines.plaintext import PlainText
from filewright.converter.engines.port import Limits
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.engines.typst import Typst
from filewright.converter.engines.weasyprint import WeasyPrint
from filewright.converter.errors import ConversionError, CorruptInput
from filewright.converter.tiers import LOCAL

MARKDOWN = "# Überschrift\n\nWords with *weight*.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n".encode()
PAGE = b"<html><body><h1>Heading</h1><p>Some words.</p></body></html>"


def pdf_text(path: Path) -> str:
    return subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True).stdout.decode()


def zip_text(path: Path) -> str:
    with zipfile.ZipFile(path) as opened:
        return "".join(
            opened.read(name).decode("utf-8", "replace") for name in opened.namelist() if name.endswith("ml")
        )


@pytest.mark.parametrize("target", sorted(set(WRITERS) - {"md"}))
async def test_markdown_becomes_everything_pandoc_writes(convert, target: str):
    [product] = await convert(Pandoc(), MARKDOWN, "md", target)
    packed = target in {"docx", "odt", "epub", "pptx"}
    text = zip_text(product) if packed else product.read_text(encoding="utf-8")
    if target == "rtf":
        assert "\\u220" in text
    else:
        assert "berschrift" in text


@pytest.mark.parametrize(
    "source", ["docx", "odt", "epub", "rtf", "fb2", "pptx", "rst", "org", "tex", "docbook", "jats", "opml"]
)
async def test_what_pandoc_wrote_it_reads_back(convert, source: str):
    [made] = await convert(Pandoc(), MARKDOWN, "md", source)
    [product] = await convert(Pandoc(), made, source, "html")
    assert "berschrift" in product.read_text(encoding="utf-8")


WHOLE_PAGE = b"""<!DOCTYPE html><html><head><title>A page</title></head><body><div class="all">
<nav><p>The way in</p></nav><main><section class="part"><h2 class="big">A heading</h2>
<p>Some <span style="color:red">red</span> words.</p></section></main>
<footer>What stands below</footer></div></body></html>"""


@pytest.mark.parametrize(
    ("target", "heading"),
    [
        ("md", "## A heading"),
        ("rst", "A heading\n---------"),
        ("adoc", "== A heading"),
        ("mediawiki", "== A heading =="),
    ],
)
async def test_the_markup_of_a_web_page_has_all_its_words_and_none_of_its_boxes(convert, target: str, heading: str):
    [product] = await convert(Pandoc(), WHOLE_PAGE, "html", target)
    text = product.read_text(encoding="utf-8")
    assert re.sub("[-=]{4,}", "---------", heading) in re.sub("[-=]{4,}", "---------", text)
    assert "Some red words." in text
    assert "The way in" in text
    assert "What stands below" in text
    assert not re.search("<div|<span style|container::", text)


@pytest.mark.parametrize("target", ["md", "rst", "adoc", "org", "textile", "mediawiki"])
@pytest.mark.parametrize("book", ["epub", "fb2"])
async def test_the_markup_of_a_book_has_its_words_and_none_of_its_boxes(convert, book: str, target: str):
    [packed] = await convert(Pandoc(), WHOLE_PAGE, "html", book)
    [product] = await convert(Pandoc(), packed, book, target)
    text = product.read_text(encoding="utf-8")
    assert {"red", "words"} <= set(re.findall(r"\w+", text))
    assert not re.search("<div|<section|<span|container::", text)


NOTED = b"""# Title

Some words[^1] and a table.

| fruit | tons |
|-------|------|
| apple | 120  |

- one
- two

[^1]: What stands below.
"""


@pytest.mark.parametrize("source", ["md", "docx", "odt", "epub"])
async def test_the_plain_text_of_a_document_has_its_notes_lists_and_tables(
    convert, sandbox, new_workspace, tmp_path: Path, source: str
):
    document = tmp_path / f"noted.{source}"
    made = NOTED if source == "md" else (await convert(Pandoc(), NOTED, "md", source))[0].read_bytes()
    document.write_bytes(made)
    order = Assignment(document, document.name, "txt", LOCAL)
    done = await Converter(Registry(standard_engines()), sandbox).convert(order, workspace=new_workspace())
    text = done.products[0].path.read_text(encoding="utf-8")
    assert "What stands below." in text
    assert re.search(r"^ *apple +120$", text, re.MULTILINE), "a row is a line"
    assert re.findall(r"^- +(one|two)$", text, re.MULTILINE) == ["one", "two"]


async def test_a_page_in_utf_16_keeps_its_words(convert):
    [product] = await convert(Pandoc(), "<p>Grüße aus 東京</p>".encode("utf-16"), "html", "md")
    assert "Grüße aus 東京" in product.read_text(encoding="utf-8")


async def test_a_page_that_lies_about_its_encoding_keeps_its_words(convert):
    text = "في قرية من القرى كان هناك رجل حكيم يعرف كل شيء عن الحياة"
    page = f'<meta charset="utf-8"><p>{text}</p>'.encode("windows-1256")
    [product] = await convert(Pandoc(), page, "html", "txt")
    assert text in " ".join(product.read_text(encoding="utf-8").split())


async def test_plain_text_is_not_taken_for_mark_up(convert):
    [product] = await convert(PlainText(), b"1 < 2 & <b>not bold</b>\n\n# no heading\n", "txt", "html")
    text = product.read_text(encoding="utf-8")
    assert "1 &lt; 2 &amp; &lt;b&gt;not bold&lt;/b&gt;" in text
    assert "# no heading" in text


async def test_plain_text_in_a_legacy_code_page_keeps_its_words(convert):
    verse = "Однажды, в студеную зимнюю пору, я из лесу вышел; был сильный мороз.\n" * 3
    [product] = await convert(PlainText(), verse.encode("cp866"), "txt", "html")
    assert "Однажды, в студеную зимнюю пору" in product.read_text(encoding="utf-8")


async def test_markdown_is_typeset(convert):
    [product] = await convert(Typst(), MARKDOWN, "md", "pdf")
    assert "Überschrift" in pdf_text(product)


async def test_a_document_with_a_missing_picture_is_typeset_without_it(convert):
    [product] = await convert(Typst(), b"before\n\n![gone](nowhere.png)\n\nafter\n", "md", "pdf")
    assert "after" in pdf_text(product)


async def test_a_formula_is_printed_without_its_source_in_another_language(convert):
    page = (
        b"<p>Area <math><semantics><mrow><mi>a</mi><mo>=</mo><mn>42</mn></mrow>"
        b'<annotation encoding="application/x-tex">a = \\frac{84}{2}</annotation></semantics></math></p>'
    )
    [product] = await convert(WeasyPrint(), page, "html", "pdf")
    text = pdf_text(product)
    assert "42" in text
    assert "frac" not in text


async def test_a_page_is_printed_with_its_style(convert):
    page = b"<style>@page { size: 100mm 50mm }</style><h1>Heading</h1><p style='break-before: page'>Second</p>"
    [product] = await convert(WeasyPrint(), page, "html", "pdf")
    facts = subprocess.run(["pdfinfo", str(product)], capture_output=True, check=True).stdout.decode()
    assert "Pages:           2" in facts
    assert "283.465 x 141.732" in facts


HOSTILE = {
    "html": '<link rel=stylesheet href="{url}"><link rel=attachment href="file://{path}"><style>@import "{url}";'
    'body {{ background: url({url}) }}</style><iframe src="{url}"></iframe><iframe src="file://{path}"></iframe>'
    '<img src="{url}"><object data="file://{path}"></object><embed src="{url}">'
    '<meta http-equiv=refresh content="0;{url}">'
    '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/><use href="file://{path}"/></svg>benign',
    "md": "![x]({url}) <iframe src='{url}'></iframe> <img src='file://{path}'>\n\nbenign",
    "rst": ".. include:: {path}\n\n.. csv-table::\n   :file: {path}\n\n.. raw:: html\n   :url: {url}\n\nbenign",
    "org": "#+INCLUDE: {path}\n#+SETUPFILE: {url}\nbenign",
    "tex": "\\documentclass{{article}}\\begin{{document}}\\input{{{path}}}"
    "\\include{{{path}}}\\write18{{touch pwn}}benign\\end{{document}}",
    "adoc": "include::{path}[]\n\nimage::{url}[]\n\nbenign",
    "typ": "#let read-it(p) = []\nbenign",
}


@pytest.mark.requirement("B9", "B10", "B11", "B12", "B13")
@pytest.mark.parametrize("source", sorted(HOSTILE))
@pytest.mark.parametrize("engine", [Pandoc(), Typst(), WeasyPrint()], ids=lambda engine: engine.name)
async def test_links_to_elsewhere_stay_dead(convert, tmp_path: Path, engine, source: str):
    secret, (listener, url) = secrets.token_hex(16), a_listener()
    canary = tmp_path / "canary.txt"
    canary.write_text(secret)
    document = HOSTILE[source].format(url=url, path=canary).encode()
    for target in ("html", "md", "pdf", "docx"):
        if any((c.source, c.target) == (source, target) for c in engine.conversions):
            try:
                [product] = await convert(engine, document, source, target)
            except ConversionError:
                continue
            assert secret not in everything_in(product, tmp_path)
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()


def a_listener() -> tuple[socket.socket, str]:
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}/canary"


def everything_in(product: Path, scratch: Path) -> str:
    if product.suffix == ".pdf":
        plain = scratch / "plain.pdf"
        subprocess.run(["qpdf", "--qdf", "--object-streams=disable", str(product), str(plain)], check=True)
        return plain.read_bytes().decode("latin-1") + pdf_text(product)
    return zip_text(product) if zipfile.is_zipfile(product) else product.read_text(encoding="utf-8")


@pytest.mark.requirement("B9")
async def test_a_typst_document_reads_no_file_outside_its_workspace(convert, tmp_path: Path):
    canary = tmp_path / "canary.txt"
    canary.write_text("secret")
    for name in (str(canary), "/etc/hostname", "../../../../../../etc/hostname"):
        with pytest.raises(CorruptInput):
            await convert(Typst(), f'#read("{name}")'.encode(), "typ", "pdf")


@pytest.mark.requirement("B31")
async def test_an_endless_macro_is_ended(convert):
    bomb = b"\\documentclass{article}\\def\\a{\\a\\a}\\begin{document}\\a\\end{document}"
    with pytest.raises(ConversionError):
        await convert(Pandoc(), bomb, "tex", "html", limits=Limits(wall_seconds=20, memory_bytes=1 << 30))


@pytest.mark.parametrize("source", ["docx", "odt", "epub", "fb2", "ipynb"])
@pytest.mark.requirement("B31")
async def test_garbage_is_refused(convert, source: str):
    with pytest.raises(CorruptInput):
        await convert(Pandoc(), secrets.token_bytes(5000) if source != "ipynb" else b"{", source, "html")


def test_every_promised_pair_names_a_reader_and_a_writer():
    assert shutil.which("pdftotext"), "the tests read products with poppler"
    for conversion in Pandoc.conversions:
        assert conversion.source in READERS
        assert conversion.target in WRITERS


async def test_a_table_wider_than_the_paper_is_made_to_fit_and_not_cut_off(convert):
    cells = "".join(f"<td>column{number:02}</td>" for number in range(16))
    [pdf] = await convert(WeasyPrint(), f"<table><tr>{cells}</tr></table>".encode(), "html", "pdf")
    said = subprocess.run(("pdftotext", "-bbox", pdf, "-"), check=True, capture_output=True).stdout.decode()
    places = [float(place) for place in re.findall(r'xMax="([\d.]+)"[^>]*>column', said)]
    assert len(places) == 16
    assert max(places) < 595


@pytest.mark.parametrize("target", ["mediawiki", "textile", "ipynb", "html", "rst", "org"])
async def test_the_title_of_a_document_is_not_dropped(convert, target):
    [product] = await convert(Pandoc(), "% Über Flüsse\n\nWater.\n".encode(), "md", target)
    assert "Über Flüsse" in product.read_text(encoding="utf-8")


async def test_a_book_tells_its_language_and_direction_to_a_page(convert):
    text = "---\ntitle: كتاب\nlang: ar\n---\n\n# فصل\n\nنص\n"
    [book] = await convert(Pandoc(), text.encode(), "md", "epub")
    [page] = await convert(Pandoc(), book, "epub", "html")
    head = page.read_text(encoding="utf-8")[:400]
    assert 'lang="ar"' in head
    assert 'dir="rtl"' in head


def rows_by_slide(slides: Path) -> list[list[list[str]]]:
    """Of each slide that holds a table, the words of its cells."""
    main = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
    with zipfile.ZipFile(slides) as package:
        names = sorted(
            (name for name in package.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", name)),
            key=lambda name: int(re.findall(r"\d+", name)[0]),
        )
        pages = [ElementTree.fromstring(package.read(name)) for name in names]
    told = [
        [["".join(cell.itertext()) for cell in row.iter(f"{main}tc")] for row in page.iter(f"{main}tr")]
        for page in pages
    ]
    return [rows for rows in told if rows]


async def test_a_long_table_goes_on_from_slide_to_slide_under_its_head(convert):
    rows = [[str(n), f"word{n}"] for n in range(40)]
    lines = "".join(f"<tr><td>{number}</td><td>{word}</td></tr>" for number, word in rows)
    table = f"<table><thead><tr><th>Number</th><th>Word</th></tr></thead><tbody>{lines}</tbody></table>"
    [slides] = await convert(Pandoc(), f"<h1>All</h1>{table}<p>The end.</p>".encode(), "html", "pptx")
    told = rows_by_slide(slides)
    assert [len(rows) for rows in told] == [13, 13, 13, 5]
    assert all(rows[0] == ["Number", "Word"] for rows in told)
    assert [row for rows in told for row in rows[1:]] == rows


async def test_a_table_with_cells_over_several_rows_stays_on_one_slide(convert):
    lines = "".join(f"<tr><td>{n}</td></tr>" for n in range(19))
    table = f"<table><tr><td rowspan=20>side</td><td>first</td></tr>{lines}</table>"
    [slides] = await convert(Pandoc(), table.encode(), "html", "pptx")
    [rows] = rows_by_slide(slides)
    assert len(rows) >= 20


async def test_a_table_of_thousands_of_rows_takes_a_hundred_slides(convert):
    lines = "".join(f"<tr><td>{n}</td></tr>" for n in range(3000))
    [slides] = await convert(Pandoc(), f"<table><tr><th>N</th></tr>{lines}</table>".encode(), "html", "pptx")
    told = rows_by_slide(slides)
    assert [len(rows) for rows in told] == [31] * 100
