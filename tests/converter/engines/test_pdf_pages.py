"""Pages of a PDF as pictures, text, Word, SVG, HTML and PostScript. No product is opened by the tool that made it."""

import io
import re
import subprocess
import time
import xml.etree.ElementTree as ET
import zipfile
import zlib
from contextlib import suppress
from dataclasses import replace

import docx
import pikepdf
import pytest
from PIL import Image

from filewright.chassis.sandbox.port import Limits
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment
from filewright.converter.engines.exactdoc import EXACTDOC
from filewright.converter.engines.ghostscript import Ghostscript
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.pdfium import PDFIUM
from filewright.converter.engines.poppler import Poppler
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.errors import (
    ConversionError,
    CorruptInput,
    ImageTooLarge,
    InputError,
    LimitError,
    PasswordRequired,
    Timeout,
    TooManyPages,
    UnsupportedConversion,
    WrongPassword,
)
from filewright.converter.tiers import LOCAL

TIGHT = Limits(wall_seconds=30, cpu_seconds=30, memory_bytes=1 << 30, write_bytes=200 << 20)
FONT = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
ALL = pytest.mark.parametrize(
    ("engine", "target"),
    [(PDFIUM, "png"), (PDFIUM, "txt"), (PDFIUM, "html"), (EXACTDOC, "docx"), (Poppler(), "svg"), (Poppler(), "html"),
     (Poppler(), "ps"), (Poppler(), "eps"), (LibreOffice(), "pptx")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)  # fmt: skip
CATALOG, ONE_PAGE = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R%s>>"
MANY_WORDS = " ".join(f"word{n}" for n in range(12))


def pdf(*texts, size=(200, 100), change=None, **saving):
    """A page for each text, changed by `change(document)` before it is saved."""
    document = pikepdf.new()
    for text in texts or ("Hello",):
        page = document.add_blank_page(page_size=size)
        page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=FONT))
        page.obj.Contents = document.make_stream(f"BT /F 12 Tf 10 50 Td ({text}) Tj ET".encode())
    if change:
        change(document)
    packed = io.BytesIO()
    document.save(packed, **saving)
    return packed.getvalue()


def raw_pdf(*objects, trailer=b"/Root 1 0 R"):
    """A PDF of hand-made objects, numbered from 1, with a right cross-reference table."""
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + table + b"trailer <</Size %d %s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, len(out))


def stream(head, data):
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (head, len(data), data)


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def look(path):
    return Image.open(io.BytesIO(path.read_bytes()))


@pytest.mark.engine("pdfium")
class TestPictures:
    async def test_each_page_is_a_picture_in_the_size_that_dots_per_inch_make(self, convert):
        products = await convert(PDFIUM, pdf("a", "b", size=(612, 792)), "pdf", "png")
        assert [path.name for path in products] == ["output-0001.png", "output-0002.png"]
        assert [look(path).size for path in products] == [(1275, 1650)] * 2
        assert round(look(products[0]).info["dpi"][0]) == 150

    async def test_one_page_is_one_file(self, convert):
        [product] = await convert(PDFIUM, pdf(), "pdf", "jpg", options={"dpi": 72})
        assert (product.name, look(product).size) == ("output.jpg", (200, 100))

    async def test_pages_can_be_chosen(self, convert):
        source = pdf(*"abcdefgh")
        products = await convert(PDFIUM, source, "pdf", "png", options={"pages": "2-3, 7, 8-", "dpi": 20})
        assert [path.name for path in products] == [f"output-{n:04}.png" for n in (2, 3, 7, 8)]
        [text] = await convert(PDFIUM, source, "pdf", "txt", options={"pages": "3,1"})
        assert text.read_text(encoding="utf-8") == "c\n\fa\n\f"
        with pytest.raises(UnsupportedConversion):
            await convert(PDFIUM, source, "pdf", "png", options={"pages": "9-"})

    async def test_a_page_fits_the_width_asked_for(self, convert):
        [product] = await convert(PDFIUM, pdf(), "pdf", "webp", options={"width": 500})
        assert look(product).size == (500, 250)

    async def test_a_turned_page_is_drawn_turned(self, convert):
        source = pdf(change=lambda document: document.pages[0].rotate(90, relative=False))
        [product] = await convert(PDFIUM, source, "pdf", "png", options={"dpi": 72})
        assert look(product).size == (100, 200)

    async def test_what_was_typed_into_a_form_is_drawn(self, convert):
        def fill(document):
            appearance = document.make_stream(b"1 0 0 rg 0 0 50 20 re f")
            appearance.Type, appearance.Subtype = pikepdf.Name.XObject, pikepdf.Name.Form
            appearance.BBox = pikepdf.Array([0, 0, 50, 20])
            field = document.make_indirect(
                pikepdf.Dictionary(
                    Type=pikepdf.Name.Annot,
                    Subtype=pikepdf.Name.Widget,
                    FT=pikepdf.Name.Tx,
                    T="name",
                    V="x",
                    Rect=pikepdf.Array([100, 60, 150, 80]),
                    AP=pikepdf.Dictionary(N=appearance),
                    F=4,
                )
            )
            document.pages[0].Annots = pikepdf.Array([field])
            document.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([field]))

        [product] = await convert(PDFIUM, pdf(change=fill), "pdf", "png", options={"dpi": 72})
        red, green, blue = look(product).convert("RGB").getpixel((125, 30))
        assert red > 200
        assert max(green, blue) < 180

    @pytest.mark.requirement("B27")
    @pytest.mark.parametrize("side", [200_000, 1e7, 1e30])
    async def test_a_page_of_an_enormous_size_is_refused(self, convert, side):
        with pytest.raises((ImageTooLarge, CorruptInput)):
            await convert(PDFIUM, _boxed(f"0 0 {side:f} {side:f}".encode()), "pdf", "png", limits=TIGHT)


