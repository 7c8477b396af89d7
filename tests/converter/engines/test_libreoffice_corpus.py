"""Real documents, sheets and slides that nobody here wrote, and facts about them that other tools established.

Every product is opened by a tool that is not LibreOffice.
"""

import csv
import json
import os
import re
import subprocess
import unicodedata
import zipfile
from pathlib import Path

import openpyxl
import pytest
from lxml import etree

from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.errors import CorruptInput, PasswordRequired, WrongPassword
from filewright.converter.formats.catalogue import FORMATS, Family

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.engine("libreoffice"),
    pytest.mark.skipif("FILEWRIGHT_CORPUS" not in os.environ, reason="FILEWRIGHT_CORPUS names no corpus"),
]

ROOT = Path(os.environ.get("FILEWRIGHT_CORPUS", "/nonexistent"))
OFFICE = {Family.DOCUMENT, Family.SHEET, Family.SLIDES}


def entries(*families, expectation):
    manifest = ROOT / "manifest.json"
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.is_file() else []
    return [
        pytest.param(entry, id=entry["path"])
        for entry in files
        if format_of(entry) and FORMATS[format_of(entry)].family in families and entry["expectation"] == expectation
    ]


def format_of(entry):
    kinds = {kind: item.id for item in FORMATS.values() for kind in item.media_types}
    return kinds.get(entry["media_type"])


def plain(text):
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def pdf_pages(path):
    return int(re.search(r"Pages:\s+(\d+)", run("pdfinfo", path))[1])


def pdf_text(path):
    return plain(run("pdftotext", "-raw", path, "-"))


def xml_text(path, *members):
    """All text of the members whose names match, paragraph by paragraph."""
    with zipfile.ZipFile(path) as package:
        names = [name for name in package.namelist() if any(re.fullmatch(member, name) for member in members)]
        roots = [etree.fromstring(package.read(name)) for name in sorted(names)]
    return plain(" ".join(text for root in roots for text in root.itertext()))


def holds(text, phrase):
    """Whether the words stand in the text in order; a footnote, a field or a line break may stand between two."""
    in_order = ".{0,60}?".join(map(re.escape, plain(phrase).split()))
    return re.search(in_order, plain(text)) is not None or plain(phrase) in plain(text).replace(" ", "")


@pytest.mark.parametrize("entry", entries(Family.DOCUMENT, expectation="converts"))
async def test_the_text_of_a_document_arrives_in_every_form(convert, entry):
    async def to(target):
        [product] = await convert(LibreOffice(), ROOT / entry["path"], format_of(entry), target)
        return product

    text = entry["facts"].get("text", "")
    pdf, odt, docx = [await to(target) if target != format_of(entry) else ROOT / entry["path"]
                      for target in ("pdf", "odt", "docx")]  # fmt: skip
    assert pdf_pages(pdf) >= 1
    assert holds(pdf_text(pdf), text)
    assert holds(xml_text(odt, "content.xml"), text)
    assert holds(xml_text(docx, "word/(document|header.*|footer.*|footnotes).xml"), text)
    txt = await to("txt")
    assert holds(txt.read_text(encoding="utf-8"), text)
    if format_of(entry) != "doc":
        doc = await to("doc")
        assert holds(run("catdoc", "-w", "-d", "utf-8", doc), text)
    html = await to("html")
    assert holds(" ".join(etree.HTML(html.read_bytes()).itertext()), text)
    if "tables" in entry["facts"]:
        with zipfile.ZipFile(odt) as package:
            content = etree.fromstring(package.read("content.xml"))
        assert len(content.findall(".//{*}table")) >= entry["facts"]["tables"]


