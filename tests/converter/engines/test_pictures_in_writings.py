"""Pictures between documents that hold them and writings that cannot. python-docx makes the documents; what came out is
read as XML, and by markdown-it.
"""

from __future__ import annotations

import base64
import io
import re
import zipfile
from pathlib import Path

import docx
import pytest
from lxml import etree
from markdown_it import MarkdownIt
from PIL import Image

from filewright.converter.engines.pandoc import Pandoc

pytestmark = pytest.mark.engine("pandoc")


def png(colour: str) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (24, 16), colour).save(packed, "PNG")
    return packed.getvalue()


def address(colour: str) -> str:
    """That holds the whole picture."""
    return f"data:image/png;base64,{base64.b64encode(png(colour)).decode()}"


def letter(path: Path, *described: str) -> Path:
    """A paragraph with words, and in the middle of them a picture for each description."""
    document = docx.Document()
    paragraph = document.add_paragraph("Before")
    for description in described:
        run = paragraph.add_run()
        run.add_picture(io.BytesIO(png("red")))
        run._r.xpath(".//wp:docPr")[0].set("descr", description)
    paragraph.add_run("after.")
    document.save(str(path))
    return path


def slides_of(product: Path) -> list[tuple[etree._Element, dict[str, bytes]]]:
    """Each slide, and what lies beside it by the names that it has for it."""
    with zipfile.ZipFile(product) as packed:
        names = packed.namelist()
        numbers = sorted(
            int(found[1]) for name in names if (found := re.fullmatch(r"ppt/slides/slide(\d+)\.xml", name))
        )
        slides = []
        for number in numbers:
            links = etree.fromstring(packed.read(f"ppt/slides/_rels/slide{number}.xml.rels"))
            media = {
                link.get("Id"): packed.read(f"ppt/{link.get('Target').removeprefix('../')}")
                for link in links
                if link.get("Type").endswith("/image")
            }
            slides.append((etree.fromstring(packed.read(f"ppt/slides/slide{number}.xml")), media))
        return slides


def pictures(product: Path) -> list[bytes]:
    """Of every slide, in their order."""
    return [
        media[name]
        for slide, media in slides_of(product)
        for name in slide.xpath("//*[local-name()='pic']//*[local-name()='blip']/@*[local-name()='embed']")
    ]


def words(product: Path) -> str:
    return " ".join(text for slide, _ in slides_of(product) for text in slide.xpath("//*[local-name()='t']/text()"))


@pytest.mark.parametrize("target", ["md", "rst", "adoc", "org", "tex", "typ", "textile", "mediawiki", "docbook"])
async def test_a_picture_inside_the_document_is_described_and_no_link_leads_nowhere(convert, tmp_path, target):
    [product] = await convert(Pandoc(), letter(tmp_path / "a.docx", "A harbour", "A ship"), "docx", target)
    text = product.read_text(encoding="utf-8")
    assert "Before A harbour A ship after." in text
    assert "media/" not in text


async def test_a_picture_without_a_description_leaves_nothing(convert, tmp_path):
    [product] = await convert(Pandoc(), letter(tmp_path / "a.docx", ""), "docx", "md")
    assert product.read_text(encoding="utf-8").strip() == "Before after."


async def test_on_request_markdown_holds_the_pictures_themselves(convert, tmp_path):
    source = letter(tmp_path / "a.docx", "A harbour")
    [product] = await convert(Pandoc(), source, "docx", "md", options={"pictures": "embed"})
    shown = MarkdownIt("commonmark").render(product.read_text(encoding="utf-8"))
    [packed] = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    assert base64.b64decode(packed) == png("red")


async def test_a_figure_is_its_caption(convert, tmp_path):
    markdown = f"![The *old* harbour]({address('blue')})\n".encode()
    [book] = await convert(Pandoc(), markdown, "md", "epub")
    [product] = await convert(Pandoc(), book, "epub", "md")
    text = product.read_text(encoding="utf-8")
    assert "The *old* harbour" in text
    assert "<figure" not in text
    assert "<img" not in text


async def test_a_link_to_a_picture_elsewhere_stays_one(convert):
    page = b'<p>See <img src="https://example.org/a.png" alt="a map">.</p>'
    [product] = await convert(Pandoc(), page, "html", "md")
    assert "![a map](https://example.org/a.png)" in product.read_text(encoding="utf-8")


async def test_slides_show_every_picture_wherever_it_stood(convert):
    page = f"""<h1>Harbours</h1>
    <p>In a line <img src="{address("red")}" alt="one"> of words</p>
    <ul><li>In a list <img src="{address("blue")}" alt="two"></li></ul>
    <div class="box"><p><img src="{address("lime")}" alt="three"></p></div>""".encode()
    [slides] = await convert(Pandoc(), page, "html", "pptx")
    assert pictures(slides) == [png("red"), png("blue"), png("lime")]
    assert {"Harbours", "words", "list"} <= set(words(slides).split())


async def test_slides_show_a_picture_whose_name_does_not_say_what_it_is(convert):
    book = f"""<?xml version="1.0" encoding="utf-8"?>
    <FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink">
    <description/><body><section><title><p>Boats</p></title><p>Words</p><image l:href="#cover"/></section></body>
    <binary id="cover" content-type="image/png">{base64.b64encode(png("red")).decode()}</binary></FictionBook>"""
    [slides] = await convert(Pandoc(), book.encode(), "fb2", "pptx")
    assert pictures(slides) == [png("red")]
