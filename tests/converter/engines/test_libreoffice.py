"""LibreOffice: what goes in comes out, in every form it is declared for, read by tools that are not LibreOffice."""

import asyncio
import csv
import datetime
import io
import re
import subprocess
import zipfile

import docx
import openpyxl
import pypdfium2
import pytest
from lxml import etree

from filewright.chassis.sandbox.port import Limits
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.libreoffice_filters import READERS, WRITERS, Kind, export
from filewright.converter.engines.libreoffice_installation import installation, write_profile
from filewright.converter.engines.port import Loss
from filewright.converter.errors import Cancelled, CorruptInput, OutputInvalid, Timeout
from filewright.converter.formats.catalogue import FORMATS

pytestmark = pytest.mark.engine("libreoffice")


def a_document():
    document = docx.Document()
    document.add_heading("Grüße aus Łódź", 1)
    for number in range(3):
        document.add_paragraph(f"Page {number + 1} says 你好.").add_run().add_break(docx.enum.text.WD_BREAK.PAGE)
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    document.core_properties.title = "A title"
    return saved(document)


def a_workbook():
    workbook = openpyxl.Workbook()
    first = workbook.active
    first.title = "Größen"
    first.append(["name", "value"])
    first.append(["=not a formula", 6.75])
    first["A2"].data_type = "s"
    first["B3"] = "=SUM(B2:B2)*2"
    first["A4"] = datetime.date(2024, 2, 29)
    workbook.create_sheet("Hidden").sheet_state = "hidden"
    workbook.create_sheet("Last").append(["the end"])
    return saved(workbook)


def saved(made):
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


RTF = rb"{\rtf1\ansi\ansicpg1252 Gr\'fc\'dfe, {\b bold} and \u20320?\u22909?\par}"

FODP = (
    '<?xml version="1.0" encoding="UTF-8"?><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office'
    ':1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:text="urn:oasis:names:tc:opendocument:'
    'xmlns:text:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" office:version="1.2" '
    'office:mimetype="application/vnd.oasis.opendocument.presentation"><office:body><office:presentation>'
    + "".join(
        f'<draw:page draw:name="p{number}"><draw:frame svg:x="1cm" svg:y="1cm" svg:width="10cm" svg:height="3cm">'
        f"<draw:text-box><text:p>Slide number {number}</text:p></draw:text-box></draw:frame></draw:page>"
        for number in (1, 2)
    )
    + "</office:presentation></office:body></office:document>"
).encode()


def wmf():
    """A placeable metafile of 2 by 1 inch with one rectangle; written by hand from [MS-WMF]."""

    def words(*values):
        return b"".join(value.to_bytes(2, "little") for value in values)

    head = [0xCDD7, 0x9AC6, 0, 0, 0, 2000, 1000, 1000, 0, 0]
    checksum = 0
    for word in head:
        checksum ^= word
    records = [
        words(5, 0, 0x020B, 0, 0),  # window origin
        words(5, 0, 0x020C, 1000, 2000),  # window extent
        words(7, 0, 0x041B, 900, 1900, 100, 100),  # rectangle
        words(3, 0, 0),
    ]
    size = 9 + sum(map(len, records)) // 2
    header = words(1, 9, 0x0300, size & 0xFFFF, size >> 16, 0, 7, 0, 0)
    return words(*head, checksum) + header + b"".join(records)


def pdf_texts(path):
    document = pypdfium2.PdfDocument(path)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def text_of(path):
    """The text of any product, by a reader that fits its kind, with white space made alike."""
    return " ".join(read(path).split())


def read(path):
    match path.suffix:
        case ".pdf":
            return "\n".join(pdf_texts(path))
        case ".doc":
            return run("catdoc", "-w", "-d", "utf-8", path)
        case ".ppt":
            return path.read_bytes().decode("utf-16-le", "replace") + path.read_bytes().decode("latin-1")
        case ".xls":
            return run("xls2csv", "-d", "utf-8", path)
        case ".rtf":
            return run("unrtf", "--text", path)
        case ".html":
            return "".join(etree.HTML(path.read_bytes()).itertext())
        case ".txt" | ".csv":
            return path.read_text(encoding="utf-8")
        case ".fodt" | ".fods" | ".fodp":
            return "".join(etree.fromstring(path.read_bytes()).itertext())
    with zipfile.ZipFile(path) as package:
        names = [name for name in package.namelist() if name.endswith((".xml", ".xhtml")) and "theme" not in name]
        return "".join(text for name in names for text in etree.fromstring(package.read(name)).itertext())


SAMPLES = [
    ("docx", a_document, "Page 2 says"),
    ("rtf", lambda: RTF, "bold"),
    ("xlsx", a_workbook, "name"),
    ("fodp", lambda: FODP, "Slide number 2"),
]


