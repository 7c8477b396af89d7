"""The first page of a long document comes from its beginning alone, and is the same as that of the whole."""

import io
import re
import zipfile

import pypdfium2
import pytest
from docx import Document
from docx.enum.section import WD_ORIENT

from filewright.converter.engines.inside import beginning
from filewright.converter.engines.inside.office.samples import SAMPLES
from filewright.converter.engines.libreoffice import LibreOffice

WORDS = "Every good word of this paragraph stands where the one before it has ended. " * 4
SHOW = SAMPLES[2].document


def packed(document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def a_letter(paragraphs=110, *, wide=False) -> bytes:
    """Of some ten pages. `wide`: the section that begins on the first page says at its end how it lies."""
    document = Document()
    for number in range(paragraphs):
        document.add_paragraph(f"{number}. {WORDS}")
    if wide:
        section = document.sections[0]
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = section.page_height, section.page_width
        later = document.add_section()
        later.orientation = WD_ORIENT.PORTRAIT
        later.page_width, later.page_height = section.page_height, section.page_width
        document.add_paragraph("The end.")
    return packed(document)


def a_table(rows=160) -> bytes:
    document = Document()
    table = document.add_table(rows=rows, cols=2)
    for number, row in enumerate(table.rows):
        row.cells[0].text, row.cells[1].text = str(number), WORDS
    return packed(document)


def a_text(paragraphs=110) -> bytes:
    flat, body = SAMPLES[0].document.split("<office:text>")
    lines = "".join(f"<text:p>{number}. {WORDS}</text:p>" for number in range(paragraphs))
    return f"{flat}<office:text>{lines}{body}".encode()


def a_show(*titles) -> bytes:
    before, page, after = re.split("(<draw:page .*</draw:page>)", SHOW)
    pages = "".join(page.replace("Warm hands.", title).replace('"one"', f'"{title}"') for title in titles)
    return f"{before}{pages}{after}".encode()


def hidden(show: bytes, slide: int) -> bytes:
    """The presentation with that slide hidden."""
    buffer, name = io.BytesIO(), f"ppt/slides/slide{slide}.xml"
    with zipfile.ZipFile(io.BytesIO(show)) as package, zipfile.ZipFile(buffer, "w") as copy:
        for member in package.namelist():
            data = package.read(member)
            copy.writestr(member, data.replace(b"<p:sld ", b'<p:sld show="0" ', 1) if member == name else data)
    return buffer.getvalue()


def seen(pdf):
    """The words of the pages, their sizes, and what the first one looks like."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        pages = list(document)
        picture = pages[0].render(scale=0.5).to_numpy().tobytes()
        return [page.get_textpage().get_text_bounded() for page in pages], pages[0].get_size(), picture
    finally:
        document.close()


@pytest.mark.engine("libreoffice")
@pytest.mark.parametrize(
    ("document", "kind"),
    [(a_letter(), "docx"), (a_letter(wide=True), "docx"), (a_text(), "fodt")],
    ids=["letter", "landscape", "flat"],
)
async def test_it_looks_like_the_first_page_of_the_whole(convert, cold_office, cold_starts, document, kind):
    [first] = await convert(LibreOffice(), document, kind, "pdf", {"preview": True})
    [whole] = await convert(LibreOffice(), document, kind, "pdf", {"pages": "1"})
    assert seen(first) == seen(whole)
    assert len(seen(first)[0]) == 1
    assert [name.partition(".")[0] for name in cold_starts] == ["beginning", "input"]


@pytest.mark.engine("libreoffice")
async def test_of_a_show_it_is_the_first_slide_that_is_shown(convert, cold_office, cold_starts):
    [made] = await convert(LibreOffice(), a_show("First", "Second", "Third"), "fodp", "pptx")
    show = hidden(made.read_bytes(), 1)
    [first] = await convert(LibreOffice(), show, "pptx", "pdf", {"preview": True})
    assert [words.strip() for words in seen(first)[0]] == ["Second"]
    assert [name.partition(".")[0] for name in cold_starts] == ["input", "beginning"]


@pytest.mark.engine("libreoffice")
async def test_a_show_whose_beginning_shows_nothing_is_read_whole(convert, cold_office, cold_starts):
    away = '<style:style style:name="away" style:family="drawing-page"><style:drawing-page-properties '
    away += 'presentation:visibility="hidden"/></style:style>'
    show = a_show("First", "Second", "Third").decode()
    show = show.replace("<office:body>", f"<office:automatic-styles>{away}</office:automatic-styles><office:body>")
    show = show.replace('draw:name="First"', 'draw:name="First" draw:style-name="away"')
    [first] = await convert(LibreOffice(), show.encode(), "fodp", "pdf", {"preview": True})
    assert [words.strip() for words in seen(first)[0]] == ["Second"]
    assert [name.partition(".")[0] for name in cold_starts] == ["beginning", "input"]


@pytest.mark.engine("libreoffice")
async def test_a_page_that_holds_more_than_expected_is_made_from_the_whole(convert, cold_office, cold_starts):
    poster = Document(io.BytesIO(a_letter(60)))
    poster.sections[0].page_height = poster.sections[0].page_height * 4
    poster.sections[0].page_width = poster.sections[0].page_width * 2
    [first] = await convert(LibreOffice(), packed(poster), "docx", "pdf", {"preview": True})
    assert "59. Every good word" in seen(first)[0][0]
    assert [name.partition(".")[0] for name in cold_starts] == ["beginning", "input"]


@pytest.mark.engine("libreoffice")
async def test_what_can_not_be_cut_has_a_first_page_too(convert, cold_office, cold_starts):
    sheet = SAMPLES[1].document.encode()
    [first] = await convert(LibreOffice(), sheet, "fods", "pdf", {"preview": True})
    [short] = await convert(LibreOffice(), a_letter(3), "docx", "pdf", {"preview": True})
    assert [len(seen(product)[0]) for product in (first, short)] == [1, 1]
    assert [name.partition(".")[0] for name in cold_starts] == ["input", "input"]


def cut(tmp_path, document: bytes, kind: str) -> bytes | None:
    source, target = tmp_path / f"input.{kind}", tmp_path / f"short.{kind}"
    source.write_bytes(document)
    done = beginning.cut(report=lambda _: None, source=str(source), source_format=kind, target=str(target))
    return target.read_bytes() if done else None


def test_a_short_document_one_of_a_kind_unknown_and_a_broken_one_stay_whole(tmp_path):
    assert cut(tmp_path, a_letter(3), "docx") is None
    assert cut(tmp_path, a_letter(3), "pptx") is None
    assert cut(tmp_path, b"PK\x03\x04 nothing", "docx") is None
    short = cut(tmp_path, a_show("First", "Second"), "fodp")
    assert short is not None
    assert (b"First" in short, b"Second" in short) == (True, False)
    entities = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>' + a_text().decode().partition("?>")[2]
    assert cut(tmp_path, entities.encode(), "fodt") is None
    assert cut(tmp_path, a_text().decode().replace("UTF-8", "UTF-16", 1).encode("utf-16"), "fodt") is None


def test_an_element_without_an_end_tag_ends_where_it_stands(tmp_path):
    flat, body = SAMPLES[0].document.split("<office:text>")
    short = cut(tmp_path, f"{flat}<office:text>{'<text:p/>' * 400}{body}".encode(), "fodt")
    assert short is not None
    assert short.endswith(b"<text:p/></office:text></office:body></office:document>")
    assert short.count(b"<text:p/>") == 150


def test_fields_lists_and_blocks_that_are_open_are_closed(tmp_path):
    inner = "<text:list-item><text:p>one</text:p></text:list-item>" * 400
    flat, body = SAMPLES[0].document.split("<office:text>")
    nested = f'<text:section text:name="s"><text:list>{inner}</text:list></text:section>'
    short = cut(tmp_path, f"{flat}<office:text>{nested}{body}".encode(), "fodt")
    assert short is not None
    assert short.endswith(b"</text:list-item></text:list></text:section></office:text></office:body></office:document>")
    with zipfile.ZipFile(io.BytesIO(cut(tmp_path, a_table(), "docx"))) as package:
        assert package.testzip() is None
        said = package.read("word/document.xml")
    assert re.search(rb"</w:tr></w:tbl><w:sectPr .*</w:sectPr></w:body></w:document>$", said, re.DOTALL)
