"""Letters that are read from pictures; what was found is looked for by poppler."""

import io
import re
import subprocess

import pikepdf
import pytest
from PIL import Image, ImageDraw, ImageFont

from filewright.converter.errors import CorruptInput, EngineMissing, InvalidOptions
from filewright.converter.operations.words import TESSERACT

pytestmark = pytest.mark.engine("tesseract")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def a_scan(kind="PNG", words="Quarterly invoice 2041"):
    """Words in the upper left of half a page."""
    picture = Image.new("L", (1200, 600), "white")
    ImageDraw.Draw(picture).text((60, 60), words, font=ImageFont.load_default(70), fill="black")
    buffer = io.BytesIO()
    picture.save(buffer, kind, dpi=(200, 200))
    return buffer.getvalue()


def a_pdf(turn=0, words=None):
    """A page with a scan, turned so that it stands upright when it is shown; and one with words of its own."""
    scan = Image.open(io.BytesIO(a_scan())).rotate(turn, expand=True)
    packed = io.BytesIO()
    scan.save(packed, "JPEG", quality=90)
    with pikepdf.new() as pdf:
        width, height = (432, 216) if turn in {0, 180} else (216, 432)
        page = pdf.add_blank_page(page_size=(width, height))
        image = pdf.make_stream(
            packed.getvalue(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=scan.width,
            Height=scan.height, ColorSpace=pikepdf.Name.DeviceGray, BitsPerComponent=8, Filter=pikepdf.Name.DCTDecode,
        )  # fmt: skip
        page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Scan=image))
        page.obj.Contents = pdf.make_stream(f"{width} 0 0 {height} 0 0 cm /Scan Do".encode())
        if turn:
            page.obj.Rotate = turn
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        page = pdf.add_blank_page(page_size=(400, 200))
        page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        page.obj.Contents = pdf.make_stream(b"BT /F1 24 Tf 40 100 Td (Typed words) Tj ET")
        buffer = io.BytesIO()
        pdf.save(buffer)
    return buffer.getvalue()


async def test_a_scan_becomes_text(made_of):
    [product] = await made_of("ocr", a_scan(), "png", "txt")
    assert "Quarterly invoice 2041" in product.read_text(encoding="utf-8")


async def test_a_scan_becomes_a_pdf_that_can_be_searched(made_of):
    [product] = await made_of("ocr", a_scan("JPEG"), "jpg")
    assert "Quarterly invoice 2041" in run("pdftotext", product, "-")
    assert len(run("pdfimages", "-list", product).splitlines()) == 2 + 1


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
async def test_a_page_without_words_gets_them_where_they_are_seen(made_of, turn):
    [product] = await made_of("ocr", a_pdf(turn), "pdf", options={"dpi": 200})
    assert run("pdftotext", "-layout", product, "-").count("Typed words") == 1, "pages with words are left alone"
    told = run("pdftotext", "-f", "1", "-l", "1", "-bbox", product, "-")
    [(left, top, right, bottom)] = re.findall(
        r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">Quarterly<', told
    )
    assert float(left) == pytest.approx(22, abs=6)
    assert float(top) == pytest.approx(26, abs=10)
    assert float(right) - float(left) > 2 * (float(bottom) - float(top)), "words run across"
    assert subprocess.run(["qpdf", "--check", product], check=False, capture_output=True).returncode == 0


async def test_what_cannot_be_read_is_named(made_of):
    with pytest.raises(CorruptInput):
        await made_of("ocr", a_scan()[:300], "png", "txt")
    with pytest.raises(InvalidOptions):
        await made_of("ocr", a_scan(), "png", "txt", {"language": "../../etc"})
    with pytest.raises(EngineMissing, match="apt-get install tesseract-ocr-xyz"):
        await made_of("ocr", a_scan(), "png", "txt", {"language": "xyz"})


def test_a_machine_without_the_program_is_told_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    found = TESSERACT.check()
    assert not found.available
    assert found.install == "apt-get install tesseract-ocr"
