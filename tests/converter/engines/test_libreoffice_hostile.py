"""Documents that want more than to be converted: nothing they point at is read, called or run.

Two layers are proven apart: the sandbox together with the profile by conversions as they are done in earnest, and
the profile alone by running the same program without a sandbox, beside a stock profile that does take the bait.
"""

import asyncio
import io
import secrets
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from xml.sax.saxutils import quoteattr

import pypdfium2
import pytest
import pytest_asyncio

from filewright.chassis.sandbox.port import Limits
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.libreoffice_installation import installation, write_profile
from filewright.converter.errors import ConversionError, CorruptInput, EngineCrashed

pytestmark = pytest.mark.engine("libreoffice")

NAMESPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "draw": "drawing", "table": "table", "script": "script",
        "svg": "svg-compatible",
    }.items()
) + (
    ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2"'
    ' xmlns:ooo="http://openoffice.org/2004/office" xmlns:dom="http://www.w3.org/2001/xml-events"'
)  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def listener():
    """A server on loopback that notes everything it is asked; `listener.url` leads to it."""

    noted = SimpleNamespace(hits=[], url="")

    async def note(reader, writer):
        noted.hits.append(await reader.read(200))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    noted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield noted
    server.close()
    await server.wait_closed()


@pytest.fixture
def canary(tmp_path):
    """A file that no conversion may read, with a text that nobody can guess."""
    path = tmp_path / "canary.txt"
    path.write_text(secrets.token_hex(16))
    return path


def fodt(body, *, prologue="", scripts=""):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prologue}<office:document {NAMESPACES} office:version="1.2" '
        f'office:mimetype="application/vnd.oasis.opendocument.text">{scripts}<office:body><office:text>'
        f"<text:p>Before</text:p>{body}<text:p>After</text:p></office:text></office:body></office:document>"
    ).encode()


def fods(*formulas):
    rows = "".join(
        f'<table:table-row><table:table-cell table:formula="{formula}" office:value-type="string"/></table:table-row>'
        for formula in formulas
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {NAMESPACES} office:version="1.2" '
        f'office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><office:body><office:spreadsheet>'
        f'<table:table table:name="S"><table:table-row><table:table-cell office:value-type="string"><text:p>Before'
        f"</text:p></table:table-cell></table:table-row>{rows}</table:table></office:spreadsheet></office:body>"
        f"</office:document>"
    ).encode()


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
    '<Override PartName="/word/settings.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.settings+xml"/></Types>'
)


def relationships(*rows):
    links = "".join(
        f'<Relationship Id="{name}" Type="{R}/{kind}" Target="{target}"{mode}/>' for name, kind, target, mode in rows
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{links}</Relationships>'
    )


def docx(body, *, links=(), settings_links=(), prologue=""):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", TYPES)
        package.writestr("_rels/.rels", relationships(("r1", "officeDocument", "word/document.xml", "")))
        package.writestr(
            "word/_rels/document.xml.rels",
            relationships(
                ("s1", "settings", "settings.xml", ""), *((*link, ' TargetMode="External"') for link in links)
            ),
        )
        package.writestr(
            "word/settings.xml", f'<w:settings xmlns:w="{W}" xmlns:r="{R}"><w:attachedTemplate r:id="t1"/></w:settings>'
        )
        package.writestr(
            "word/_rels/settings.xml.rels",
            relationships(*((*link, ' TargetMode="External"') for link in settings_links)),
        )
        package.writestr(
            "word/document.xml",
            f'<?xml version="1.0" encoding="UTF-8"?>{prologue}<w:document xmlns:w="{W}" xmlns:r="{R}"><w:body><w:p>'
            f"<w:r><w:t>Before</w:t></w:r></w:p>{body}<w:p><w:r><w:t>After</w:t></w:r></w:p></w:body></w:document>",
        )
    return made.getvalue()


def picture(link):
    return (
        '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/'
        'wordprocessingDrawing"><wp:extent cx="990000" cy="990000"/><wp:docPr id="1" name="p"/><a:graphic xmlns:a='
        '"http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData uri="http://schemas.openxmlformats.org/'
        'drawingml/2006/picture"><pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        '<pic:nvPicPr><pic:cNvPr id="1" name="p"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill>'
        f'<a:blip r:link="{link}"/></pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="990000" '
        'cy="990000"/></a:xfrm><a:prstGeom prst="rect"/></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline>'
        "</w:drawing></w:r></w:p>"
    )