def _boxed(box):
    return raw_pdf(
        CATALOG, ONE_PAGE,
        b"<</Type/Page/Parent 2 0 R/MediaBox[%s]>>" % box,
    )  # fmt: skip


class TestText:
    async def test_text_is_in_reading_order_and_pages_end_with_a_form_feed(self, convert):
        [product] = await convert(PDFIUM, pdf("first", "second"), "pdf", "txt")
        assert product.read_text(encoding="utf-8") == "first\n\fsecond\n\f"

    async def test_a_page_of_pictures_is_an_empty_page_of_text(self, convert):
        source = pdf(change=lambda document: document.pages[0].Contents.write(b"1 0 0 rg 0 0 50 50 re f"))
        [product] = await convert(PDFIUM, source, "pdf", "txt")
        assert product.read_text(encoding="utf-8") == "\f"

    @pytest.mark.parametrize("engine", [PDFIUM, Poppler()], ids=lambda engine: engine.name)
    async def test_a_web_page_of_a_pdf_needs_no_other_file_and_holds_its_text_as_text(self, convert, engine):
        [product] = await convert(engine, pdf("a &lt;script&gt; b"), "pdf", "html")
        text = product.read_text(encoding="utf-8")
        assert "script&" in text.replace("&amp;", "&").replace("&#160;", " ")
        assert "<script" not in text
        assert not [link for link in re.findall(r'(?:src|href)="([^"]+)"', text) if not link.startswith(("data:", "#"))]


class TestWord:
    async def test_words_become_words_that_can_be_edited(self, convert):
        [product] = await convert(
            EXACTDOC, pdf(MANY_WORDS, "The second page has words too", size=(612, 792)), "pdf", "docx"
        )
        text = "\n".join(paragraph.text for paragraph in docx.Document(str(product)).paragraphs)
        assert MANY_WORDS in text
        assert "The second page" in text

    async def test_words_that_only_a_picture_would_show_are_written_as_well(self, convert):
        def turned(document):
            for page in document.pages:
                page.Contents = document.make_stream(
                    b"BT /F 12 Tf 72 700 Td (Upright words stand here) Tj ET q 0.9 0.9 1 rg 100 300 300 200 re f Q "
                    b"BT /F 18 Tf 0 1 -1 0 250 320 Tm (Turned sentence) Tj ET"
                )

        [product] = await convert(EXACTDOC, pdf("a", size=(612, 792), change=turned), "pdf", "docx")
        made = docx.Document(str(product))
        cells = [cell.text for table in made.tables for row in table.rows for cell in row.cells]
        text = "\n".join([paragraph.text for paragraph in made.paragraphs] + cells)
        assert "Upright words" in text
        assert "Turned sentence" in text

    async def test_a_scan_becomes_a_document_of_its_pictures(self, convert):
        def scanned(document):
            for page in document.pages:
                page.Contents = document.make_stream(b"q 612 0 0 792 0 0 cm /I Do Q")
                image = document.make_stream(bytes(range(256)) * 4)
                image.Type, image.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
                image.Width, image.Height, image.BitsPerComponent = 32, 32, 8
                image.ColorSpace = pikepdf.Name.DeviceGray
                page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(I=image))

        [product] = await convert(EXACTDOC, pdf("a", "b", size=(612, 792), change=scanned), "pdf", "docx")
        made = docx.Document(str(product))
        assert len(made.inline_shapes) == 2
        assert [round(section.page_height.pt) for section in made.sections] == [792, 792]


