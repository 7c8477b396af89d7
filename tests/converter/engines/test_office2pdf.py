"""office2pdf: a PDF from an Office file where there is no LibreOffice."""

import io
import zipfile

import docx
import openpyxl
import pypdfium2
import pytest

from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.office2pdf import OFFICE2PDF
from filewright.converter.engines.port import Loss
from filewright.converter.errors import CorruptInput, UnsupportedFormat


def saved(made):
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def a_document():
    document = docx.Document()
    document.add_heading("Grüße aus Łódź", 1)
    document.add_page_break()
    document.add_paragraph("The second page.")
    return saved(document)


def a_workbook():
    workbook = openpyxl.Workbook()
    workbook.active.append(["größer", 6.75])
    return saved(workbook)


def pages(pdf):
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()


async def test_a_document_keeps_its_pages_and_words(convert):
    [pdf] = await convert(OFFICE2PDF, a_document(), "docx", "pdf")
    first, second = pages(pdf)
    assert "Grüße aus Łódź" in first
    assert "The second page." in second


async def test_a_sheet_keeps_its_cells(convert):
    [pdf] = await convert(OFFICE2PDF, a_workbook(), "xlsx", "pdf")
    assert "größer" in pages(pdf)[0]
    assert "6.75" in pages(pdf)[0]


@pytest.mark.engine("libreoffice")
async def test_a_show_keeps_its_slides(convert):
    flat = (
        '<?xml version="1.0"?><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:'
        'xmlns:svg-compatible:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2" '
        'office:mimetype="application/vnd.oasis.opendocument.presentation"><office:body><office:presentation>'
        '<draw:page><draw:frame svg:x="1cm" svg:y="1cm" svg:width="9cm" svg:height="2cm"><draw:text-box><text:p>one'
        "</text:p></draw:text-box></draw:frame></draw:page><draw:page/></office:presentation></office:body>"
        "</office:document>"
    )
    [show] = await convert(LibreOffice(), flat.encode(), "fodp", "pptx")
    [pdf] = await convert(OFFICE2PDF, show, "pptx", "pdf")
    first, second = pages(pdf)
    assert "one" in first
    assert second.strip() == ""


@pytest.mark.requirement("B31")
@pytest.mark.parametrize("source", ["docx", "xlsx", "pptx"])
@pytest.mark.parametrize(
    "document", [b"", b"hello", b"PK\x03\x04" + bytes(500), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 99]
)
async def test_bytes_that_are_no_office_file_are_refused(convert, source, document):
    with pytest.raises(CorruptInput):
        await convert(OFFICE2PDF, document, source, "pdf")


@pytest.mark.requirement("B31")
@pytest.mark.parametrize("share", [n / 16 for n in range(1, 16)])
async def test_a_document_that_is_cut_off_is_refused(convert, share):
    whole = a_document()
    with pytest.raises(CorruptInput):
        await convert(OFFICE2PDF, whole[: int(len(whole) * share)], "docx", "pdf")


async def test_strict_files_are_refused_rather_than_made_into_an_empty_page(convert):
    strict = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(a_workbook())) as package, zipfile.ZipFile(strict, "w") as made:
        for name in package.namelist():
            part = package.read(name).replace(
                b"http://schemas.openxmlformats.org/officeDocument/2006/", b"http://purl.oclc.org/ooxml/officeDocument/"
            )
            made.writestr(name, part)
    with pytest.raises(UnsupportedFormat):
        await convert(OFFICE2PDF, strict.getvalue(), "xlsx", "pdf")


def test_libreoffice_is_preferred_where_both_are_installed():
    ours = {(c.source, c.target): c for c in LibreOffice.conversions}
    for conversion in OFFICE2PDF.conversions:
        assert conversion.loss == Loss.LARGE
        assert conversion.cost > ours[conversion.source, conversion.target].cost
