"""What is said of a PDF beside the document it was made of: by LibreOffice, of fonts that are here and that are not."""

import io
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import docx
import openpyxl
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from filewright.chassis.sandbox.port import Sandbox
from filewright.converter.conversion import converter
from filewright.converter.conversion.fidelity import MEASURED, Fidelity, Substitution, fidelity_of, is_measured
from filewright.converter.conversion.inside.fidelity import measure, opendocument, richtext, sheets, slides, word
from filewright.converter.conversion.inside.fidelity.package import Package, parsed
from filewright.converter.conversion.inside.fidelity.told import NotMeasured, Patience, Told
from filewright.converter.conversion.inside.fidelity.words import recall
from filewright.converter.conversion.orders import Assignment, Converted
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.tiers import LOCAL

_LINEAR_B = "\U00010000\U00010001"
"""Letters that hardly any font has."""


@pytest.fixture
def to_pdf(
    sandbox: Sandbox, cold_office: None, new_workspace: Callable[[], Path], tmp_path: Path
) -> Callable[..., Awaitable[Converted]]:
    async def converted(data: bytes, name: str, **more: object) -> Converted:
        source = tmp_path / "source"
        source.write_bytes(data)
        assignment = Assignment(source, name, "pdf", LOCAL, **more)  # type: ignore[arg-type]
        made = converter.Converter(Registry(standard_engines()), sandbox)
        return await made.convert(assignment, workspace=new_workspace())

    return converted


def saved(made: object) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def written(*runs: tuple[str, str]) -> bytes:
    """A Word document with a paragraph for each text and its font."""
    document = docx.Document()
    for font, text in runs:
        document.add_paragraph().add_run(text).font.name = font
    return saved(document)


def told(read: Callable[[Package, Told], None], data: bytes) -> Told:
    made = Told(Patience(60))
    with Package(io.BytesIO(data)) as package:  # type: ignore[arg-type]
        read(package, made)
    return made


@pytest.mark.engine("libreoffice")
async def test_fonts_and_letters_that_are_not_here_are_told(to_pdf) -> None:
    done = await to_pdf(
        written(
            ("Liberation Serif", "Right as written"),
            ("Calibri", "Much alike"),
            ("Papyrus", "Something quaint"),
            ("Liberation Sans", f"boxes {_LINEAR_B}"),
        ),
        "letter.docx",
    )
    assert done.fidelity is not None
    assert (done.fidelity.pages, done.fidelity.words) == (1, 9)
    assert 0.85 < done.fidelity.text_recall < 1
    assert done.fidelity.missing_glyphs == len(_LINEAR_B)
    instead = {font.asked: font.got for font in done.fidelity.substituted_fonts}
    assert set(instead) == {"Calibri", "Papyrus"}
    assert instead["Calibri"] == "Carlito"
    assert instead["Papyrus"]


@pytest.mark.engine("libreoffice")
async def test_the_font_of_numbers_is_told_although_no_word_shows_it(to_pdf) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append([6.75, 12])
    done = await to_pdf(saved(workbook), "sums.xlsx")
    assert done.fidelity == Fidelity(1, 0, None, 0, (Substitution("Calibri", "Carlito"),))


def test_each_format_that_is_measured_has_a_reader() -> None:
    assert set(measure.READERS) == MEASURED


@pytest.mark.parametrize(("source", "target", "options", "size", "wanted"), [
    ("docx", "pdf", {}, 1, True), ("docx", "pdf", {"tagged": True}, 1, True), ("docx", "txt", {}, 1, False),
    ("png", "pdf", {}, 1, False), ("xlsx", "pdf", {"sheet": 2}, 1, False), ("docx", "pdf", {}, 1 << 40, False),
    ("docx", "pdf", {"pages": "1-2"}, 1, False), ("docx", "pdf", {"preview": True}, 1, False),
])  # fmt: skip
def test_only_whole_office_documents_that_became_a_pdf_are_measured(source, target, options, size, wanted) -> None:
    assert is_measured(source, target, options, size=size) is wanted