def pairs():
    """Each kind of document to every third of its targets; the others have their turn by `--long`."""
    for first, (source, sample, phrase) in enumerate(SAMPLES):
        for number, target in enumerate(WRITERS[READERS[source].kind]):
            if target != source:
                marks = [] if (first + number) % 3 == 0 else [pytest.mark.long]
                yield pytest.param(source, sample, phrase, target, marks=marks)


@pytest.mark.parametrize(("source", "sample", "phrase", "target"), list(pairs()))
@pytest.mark.sampled(3)
async def test_a_document_keeps_its_text_in_every_target_and_the_target_can_be_read_again(
    convert, source, sample, phrase, target
):
    [product] = await convert(LibreOffice(), sample(), source, target)
    assert product.name == f"output.{target}"
    assert phrase in text_of(product)
    if target in READERS and target != "pdf":
        [again] = await convert(LibreOffice(), product, target, "pdf")
        assert phrase in text_of(again)


async def test_a_pdf_has_the_pages_words_and_title_of_the_document(convert):
    [pdf] = await convert(LibreOffice(), a_document(), "docx", "pdf")
    pages = pdf_texts(pdf)
    assert len(pages) == 4
    assert "Grüße aus Łódź" in pages[0]
    assert "Page 3 says 你好." in pages[2]
    about = run("pdfinfo", pdf)
    assert re.search(r"Title:\s+A title", about)
    assert re.search(r"Tagged:\s+yes", about)


async def test_only_the_pages_asked_for_are_printed(convert):
    [pdf] = await convert(LibreOffice(), a_document(), "docx", "pdf", options={"pages": "1,3-4"})
    pages = pdf_texts(pdf)
    assert len(pages) == 3
    assert "Page 3" in pages[1]


async def test_pages_that_are_not_there_are_refused_in_words(convert):
    with pytest.raises(OutputInvalid, match=r"options\.pages"):
        await convert(LibreOffice(), a_document(), "docx", "pdf", options={"pages": "7-9"})


@pytest.mark.parametrize(("level", "part"), [("1b", "1"), ("2b", "2"), ("3b", "3")])
async def test_an_archival_pdf_says_so_and_embeds_its_fonts(convert, level, part):
    [pdf] = await convert(LibreOffice(), RTF, "rtf", "pdf", options={"pdfa": level})
    assert f"<pdfaid:part>{part}</pdfaid:part>".encode() in pdf.read_bytes()
    assert all(line.split()[-5] == "yes" for line in run("pdffonts", pdf).splitlines()[2:])


async def test_a_workbook_keeps_sheets_hiding_dates_formulas_and_what_only_looks_like_one(convert):
    [ods] = await convert(LibreOffice(), a_workbook(), "xlsx", "ods")
    [back] = await convert(LibreOffice(), ods, "ods", "xlsx")
    formulas, values = openpyxl.load_workbook(back), openpyxl.load_workbook(back, data_only=True)
    assert values.sheetnames == ["Größen", "Hidden", "Last"]
    assert [sheet.sheet_state for sheet in values] == ["visible", "hidden", "visible"]
    sheet = values["Größen"]
    assert sheet["A4"].value.date() == datetime.date(2024, 2, 29)
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=not a formula", "s")
    assert formulas["Größen"]["B3"].value == "=SUM(B2:B2)*2"
    assert sheet["B3"].value == 13.5


async def test_the_first_sheet_becomes_a_csv_file(convert):
    [product] = await convert(LibreOffice(), a_workbook(), "xlsx", "csv")
    rows = list(csv.reader(product.read_text(encoding="utf-8").splitlines()))
    assert rows[:3] == [["name", "value"], ["=not a formula", "6.75"], ["", "13.5"]]


async def test_every_sheet_becomes_a_csv_file_in_the_order_of_the_workbook(convert):
    products = await convert(LibreOffice(), a_workbook(), "xlsx", "csv", options={"sheets": "all"})
    assert [path.name for path in products] == ["output-0001.csv", "output-0002.csv", "output-0003.csv"]
    assert [path.read_text(encoding="utf-8").split("\n")[0] for path in products] == ["name,value", "", "the end"]


async def test_a_sheet_can_be_chosen_by_its_number(convert):
    [product] = await convert(LibreOffice(), a_workbook(), "xlsx", "csv", options={"sheet": 3})
    assert product.read_text(encoding="utf-8") == "the end\n"


async def test_text_comes_out_as_utf8_without_a_byte_order_mark(convert):
    [product] = await convert(LibreOffice(), RTF, "rtf", "txt")
    assert product.read_bytes() == "Grüße, bold and 你好\n".encode()


async def test_a_web_page_holds_its_pictures_itself(convert):
    document = docx.Document()
    document.add_picture(io.BytesIO(a_png()))
    products = await convert(LibreOffice(), saved(document), "docx", "html")
    assert [path.name for path in products] == ["output.html"]
    assert b"data:image/png;base64," in products[0].read_bytes()