def word_field(instruction):
    return f"<w:p><w:fldSimple w:instr={quoteattr(instruction)}><w:r><w:t>field</w:t></w:r></w:fldSimple></w:p>"


def everything_in(path):
    """All bytes of a product, with the parts of a package unpacked and the text of a PDF read out."""
    data = path.read_bytes()
    if data.startswith(b"PK"):
        with zipfile.ZipFile(path) as package:
            data += b"".join(package.read(name) for name in package.namelist())
    return data + pdf_text(path).encode() if path.suffix == ".pdf" else data


def pdf_text(path):
    document = pypdfium2.PdfDocument(path)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


def image(href):
    return (
        f'<text:p><draw:frame svg:width="2cm" svg:height="2cm"><draw:image xlink:href="{href}" xlink:type="simple" '
        'xlink:show="embed" xlink:actuate="onLoad"/></draw:frame></text:p>'
    )


def section(href):
    return (
        f'<text:section text:name="s"><text:section-source xlink:href="{href}"/><text:p>stale</text:p></text:section>'
    )


@pytest.mark.requirement("B1", "B4", "B6")
@pytest.mark.parametrize("target", ["pdf", "odt", "docx", "html"])
async def test_links_in_an_opendocument_text_are_not_followed(convert, listener, canary, target):
    hrefs = (
        f"{listener.url}/image", canary.as_uri(), f"{listener.url}/$HOME", "vnd.sun.star.expand:$HOME/x",
        f"vnd.sun.star.expand:{canary.as_uri()}", "vnd.sun.star.pkg://file%3A%2F%2F/x",
    )  # fmt: skip
    body = "".join(image(href) + section(href) for href in hrefs)
    [product] = await convert(LibreOffice(), fodt(body), "fodt", target)
    assert b"After" in everything_in(product)
    assert canary.read_text().encode() not in everything_in(product)
    assert listener.hits == []


@pytest.mark.requirement("B2", "B4")
@pytest.mark.parametrize("target", ["pdf", "odt"])
async def test_links_in_a_word_document_are_not_followed(convert, listener, canary, target):
    body = "".join(
        [
            picture("i1"),
            picture("i2"),
            word_field(f'INCLUDEPICTURE "{listener.url}/field" \\d'),
            word_field(f'INCLUDETEXT "{canary}"'),
            word_field(f'DDEAUTO soffice "{canary}" "x"'),
        ]
    )
    document = docx(
        body,
        links=[("i1", "image", f"{listener.url}/blip"), ("i2", "image", canary.as_uri())],
        settings_links=[("t1", "attachedTemplate", f"{listener.url}/template.dotm")],
    )
    [product] = await convert(LibreOffice(), document, "docx", target)
    assert b"After" in everything_in(product)
    assert canary.read_text().encode() not in everything_in(product)
    assert listener.hits == []


@pytest.mark.requirement("B5")
@pytest.mark.parametrize("target", ["pdf", "csv", "xlsx"])
async def test_formulas_of_a_sheet_reach_nothing_outside(convert, listener, canary, target):
    sheet = fods(
        f"of:=WEBSERVICE(&quot;{listener.url}/formula&quot;)",
        f"of:=WEBSERVICE(&quot;{canary.as_uri()}&quot;)",
        f"of:=['{canary.as_uri()}'#$Sheet1.A1]",
        f"of:=['{listener.url}/book.ods'#$Sheet1.A1]",
        f"of:=DDE(&quot;soffice&quot;;&quot;{canary}&quot;;&quot;A1&quot;)",
    )
    [product] = await convert(LibreOffice(), sheet, "fods", target)
    assert b"Before" in everything_in(product)
    assert canary.read_text().encode() not in everything_in(product)
    assert listener.hits == []