def test_defaults_ask_for_no_part() -> None:
    """Jobs keep their options with the defaults filled in."""
    for engine in standard_engines():
        for conversion in engine.conversions:
            if conversion.target == "pdf" and conversion.source in MEASURED:
                defaults = {name: schema.get("default") for name, schema in conversion.options.items()}
                assert is_measured(conversion.source, "pdf", defaults, size=1), (engine.name, conversion)


@pytest.mark.parametrize(
    ("said", "shown", "count", "part"),
    [
        (["One two", "three"], "one TWO\nthree", 3, 1.0),
        (["Eins zwei drei vier"], "Eins zwei vier", 4, 0.75),
        (["twice twice"], "twice", 2, 0.5),
        (["a hyphenated word"], "a hyphen-\nated word", 3, 1.0),
        (["the office"], "the o\ufb03ce", 2, 1.0),
        (["Übergröße"], "U\u0308bergro\u0308ße", 1, 1.0),
        (["日本語"], "日\n本", 3, 2 / 3),
        (["\u0645\u0631\u062d\u0628\u0627"], "\ufee3\ufeae\ufea3\ufe92\ufe8e", 1, 1.0),
    ],
)
def test_words_are_found_as_people_read_them(said, shown, count, part) -> None:
    assert recall(said, shown) == (count, pytest.approx(part))


def test_a_document_without_words_has_no_recall() -> None:
    assert recall(["  ", "--"], "something") is None


def test_what_a_word_document_hides_deletes_or_numbers_need_not_be_seen() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Seen ")
    paragraph.add_run("unseen").font.hidden = True
    for part, text in (("begin", None), (None, " PAGE "), ("separate", None), ("", "17"), ("end", None)):
        mark = OxmlElement("w:instrText" if part is None else "w:t" if part == "" else "w:fldChar")
        mark.text = text
        if part:
            mark.set(qn("w:fldCharType"), part)
        paragraph.add_run()._r.append(mark)
    deletion = OxmlElement("w:del")
    run, text = OxmlElement("w:r"), OxmlElement("w:delText")
    text.text = "deleted"
    run.append(text)
    deletion.append(run)
    paragraph._p.append(deletion)
    document.add_table(1, 1).cell(0, 0).text = "in a cell"
    document.sections[0].header.paragraphs[0].text = "on top"
    assert told(word.read, saved(document)).paragraphs == ["Seen ", "in a cell", "on top"]


def test_a_run_has_its_font_from_its_style_when_it_says_none_itself() -> None:
    document = docx.Document()
    document.styles["Normal"].font.name = "Garamond"
    document.styles["Quote"].font.name = "Optima"
    document.add_paragraph("of the usual style")
    document.add_paragraph("of another style", style="Quote")
    document.add_paragraph().add_run("of its own").font.name = "Futura"
    document.add_paragraph("日本語")
    asked = told(word.read, saved(document)).asked
    assert {"Garamond", "Optima", "Futura"} <= set(asked)
    assert asked["Optima"] == ["another", "style"]
    assert "日本語" not in asked["Garamond"]


def test_of_a_workbook_the_shown_and_printed_words_are_wanted() -> None:
    workbook = openpyxl.Workbook()
    first = workbook.active
    first.append(["shown", "hidden column", 12])
    first.append(["hidden row"])
    first["A3"], first["A9"] = "last printed", "not printed"
    first["A3"].font = openpyxl.styles.Font(name="Futura")
    first.column_dimensions["B"].hidden = True
    first.row_dimensions[2].hidden = True
    first.print_area = "A1:C3"
    other = workbook.create_sheet("other")
    other["A1"] = "hidden sheet"
    other.sheet_state = "hidden"
    found = told(sheets.read, saved(workbook))
    assert found.paragraphs == ["shown", "last printed"]
    assert found.asked["Futura"] == ["last", "printed"]