def a_png():
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_metafile_becomes_a_drawing_of_its_own_size(convert):
    [product] = await convert(LibreOffice(), wmf(), "wmf", "svg")
    drawing = etree.parse(product).getroot()
    _, _, width, height = map(float, drawing.get("viewBox").split())
    assert (width, height) == (pytest.approx(5080, abs=300), pytest.approx(2540, abs=300))
    assert drawing.get("width") == f"{width / 100:g}mm"


GARBAGE = bytes(range(256)) * 20


@pytest.mark.requirement("S16", "B31")
@pytest.mark.parametrize(
    "source",
    [pytest.param(each, marks=[] if n % 3 == 0 else [pytest.mark.long]) for n, each in enumerate(sorted(READERS))],
)
@pytest.mark.sampled(3)
async def test_bytes_that_are_no_document_are_refused_and_never_imported_as_text(convert, source):
    target = next(iter(WRITERS[READERS[source].kind]))
    beginning = next(iter(READERS[source].beginnings), b"")
    for document in (GARBAGE, b"hello, I am a text\n"):
        with pytest.raises(CorruptInput):
            await convert(LibreOffice(), document, source, target)
    if source not in {"rtf", "wmf"}:  # these end where they are damaged, and are valid up to there
        with pytest.raises(CorruptInput):
            await convert(LibreOffice(), beginning + GARBAGE, source, target)


@pytest.mark.requirement("B8")
async def test_a_conversion_that_takes_too_long_is_ended_and_the_next_one_is_fine(convert):
    endless = RTF.replace(b"bold", b"bold" + b"\\par more" * 100_000)
    with pytest.raises(Timeout):
        await convert(LibreOffice(), endless, "rtf", "pdf", limits=Limits(wall_seconds=0.01))
    [pdf] = await convert(LibreOffice(), RTF, "rtf", "pdf")
    assert "bold" in text_of(pdf)


async def test_a_cancelled_conversion_ends(convert):
    cancel = asyncio.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        await convert(LibreOffice(), a_document(), "docx", "pdf", cancel=cancel)


async def test_conversions_at_the_same_time_do_not_meet(convert):
    documents = [RTF.replace(b"bold", f"number {n}".encode()) for n in range(4)]
    products = await asyncio.gather(*(convert(LibreOffice(), document, "rtf", "txt") for document in documents))
    assert [f"number {n}" in product.read_text(encoding="utf-8") for n, [product] in enumerate(products)] == [True] * 4


def test_the_profile_names_the_version_that_is_installed(tmp_path):
    found = installation()
    write_profile(tmp_path, found)
    registry = etree.parse(tmp_path / "user" / "registrymodifications.xcu")
    version = registry.xpath("//prop[@*[local-name()='name']='ooSetupLastVersion']/value/text()")
    assert version == [".".join(map(str, found.version[:2]))]
    assert (tmp_path / "user" / "extensions" / "buildid").read_text() == found.build


def test_every_conversion_names_formats_of_the_catalogue_and_a_filter():
    assert {c.source for c in LibreOffice.conversions} | {c.target for c in LibreOffice.conversions} <= set(FORMATS)
    for conversion in LibreOffice.conversions:
        defaults = {name: schema["default"] for name, schema in conversion.options.items()}
        made = export(conversion, defaults)
        assert made.extension == conversion.target
        assert made.filter


@pytest.mark.requirement("B3")
def test_no_web_page_is_opened_by_libreoffice():
    assert not {"html", "mhtml", "md", "svg", "xml", "txt", "csv"} & {c.source for c in LibreOffice.conversions}


def test_layout_that_is_lost_is_declared():
    losses = {(c.source, c.target): c.loss for c in LibreOffice.conversions}
    assert losses["docx", "pdf"] == losses["docx", "odt"] == Loss.SMALL
    assert losses["ods", "csv"] == losses["docx", "html"] == Loss.LARGE
    assert losses["docx", "txt"] is Loss.MOST


def test_page_ranges_are_rebuilt_from_their_numbers():
    conversion = next(c for c in LibreOffice.conversions if (c.source, c.target) == ("docx", "pdf"))
    argument = export(conversion, {"pages": "1,3-4"}).argument
    assert '"PageRange": {"type": "string", "value": "1,3-4"}' in argument
    pattern = re.compile(conversion.options["pages"]["pattern"])
    assert pattern.search("") and pattern.search("1-3,7")
    assert not any(map(pattern.search, ("0", "1;", '1"', "-1", "1-", "a", "1\n2", "1 ")))


def test_pictures_are_only_made_into_drawings():
    assert set(WRITERS[Kind.PICTURE]) == {"svg"}


async def test_a_show_is_marked_as_one_so_that_it_starts_when_it_is_opened(convert):
    [show] = await convert(LibreOffice(), FODP, "fodp", "ppsx")
    with zipfile.ZipFile(show) as package:
        kinds = package.read("[Content_Types].xml")
        assert package.testzip() is None
    assert b"presentationml.slideshow.main+xml" in kinds
    assert b"presentationml.presentation.main+xml" not in kinds