@pytest.mark.engine("libreoffice")
class TestSlides:
    async def test_each_page_is_a_slide_with_its_words_in_their_places(self, convert):
        [product] = await convert(LibreOffice(), pdf("First page", "Second page", size=(400, 300)), "pdf", "pptx")
        with zipfile.ZipFile(product) as packed:
            slides = sorted(name for name in packed.namelist() if re.fullmatch(r"ppt/slides/slide\d+\.xml", name))
            words = [re.sub("<[^>]+>", "", packed.read(name).decode()) for name in slides]
            size = re.search(r'<p:sldSz cx="(\d+)" cy="(\d+)"', packed.read("ppt/presentation.xml").decode())
            offset = re.search(r'<a:off x="(\d+)" y="(\d+)"/>', packed.read(slides[0]).decode().partition("<p:sp>")[2])
        assert ["First page" in words[0], "Second page" in words[1], len(words)] == [True, True, 2]
        width, height = (int(side) / 12700 for side in size.groups())  # in points
        assert (round(width), round(height)) == (400, 300)
        left, top = (int(place) / 12700 for place in offset.groups())
        assert (abs(left - 10) < 10, abs(top - 240) < 15) == (True, True), "12 points high, 50 above the lower edge"


SENTENCE = "The harvest was better than in any year before it was counted."
PRINTED = f"""<!DOCTYPE html><title>Report</title><h1>Results of the year</h1><p>{" ".join([SENTENCE] * 5)}</p>
<h2>What comes next</h2><p>{SENTENCE}</p><ul><li>first thing</li><li>second thing</li></ul>"""


class TestMarkup:
    """Made of a PDF, by whatever way is chosen."""

    async def test_a_markdown_file_of_a_pdf_has_its_headings_and_lists_and_no_places(
        self, sandbox, new_workspace, tmp_path
    ):
        converter = Converter(Registry(standard_engines()), sandbox)

        async def converted(source, target):
            order = Assignment(source, source.name, target, LOCAL)
            return (await converter.convert(order, workspace=new_workspace())).products[0].path

        source = tmp_path / "report.html"
        source.write_text(PRINTED)
        text = (await converted(await converted(source, "pdf"), "md")).read_text(encoding="utf-8")
        assert [re.sub(r"\W*(.*?)\W*$", r"\1", line) for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)] == [
            "Results of the year",
            "What comes next",
        ]
        assert re.findall(r"^- (.*)$", text, re.MULTILINE) == ["first thing", "second thing"]
        assert " ".join(text.replace("\\", " ").split()).count(SENTENCE) == 6
        assert not re.search(r"<(div|span|style|p\b)|data:|position:", text)


@pytest.mark.engine("poppler")
class TestPoppler:
    async def test_each_page_is_an_svg_of_its_size(self, convert):
        products = await convert(Poppler(), pdf("a", "b"), "pdf", "svg")
        assert [path.name for path in products] == ["output-0001.svg", "output-0002.svg"]
        root = ET.fromstring(products[0].read_text(encoding="utf-8"))
        assert (root.get("width"), root.get("height")) in {("200", "100"), ("200pt", "100pt")}

    @pytest.mark.engine("ghostscript")
    @pytest.mark.parametrize("target", ["ps", "eps"])
    async def test_postscript_and_back_keeps_the_text_and_the_page(self, convert, target):
        [middle] = await convert(Poppler(), pdf("round trip"), "pdf", target)
        [product] = await convert(Ghostscript(), middle, target, "pdf")
        assert "round trip" in run("pdftotext", product, "-")
        width, height = re.search(r"Page size: +([\d.]+) x ([\d.]+)", run("pdfinfo", product)).groups()
        assert (float(width) <= 201, float(height) <= 101) == (True, True)

    async def test_every_page_is_an_eps_of_its_own_and_one_can_be_picked(self, convert):
        each = await convert(Poppler(), pdf("first", "second", "third"), "pdf", "eps")
        picked = await convert(Poppler(), pdf("first", "second", "third"), "pdf", "eps", options={"page": 2})
        assert [path.name for path in each] == [f"output-000{number}.eps" for number in (1, 2, 3)]
        assert [path.name for path in picked] == ["output.eps"]
        assert all(path.read_bytes().startswith(b"%!PS-Adobe-3.0 EPSF") for path in (*each, *picked))

    async def test_a_page_that_is_not_there_is_refused_with_the_number_of_pages(self, convert):
        with pytest.raises(UnsupportedConversion, match="1 pages"):
            await convert(Poppler(), pdf(), "pdf", "eps", options={"page": 3})


