# ruff: noqa: E501 - a payload reads best in one piece
"""Zip packages and the XML inside office documents, books and maps: the material of many attacks."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {"office": "office", "text": "text", "draw": "drawing", "table": "table", "script": "script",
                         "svg": "svg-compatible", "form": "form"}.items()
) + (
    ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2"'
    ' xmlns:ooo="http://openoffice.org/2004/office" xmlns:dom="http://www.w3.org/2001/xml-events"'
)  # fmt: skip
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument"
XML = '<?xml version="1.0" encoding="UTF-8"?>'


def zipped(members: Mapping[str, str | bytes], *, stored: tuple[str, ...] = ()) -> bytes:
    """A package. `stored` members are not compressed, as `mimetype` must be."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in members.items():
            package.writestr(name, data, zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED)
    return made.getvalue()


def relationships(*rows: tuple[str, str, str], external: bool = False) -> str:
    mode = ' TargetMode="External"' if external else ""
    links = "".join(f'<Relationship Id="{i}" Type="{R}/{kind}" Target="{to}"{mode}/>' for i, kind, to in rows)
    return f'{XML}<Relationships xmlns="{_P}/relationships">{links}</Relationships>'


def _types(**parts: str) -> str:
    rows = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in parts.items())
    return (
        f'{XML}<Types xmlns="{_P}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
        f'package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="png" ContentType="image/png"/><Default Extension="bin" ContentType='
        f'"application/vnd.ms-office.vbaProject"/>{rows}</Types>'
    )


def docx(
    body: str = "",
    *,
    prologue: str = "",
    more: Mapping[str, str | bytes] | None = None,
    links: str = "",
    words: str = "Harmless",
    kind: str = "",
) -> bytes:
    """`links` is the document's relationships part, whole."""
    main = kind or f"{_TYPE}.wordprocessingml.document.main+xml"
    return zipped({
        "[Content_Types].xml": _types(**{"word/document.xml": main, **({
            "word/settings.xml": f"{_TYPE}.wordprocessingml.settings+xml"} if "word/settings.xml" in (more or {}) else {})}),
        "_rels/.rels": relationships(("r1", "officeDocument", "word/document.xml")),
        **({"word/_rels/document.xml.rels": links} if links else {}),
        "word/document.xml": f'{XML}{prologue}<w:document xmlns:w="{W}" xmlns:r="{R}"><w:body><w:p><w:r><w:t>{words}'
                             f"</w:t></w:r></w:p>{body}<w:p><w:r><w:t>After</w:t></w:r></w:p></w:body></w:document>",
        **(more or {}),
    })  # fmt: skip