MACRO = """
<office:scripts><office:script script:language="ooo:Basic"><ooo:libraries><ooo:library-embedded ooo:name="Standard">
<ooo:module ooo:name="M"><ooo:source-code>
Sub Go
  Dim folder
  folder = ConvertFromURL(Left(ThisComponent.URL, Len(ThisComponent.URL) - Len("in/input.fodt")) &amp; "out/pwned.txt")
  Open folder For Output As #1
  Print #1, "pwned"
  Close #1
End Sub
</ooo:source-code></ooo:module></ooo:library-embedded></ooo:libraries></office:script>
<office:event-listeners>
<script:event-listener script:language="ooo:script" script:event-name="dom:load"
 xlink:href="vnd.sun.star.script:Standard.M.Go?language=Basic&amp;location=document" xlink:type="simple"/>
<script:event-listener script:language="ooo:script" script:event-name="office:load-finished"
 xlink:href="vnd.sun.star.script:Standard.M.Go?language=Basic&amp;location=document" xlink:type="simple"/>
</office:event-listeners></office:scripts>
"""


@pytest.mark.requirement("B7")
async def test_a_macro_that_waits_for_the_document_to_open_does_not_run(convert):
    [product] = await convert(LibreOffice(), fodt("", scripts=MACRO), "fodt", "pdf")
    assert [path.name for path in product.parent.iterdir()] == [product.name]


LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 11)
)  # 10 levels of 10: ten thousand million words


@pytest.mark.requirement("B22", "B23")
@pytest.mark.parametrize("form", ["docx", "fodt"])
async def test_entities_neither_grow_nor_bring_files_in(convert, listener, canary, form):
    for prologue, use in (
        (f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]>', "&l10;"),
        (f'<!DOCTYPE x [<!ENTITY e SYSTEM "{canary.as_uri()}">]>', "&e;"),
        (f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{listener.url}/dtd"> %p;]>', ""),
    ):
        if form == "docx":
            document = docx(f"<w:p><w:r><w:t>{use}</w:t></w:r></w:p>", prologue=prologue)
        else:
            document = fodt(f"<text:p>{use}</text:p>", prologue=prologue)
        try:
            [product] = await convert(
                LibreOffice(), document, form, "pdf", limits=Limits(wall_seconds=30, memory_bytes=1 << 30)
            )
        except (CorruptInput, EngineCrashed):
            continue
        assert canary.read_text() not in pdf_text(product)
        assert len(pdf_text(product)) < 10_000
    assert listener.hits == []


@pytest.mark.requirement("B24")
async def test_a_part_that_unpacks_to_hundreds_of_megabytes_ends_within_its_limits(convert, tmp_path):
    bomb = tmp_path / "bomb.docx"
    with zipfile.ZipFile(io.BytesIO(docx(""))) as small, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package:
        for name in small.namelist():
            if name != "word/document.xml":
                package.writestr(name, small.read(name))
        with package.open("word/document.xml", "w", force_zip64=True) as part:
            part.write(f'<w:document xmlns:w="{W}"><w:body><w:p><w:r><w:t>'.encode())
            for _ in range(300):
                part.write(b" " * (1 << 20))
            part.write(b"</w:t></w:r></w:p></w:body></w:document>")
    limits = Limits(wall_seconds=20, cpu_seconds=20, memory_bytes=512 << 20)
    with suppress(ConversionError):
        await convert(LibreOffice(), bomb, "docx", "pdf", limits=limits)
    [product] = await convert(LibreOffice(), docx(""), "docx", "pdf")
    assert "After" in pdf_text(product)


@pytest.mark.requirement("B1", "B2")
async def test_the_profile_alone_keeps_links_from_being_followed(listener, tmp_path):
    document = tmp_path / "bait.fodt"
    document.write_bytes(fodt(image(f"{listener.url}/bait")))
    found = installation()

    await open_without_a_sandbox(found.program, tmp_path / "stock", document)
    assert listener.hits, "the bait is not taken even by a stock profile: this test proves nothing"

    listener.hits.clear()
    write_profile(tmp_path / "ours", found)
    await open_without_a_sandbox(found.program, tmp_path / "ours", document)
    assert listener.hits == []


async def open_without_a_sandbox(program: Path, profile: Path, document: Path) -> None:
    profile.mkdir(exist_ok=True)
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            program, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--convert-to", "pdf",
            "--outdir", document.parent / f"from-{profile.name}", document,
            env={"HOME": str(profile), "PATH": "/usr/bin:/bin"}, stdout=-3, stderr=-3,
        )  # fmt: skip
        if await process.wait() != 81:
            return