@pytest.mark.requirement("B28")
class TestPasswords:
    locked = staticmethod(lambda user: pdf(MANY_WORDS, encryption=pikepdf.Encryption(owner="boss", user=user, R=6)))

    @ALL
    async def test_without_the_password_it_is_asked_for_and_a_wrong_one_is_named(self, convert, engine, target):
        with pytest.raises(PasswordRequired):
            await convert(engine, self.locked("æøå"), "pdf", target)
        with pytest.raises(WrongPassword):
            await convert(engine, self.locked("æøå"), "pdf", target, password="aoa")

    @ALL
    async def test_with_the_password_it_opens_and_one_for_the_owner_alone_is_not_needed(self, convert, engine, target):
        opened = await convert(engine, self.locked("æøå"), "pdf", target, password="æøå")
        by_owner = await convert(engine, self.locked(""), "pdf", target)
        assert all(path.stat().st_size > 100 or target == "txt" for path in (*opened, *by_owner))
        if target == "txt":
            assert MANY_WORDS in opened[0].read_text(encoding="utf-8")
            assert MANY_WORDS in by_owner[0].read_text(encoding="utf-8")

    async def test_an_old_password_of_western_letters_opens(self, convert):
        old = pdf("old", encryption=pikepdf.Encryption(owner="b", user="æøå", R=3, aes=False, metadata=False))
        [product] = await convert(PDFIUM, old, "pdf", "txt", password="æøå")
        assert "old" in product.read_text(encoding="utf-8")