@pytest.mark.parametrize("entry", entries(Family.SHEET, expectation="converts"))
async def test_the_cells_of_a_sheet_arrive_in_every_form(convert, entry):
    async def to(target, **options):
        return await convert(LibreOffice(), ROOT / entry["path"], format_of(entry), target, options=options)

    facts = entry["facts"]
    [pdf] = await to("pdf")
    [ods] = await to("ods")
    workbook = (await to("xlsx"))[0] if format_of(entry) != "xlsx" else (await to("xltx"))[0]
    opened = openpyxl.load_workbook(workbook, data_only=True)
    assert pdf_pages(pdf) >= 1
    if "sheets" in facts:
        assert opened.sheetnames == facts["sheets"]
        assert sheet_names(ods) == facts["sheets"]
    hidden = [sheet.title for sheet in opened if sheet.sheet_state != "visible"]
    assert hidden == facts.get("hidden_sheets", [])
    cell = facts.get("cell", {})
    if "value" in cell:
        assert opened.worksheets[0][cell["ref"]].value == cell["value"]
    if "date" in cell:
        assert opened.worksheets[0][cell["ref"]].value.date().isoformat() == cell["date"]
    if "formula" in cell:
        formulas = openpyxl.load_workbook(workbook)
        assert formulas.worksheets[0][cell["ref"]].value == cell["formula"]
    if "text" in facts:
        everything = " ".join(str(c.value) for sheet in opened for row in sheet.iter_rows() for c in row)
        assert holds(everything, facts["text"])
    files = await to("csv", sheets="all")
    assert len(files) == len(opened.sheetnames)
    first = list(csv.reader(files[0].read_text(encoding="utf-8").splitlines()))
    if isinstance(cell.get("value"), str) and cell["ref"] == "A1":
        assert first[0][0] == cell["value"]


def sheet_names(ods):
    with zipfile.ZipFile(ods) as package:
        content = etree.fromstring(package.read("content.xml"))
    tables = content.findall(".//{*}spreadsheet/{urn:oasis:names:tc:opendocument:xmlns:table:1.0}table")
    return [table.get("{urn:oasis:names:tc:opendocument:xmlns:table:1.0}name") for table in tables]


@pytest.mark.parametrize("entry", entries(Family.SLIDES, expectation="converts"))
async def test_the_slides_of_a_show_arrive_in_every_form(convert, entry):
    async def to(target):
        [product] = await convert(LibreOffice(), ROOT / entry["path"], format_of(entry), target)
        return product

    facts = entry["facts"]
    count = facts.get("slides", facts.get("pages"))
    pdf = await to("pdf")
    odp = await to("odp") if format_of(entry) != "odp" else await to("fodp")
    pptx = await to("pptx") if format_of(entry) != "pptx" else await to("ppsx")
    assert pdf_pages(pdf) == count
    assert holds(pdf_text(pdf), facts.get("text", ""))
    with zipfile.ZipFile(pptx) as package:
        assert len([n for n in package.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", n)]) == count
    content = zipfile.ZipFile(odp).read("content.xml") if odp.suffix == ".odp" else odp.read_bytes()
    assert len(etree.fromstring(content).findall(".//{*}presentation/{*}page")) == count


@pytest.mark.requirement("B31")
@pytest.mark.parametrize("entry", entries(*OFFICE, expectation="must-reject"))
async def test_a_file_that_cannot_be_opened_says_why(convert, entry):
    if entry["reason"] == "wrong-extension":
        pytest.skip("the name is not the engine's business")
    expected = PasswordRequired if entry["reason"] == "password-required" else CorruptInput
    with pytest.raises(expected):
        await convert(LibreOffice(), ROOT / entry["path"], format_of(entry), "pdf")
    if expected is PasswordRequired:
        with pytest.raises(WrongPassword):
            await convert(LibreOffice(), ROOT / entry["path"], format_of(entry), "pdf", password="surely not this")
    if "password" in entry:
        [pdf] = await convert(LibreOffice(), ROOT / entry["path"], format_of(entry), "pdf", password=entry["password"])
        assert pdf_pages(pdf) >= 1
        assert pdf_text(pdf)


def test_every_office_file_of_the_corpus_is_of_a_format_with_a_reader():
    sources = {conversion.source for conversion in LibreOffice.conversions}
    wanted = [*entries(*OFFICE, expectation="converts"), *entries(*OFFICE, expectation="must-reject")]
    assert wanted
    assert {format_of(item.values[0]) for item in wanted} <= sources