_P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def a_show() -> bytes:
    """Two slides, of which the second is hidden; title and body have their fonts from the master and the theme."""

    def related(**targets: str) -> str:
        entries = "".join(
            f'<Relationship Id="{name}" Type="{_KIND}/{name.rstrip("0123456789")}" Target="{target}"/>'
            for name, target in targets.items()
        )
        return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{entries}</Relationships>'

    def slide(title: str, body: str, show: str) -> str:
        return (
            f'<p:sld {_P} {_A} show="{show}"><p:cSld><p:spTree>'
            '<p:sp><p:nvSpPr><p:nvPr><p:ph type="title"/></p:nvPr></p:nvSpPr>'
            f"<p:txBody><a:p><a:r><a:t>{title}</a:t></a:r></a:p></p:txBody></p:sp>"
            '<p:sp><p:nvSpPr><p:nvPr><p:ph idx="1"/></p:nvPr></p:nvSpPr><p:txBody><a:p>'
            f'<a:r><a:t>{body}</a:t></a:r><a:r><a:rPr><a:latin typeface="Futura"/></a:rPr><a:t>own</a:t></a:r>'
            '<a:fld type="slidenum"><a:t>7</a:t></a:fld></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>'
        )

    parts = {
        "_rels/.rels": related(officeDocument="ppt/presentation.xml"),
        "ppt/presentation.xml": f'<p:presentation {_P} {_R}><p:sldIdLst><p:sldId r:id="slide1"/>'
        '<p:sldId r:id="slide2"/></p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": related(slide1="slides/1.xml", slide2="slides/2.xml"),
        "ppt/slides/1.xml": slide("Heading", "body ", "1"),
        "ppt/slides/2.xml": slide("Hidden", "away", "0"),
        "ppt/slides/_rels/1.xml.rels": related(slideLayout="../layout.xml"),
        "ppt/slides/_rels/2.xml.rels": related(slideLayout="../layout.xml"),
        "ppt/layout.xml": f"<p:sldLayout {_P}/>",
        "ppt/_rels/layout.xml.rels": related(slideMaster="master.xml"),
        "ppt/master.xml": f"<p:sldMaster {_P} {_A}><p:txStyles><p:titleStyle><a:lvl1pPr><a:defRPr>"
        '<a:latin typeface="+mj-lt"/></a:defRPr></a:lvl1pPr></p:titleStyle><p:bodyStyle><a:lvl1pPr><a:defRPr>'
        '<a:latin typeface="Optima"/></a:defRPr></a:lvl1pPr></p:bodyStyle></p:txStyles></p:sldMaster>',
        "ppt/_rels/master.xml.rels": related(theme="theme.xml"),
        "ppt/theme.xml": f'<a:theme {_A}><a:majorFont><a:latin typeface="Garamond"/></a:majorFont>'
        '<a:minorFont><a:latin typeface="Bembo"/></a:minorFont></a:theme>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return buffer.getvalue()


def test_of_a_show_the_slides_that_are_shown_are_wanted_in_the_fonts_they_inherit() -> None:
    found = told(slides.read, a_show())
    assert found.paragraphs == ["Heading", "body own"]
    assert found.asked == {"Garamond": ["Heading"], "Optima": ["body"], "Futura": ["own"]}


def _names(*names: str) -> str:
    return " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)


_FLAT = f"""<office:document {_names("office", "text", "style", "table")}
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0">
<office:font-face-decls><style:font-face style:name="F" svg:font-family="'Fira Code'"/></office:font-face-decls>
<office:styles>
<style:default-style style:family="paragraph"><style:text-properties style:font-name="Bembo"/></style:default-style>
<style:style style:name="Base" style:family="paragraph"><style:text-properties style:font-name="F"/></style:style>
</office:styles><office:automatic-styles>
<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Base"/>
<style:style style:name="H" style:family="text"><style:text-properties text:display="none"/></style:style>
</office:automatic-styles><office:body><office:text>
<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>
<text:p text:style-name="P1">in<text:s/>code <text:span text:style-name="H">secret</text:span></text:p>
<text:p>page <text:page-number>9</text:page-number>plain<text:note><text:note-citation>1</text:note-citation>
<text:note-body><text:p>a note</text:p></text:note-body></text:note></text:p>
<office:annotation><text:p>remark</text:p></office:annotation>
<table:table><table:table-row>
<table:table-cell office:value-type="float"><text:p>12</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>cell</text:p></table:table-cell>
</table:table-row></table:table></office:text></office:body></office:document>"""


def test_of_an_opendocument_what_is_seen_is_wanted_in_the_fonts_of_its_styles() -> None:
    found = Told(Patience(60))
    opendocument.read_flat(parsed(_FLAT.encode()), found)
    assert [text.strip() for text in found.paragraphs] == ["in code", "a note", "page plain", "cell"]
    assert found.asked == {"Fira Code": ["code"], "Bembo": ["page", "plain", "note", "cell"]}


_RTF = rb"""{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\froman Bembo{\*\falt Garamond};}{\f1\fcharset204 Futura;}
{\f2\fcharset2 Wingdings;}}{\colortbl;\red0;}{\stylesheet{\s0 Normal;}}{\info{\title not seen}}
{\header not on the page}\pard\plain In \'dcbersicht{\v  hidden}{\deleted  gone} \{end\}\par
{\f1 \'cf\'f0\'e8\'e2\'e5\'f2} \u26085?\u26412? and {\uc0\u55357\u56832}{\f2 lmn}\par
{\field{\*\fldinst PAGE}{\fldrslt 17}}{\listtext 1.}item{\footnote a note}{\pict 0102}\cell cell\row}"""


def test_of_rich_text_the_running_text_is_wanted_in_its_fonts(tmp_path: Path) -> None:
    path, found = tmp_path / "a.rtf", Told(Patience(60))
    path.write_bytes(_RTF)
    richtext.read(path, found)
    assert [text.strip() for text in found.paragraphs] == [
        "In \u00dcbersicht {end}",
        "\u041f\u0440\u0438\u0432\u0435\u0442 \u65e5\u672c and \U0001f600",
        "item",
        "cell",
    ]
    assert found.asked["Futura"] == ["\u041f\u0440\u0438\u0432\u0435\u0442"]
    assert {"\u00dcbersicht", "and", "item", "cell"} <= set(found.asked["Bembo"])
    assert set(found.asked) == {"Bembo", "Futura"}


@pytest.mark.parametrize("data", [b"", b"{\\pict", b"{\\rtf1" + b"{" * 600])
def test_what_is_no_rich_text_or_too_deep_is_not_measured(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(data)
    with pytest.raises(NotMeasured):
        richtext.read(path, Told(Patience(60)))


@pytest.mark.long
@pytest.mark.engine("libreoffice")
async def test_rich_text_that_became_a_pdf_is_held_against_it(to_pdf) -> None:
    running = _RTF.partition(rb"{\field")[0].replace(rb"{\header not on the page}", b"") + b"}"
    done = await to_pdf(running, "letter.rtf")
    assert (done.fidelity.pages, done.fidelity.words, done.fidelity.text_recall) == (1, 7, 1.0)
    assert {font.asked for font in done.fidelity.substituted_fonts} == {"Bembo", "Futura"}


@pytest.mark.parametrize("damage", [
    "words", None, [], {"pages": 1}, {"pages": -1, "words": 1, "missing_glyphs": 0, "substituted_fonts": []},
    {"pages": 1, "words": 1, "missing_glyphs": 0, "text_recall": 7, "substituted_fonts": []},
    {"pages": 1, "words": 1, "missing_glyphs": 1e9, "text_recall": 1, "substituted_fonts": []},
])  # fmt: skip
def test_a_measurement_of_another_shape_is_none(damage) -> None:
    assert fidelity_of(damage) is None


def test_the_names_of_fonts_are_made_fit_to_be_shown() -> None:
    fonts = [{"asked": "Ev\x1b[31mil" + "x" * 99, "got": 7}, {"asked": "\n"}, "font"]
    found = fidelity_of({"pages": 1, "words": 0, "missing_glyphs": 0, "text_recall": None, "substituted_fonts": fonts})
    assert found is not None
    assert found.substituted_fonts == (Substitution("Ev[31mil" + "x" * 56, None),)


def test_what_would_take_too_long_is_not_measured(tmp_path: Path) -> None:
    spent = Told(Patience(-1))
    with pytest.raises(NotMeasured), Package(io.BytesIO(a_show())) as package:  # type: ignore[arg-type]
        slides.read(package, spent)


def test_a_document_of_far_too_many_words_is_not_measured() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("content.xml", b" " * (1 << 25))
    with pytest.raises(NotMeasured):
        told(opendocument.read, buffer.getvalue())