class TestDamage:
    @ALL
    @pytest.mark.parametrize(
        "junk", [b"%PDF-1.7\n", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>"]
    )
    async def test_what_holds_no_page_is_called_damaged(self, convert, engine, target, junk):
        with pytest.raises(CorruptInput):
            await convert(engine, junk, "pdf", target)

    @ALL
    async def test_a_lost_table_of_objects_is_rebuilt(self, convert, engine, target):
        source = pdf(MANY_WORDS, static_id=True, object_stream_mode=pikepdf.ObjectStreamMode.disable)
        damaged = re.sub(rb"startxref\s+\d+", b"startxref\n7", source).replace(b"\nxref\n", b"\nxrxx\n")
        products = await convert(engine, damaged, "pdf", target)
        assert products


@pytest.mark.requirement("B27", "B28")
class TestAttacks:
    @ALL
    @pytest.mark.parametrize(
        "hostile",
        [
            pytest.param(raw_pdf(CATALOG, b"<</Type/Pages/Kids[2 0 R]/Count 1>>"), id="tree-cycle"),
            pytest.param(raw_pdf(CATALOG, ONE_PAGE,
                                 b"<</Type/Page/Parent 3 0 R/Contents 3 0 R>>"), id="parent-cycle"),
            pytest.param(
                raw_pdf(CATALOG, ONE_PAGE,
                        PAGE % b"",
                        stream(b"/Filter[/FlateDecode/FlateDecode/FlateDecode]",
                               zlib.compress(zlib.compress(zlib.compress(bytes(60 << 20), 9), 9), 9))),
                id="flate-chain",
            ),
            pytest.param(
                raw_pdf(CATALOG, ONE_PAGE,
                        PAGE % b"/Resources<</XObject<</I 5 0 R>>>>",
                        stream(b"", b"q 99 0 0 99 0 0 cm /I Do Q"),
                        stream(b"/Type/XObject/Subtype/Image/Width 100000/Height 100000/BitsPerComponent 1"
                               b"/ColorSpace/DeviceGray/Filter/JBIG2Decode", b"\0\0\0\0\x30\0\1" + bytes(40))),
                id="jbig2-flood",
            ),
            pytest.param(
                raw_pdf(CATALOG, ONE_PAGE,
                        PAGE % b"/Resources<</XObject<</F 5 0 R>>>>",
                        stream(b"", b"/F Do"),
                        stream(b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>",
                               b"/F Do /F Do")),
                id="form-cycle",
            ),
        ],
    )  # fmt: skip
    @pytest.mark.sampled(4)
    async def test_a_document_that_never_ends_is_drawn_or_refused_in_time(self, convert, engine, target, hostile):
        began = time.monotonic()
        with suppress(InputError, LimitError):
            await convert(engine, hostile, "pdf", target, limits=replace(TIGHT, wall_seconds=2))
        assert time.monotonic() - began < 20

    @ALL
    async def test_a_million_pages_by_one_page_are_too_many(self, convert, engine, target):
        kids = b"".join(b"3 0 R " for _ in range(100))
        source = raw_pdf(
            CATALOG,
            b"<</Type/Pages/Kids[4 0 R]/Count 1000000>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
            b"<</Type/Pages/Parent 2 0 R/Count 1000000/Kids[" + kids + b"]>>",
        )
        with pytest.raises((TooManyPages, CorruptInput)):
            await convert(engine, source, "pdf", target, limits=TIGHT)

    @ALL
    async def test_scripts_and_launches_do_nothing(self, convert, tmp_path, engine, target):
        canary = tmp_path / "pwned"

        def arm(document):
            launch = pikepdf.Dictionary(S=pikepdf.Name.Launch, F=f"/usr/bin/touch {canary}", Win=pikepdf.Dictionary())
            script = pikepdf.Dictionary(
                S=pikepdf.Name.JavaScript, JS="while(true){} app.launchURL('http://127.0.0.1:9')"
            )
            document.Root.OpenAction = script
            document.pages[0].AA = pikepdf.Dictionary(O=launch)
            document.Root.Names = pikepdf.Dictionary(
                JavaScript=pikepdf.Dictionary(Names=pikepdf.Array(["x", script])),
            )
            document.attachments["../../escaped.txt"] = b"escaped"

        products = await convert(engine, pdf(MANY_WORDS, change=arm), "pdf", target, limits=TIGHT)
        assert not canary.exists()
        assert all("escaped" not in path.name for path in products)


@pytest.mark.engine("ghostscript")
@pytest.mark.requirement("B16")
class TestPostScript:
    page = "/Helvetica findfont 20 scalefont setfont 20 20 moveto ({0}) show showpage\n"

    async def test_an_eps_is_cut_to_its_box(self, convert):
        source = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 120 60\n" + self.page.format("Hi")
        [product] = await convert(Ghostscript(), source.encode(), "eps", "pdf")
        assert re.search(r"Page size: +120 x 60 pts", run("pdfinfo", product))
        assert "Hi" in run("pdftotext", product, "-")

    @pytest.mark.parametrize(
        "attack",
        [
            "({canary}) (r) file 64 string readstring pop",
            "(%pipe%cat {canary}) (r) file 64 string readstring pop",
            "({canary}) run (x)",
            "mark (/tmp/*) {{ == }} 256 string filenameforall (none)",
            "(/etc/passwd) (r) file 64 string readline pop",
        ],
    )
    async def test_a_program_reads_no_file_of_this_machine(self, convert, tmp_path, attack):
        canary = tmp_path / "canary.txt"
        canary.write_text("c0ffee-canary")
        stolen = attack.format(canary=canary)
        source = f"%!PS\n/Helvetica findfont 9 scalefont setfont 9 9 moveto {stolen} show showpage\n"
        try:
            [product] = await convert(Ghostscript(), source.encode(), "ps", "pdf", limits=TIGHT)
        except (CorruptInput, LimitError):
            return
        text = run("pdftotext", product, "-")
        assert "c0ffee" not in text
        assert "root:" not in text

    async def test_a_program_starts_nothing_and_writes_nothing_outside(self, convert, tmp_path):
        pwned = tmp_path / "pwned"
        for attack in (f"(%pipe%touch {pwned}) (w) file", f"({pwned}) (w) file dup (x) writestring closefile"):
            source = f"%!PS\n{{ {attack} }} stopped showpage\n"
            with suppress(CorruptInput, LimitError):
                await convert(Ghostscript(), source.encode(), "ps", "pdf", limits=TIGHT)
            assert not pwned.exists()

    async def test_an_endless_loop_is_ended(self, convert):
        with pytest.raises(Timeout):
            await convert(Ghostscript(), b"%!PS\n{} loop\n", "ps", "pdf", limits=Limits(wall_seconds=3))

    @pytest.mark.parametrize("junk", [b"hello world this is text", b"%!PS\nthis is an error\n"])
    async def test_what_is_no_program_or_fails_is_called_damaged(self, convert, junk):
        with pytest.raises(ConversionError) as caught:
            await convert(Ghostscript(), junk, "ps", "pdf")
        assert caught.value.code == "corrupt_input"