def word_picture(attribute: str, link: str) -> str:
    """`attribute` is `link` for one that lies elsewhere, `embed` for one inside."""
    pic = "http://schemas.openxmlformats.org/drawingml/2006/picture"
    return (
        '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/'
        f'wordprocessingDrawing"><wp:extent cx="990000" cy="990000"/><wp:docPr id="1" name="p"/><a:graphic xmlns:a="{A}">'
        f'<a:graphicData uri="{pic}"><pic:pic xmlns:pic="{pic}"><pic:nvPicPr><pic:cNvPr id="1" name="p"/><pic:cNvPicPr/>'
        f'</pic:nvPicPr><pic:blipFill><a:blip r:{attribute}="{link}"/></pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"'
        '/><a:ext cx="990000" cy="990000"/></a:xfrm><a:prstGeom prst="rect"/></pic:spPr></pic:pic></a:graphicData>'
        "</a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )


def xlsx(rows: str = "", *, prologue: str = "", strings: str = "Harmless", more: Mapping[str, str | bytes] | None = None,
         dimension: str = "A1:B2", links: str = "", workbook: str = "") -> bytes:  # fmt: skip
    """One sheet; the first cell is the shared string."""
    sheet = f"{_TYPE}.spreadsheetml"
    return zipped({
        "[Content_Types].xml": _types(**{"xl/workbook.xml": f"{sheet}.sheet.main+xml",
                                         "xl/worksheets/sheet1.xml": f"{sheet}.worksheet+xml",
                                         "xl/sharedStrings.xml": f"{sheet}.sharedStrings+xml",
                                         "xl/externalLinks/externalLink1.xml": f"{sheet}.externalLink+xml"}),
        "_rels/.rels": relationships(("r1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'{XML}<workbook xmlns="{S}" xmlns:r="{R}"><sheets><sheet name="S" sheetId="1" r:id="r1"/>'
                           f"</sheets>{workbook}</workbook>",
        "xl/_rels/workbook.xml.rels": relationships(("r1", "worksheet", "worksheets/sheet1.xml"),
                                                    ("r2", "sharedStrings", "sharedStrings.xml"),
                                                    ("r3", "externalLink", "externalLinks/externalLink1.xml")),
        "xl/externalLinks/externalLink1.xml": f'{XML}<externalLink xmlns="{S}" xmlns:r="{R}"><externalBook r:id="r1"/>'
                                              "</externalLink>",
        "xl/externalLinks/_rels/externalLink1.xml.rels": links or relationships(),
        "xl/sharedStrings.xml": f'{XML}{prologue}<sst xmlns="{S}" count="1" uniqueCount="1"><si><t>{strings}</t></si></sst>',
        "xl/worksheets/sheet1.xml": f'{XML}<worksheet xmlns="{S}" xmlns:r="{R}"><dimension ref="{dimension}"/><sheetData>'
                                    f'<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"><v>7</v></c></row>{rows}'
                                    "</sheetData></worksheet>",
        **(more or {}),
    })  # fmt: skip


def pptx(links: str, shapes: str) -> bytes:
    """One slide with these shapes; `links` is the slide's relationships part."""
    p = "http://schemas.openxmlformats.org/presentationml/2006/main"
    kind = f"{_TYPE}.presentationml"
    tree = (
        '<p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>{}'
        "</p:spTree></p:cSld>"
    )
    words = (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="t"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm><a:off x="0" y="0"/>'
        '<a:ext cx="5000000" cy="900000"/></a:xfrm><a:prstGeom prst="rect"/></p:spPr><p:txBody><a:bodyPr/><a:p><a:r><a:t>'
        "Harmless</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    root = f'xmlns:p="{p}" xmlns:a="{A}" xmlns:r="{R}"'
    return zipped({
        "[Content_Types].xml": _types(**{"ppt/presentation.xml": f"{kind}.presentation.main+xml",
                                         "ppt/slides/slide1.xml": f"{kind}.slide+xml",
                                         "ppt/slideLayouts/slideLayout1.xml": f"{kind}.slideLayout+xml",
                                         "ppt/slideMasters/slideMaster1.xml": f"{kind}.slideMaster+xml"}),
        "_rels/.rels": relationships(("r1", "officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f'{XML}<p:presentation {root}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="m1"/>'
                                '</p:sldMasterIdLst><p:sldIdLst><p:sldId id="256" r:id="s1"/></p:sldIdLst><p:sldSz '
                                'cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>',
        "ppt/_rels/presentation.xml.rels": relationships(("s1", "slide", "slides/slide1.xml"),
                                                         ("m1", "slideMaster", "slideMasters/slideMaster1.xml")),
        "ppt/slides/slide1.xml": f"{XML}<p:sld {root}>{tree.format(words + shapes)}</p:sld>",
        "ppt/slides/_rels/slide1.xml.rels": links,
        "ppt/slideLayouts/slideLayout1.xml": f"{XML}<p:sldLayout {root}>{tree.format('')}</p:sldLayout>",
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": relationships(
            ("m1", "slideMaster", "../slideMasters/slideMaster1.xml")),
        "ppt/slideMasters/slideMaster1.xml": f'{XML}<p:sldMaster {root}>{tree.format("")}<p:clrMap bg1="lt1" tx1="dk1" '
            'bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" accent4="accent4" accent5="accent5" '
            'accent6="accent6" hlink="hlink" folHlink="folHlink"/><p:sldLayoutIdLst><p:sldLayoutId id="2147483649" '
            'r:id="l1"/></p:sldLayoutIdLst></p:sldMaster>',
        "ppt/slideMasters/_rels/slideMaster1.xml.rels": relationships(
            ("l1", "slideLayout", "../slideLayouts/slideLayout1.xml")),
    })  # fmt: skip


def slide_picture(attribute: str, link: str) -> str:
    return (
        '<p:pic><p:nvPicPr><p:cNvPr id="9" name="p"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr><p:blipFill>'
        f'<a:blip r:{attribute}="{link}"/><a:stretch><a:fillRect/></a:stretch></p:blipFill><p:spPr><a:xfrm><a:off x="0" '
        'y="0"/><a:ext cx="900000" cy="900000"/></a:xfrm><a:prstGeom prst="rect"/></p:spPr></p:pic>'
    )


def opendocument(kind: str, body: str, *, prologue: str = "", scripts: str = "", flat: bool = False,
                 more: Mapping[str, str | bytes] | None = None) -> bytes:  # fmt: skip
    """`kind` is `text` or `spreadsheet`."""
    media = f"application/vnd.oasis.opendocument.{kind}"
    inner = f"{scripts}<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    if flat:
        return (f'{XML}{prologue}<office:document {NAMES} office:version="1.2" office:mimetype="{media}">{inner}'
                "</office:document>").encode()  # fmt: skip
    rows = "".join(f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type=""/>' for name in more or {})
    manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    return zipped({
        "mimetype": media,
        "META-INF/manifest.xml": f'{XML}<manifest:manifest xmlns:manifest="{manifest}" manifest:version="1.2">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{media}"/><manifest:file-entry '
            f'manifest:full-path="content.xml" manifest:media-type="text/xml"/>{rows}</manifest:manifest>',
        "content.xml": f'{XML}{prologue}<office:document-content {NAMES} office:version="1.2">{inner}'
                       "</office:document-content>",
        **(more or {}),
    }, stored=("mimetype",))  # fmt: skip


def epub(chapter: str, *, container: str = "", spine: str = "c.xhtml", style: str = "",
         more: Mapping[str, str | bytes] | None = None) -> bytes:  # fmt: skip
    """`container` is a prologue of container.xml."""
    return zipped({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'{XML}{container}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:'
            'container"><rootfiles><rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles>'
            "</container>",
        "c.opf": f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata xmlns:dc='
            '"http://purl.org/dc/elements/1.1/"><dc:identifier id="i">x</dc:identifier><dc:title>T</dc:title><dc:language>en'
            f'</dc:language></metadata><manifest><item id="c" href="{spine}" media-type="application/xhtml+xml"/>'
            '<item id="d" href="c.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="c"/>'
            '<itemref idref="d"/></spine></package>',
        "c.xhtml": f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>T</title>{style}</head><body><p>Harmless'
                   f"</p>{chapter}</body></html>",
        **(more or {}),
    }, stored=("mimetype",))  # fmt: skip


def deflated_zeros(size: int) -> bytes:
    """A zlib stream that unpacks to that many zeros; built in no time, without ever holding them."""
    return b"\x78\xda" + raw_zeros(size) + struct.pack(">HH", size % 65_521, 1)


def gzipped_zeros(size: int) -> bytes:
    """The same for gzip."""
    crc = 0
    for _ in range(size >> 20):
        crc = zlib.crc32(_MEBIBYTE, crc)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + raw_zeros(size) + struct.pack("<II", crc, size & 0xFFFFFFFF)


def raw_zeros(size: int) -> bytes:
    """A bare deflate stream. A block that ends with a full flush depends on nothing before it, so one serves for all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(_MEBIBYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (size >> 20) + packer.flush()


_MEBIBYTE = b"\0" * (1 << 20)


def zip_of_a_bomb(members: Mapping[str, str | bytes], name: str, size: int, head: bytes, tail: bytes) -> bytes:
    """A package of which the member `name` is `head`, then that many spaces, then `tail`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        for other, data in members.items():
            if other != name:
                package.writestr(other, data)
        with package.open(name, "w", force_zip64=True) as part:
            part.write(head)
            for _ in range(size >> 20):
                part.write(b" " * (1 << 20))
            part.write(tail)
    return made.getvalue()


def members_of(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 4, height: int = 4, *, before: bytes = b"", pixels: bytes | None = None) -> bytes:
    """Grey. `before` are chunks between the header and the pixels."""
    rows = pixels if pixels is not None else zlib.compress((b"\0" + b"\x80" * width) * height)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
