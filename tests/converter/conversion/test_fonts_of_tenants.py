"""A document that asks for a font which is its owner's own: that owner's PDF has it, nobody else's does."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest

from filewright.chassis.sandbox.port import Command, Ending, Limits
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Converted
from filewright.converter.engines import libreoffice_warm
from filewright.converter.engines.font_packs import FontPack
from filewright.converter.engines.libreoffice_office import ColdOffice
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.tiers import LOCAL
from fontkit import font

FAMILY, POSTSCRIPT = "Quillmark Display", "QMD-Rg"


@pytest.fixture
def pack(jobs_dir: Path) -> Iterator[FontPack]:
    made = FontPack(jobs_dir.resolve() / ".fonts-of-alice", {FAMILY: (POSTSCRIPT,)})
    made.files.mkdir(parents=True)
    (made.files / "font.ttf").write_bytes(font(FAMILY, postscript=POSTSCRIPT))
    made.write_configuration(None)
    yield made
    shutil.rmtree(made.place)


def letter() -> bytes:
    document = docx.Document()
    document.add_paragraph().add_run("In a font of my own").font.name = FAMILY
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def fonts_in(pdf: Path) -> str:
    """As poppler tells them: name, kind, and whether the PDF has them in it."""
    return subprocess.run(["pdffonts", str(pdf)], check=True, capture_output=True, text=True).stdout


def asked_for(converted: Converted) -> list[str]:
    assert converted.fidelity is not None
    return [font.asked for font in converted.fidelity.substituted_fonts]


@pytest.fixture
def to_pdf(sandbox, new_workspace, tmp_path):
    async def converted(data: bytes, name: str, fonts: FontPack | None, engine: str = "") -> Converted:
        source = tmp_path / "source"
        source.write_bytes(data)
        engines = [found for found in standard_engines() if not engine or found.name == engine]
        converter = Converter(Registry(engines), sandbox)
        options = converter.plan(name.rpartition(".")[2], "pdf").options  # as a job has them
        assignment = Assignment(source, name, "pdf", LOCAL, options=options, fonts=fonts)
        return await converter.convert(assignment, workspace=new_workspace())

    return converted


async def whose_font_is_in_it(to_pdf, pack: FontPack) -> None:
    """Somebody else's document before and after, so that nothing stays behind and nothing is missed."""
    for fonts in (None, pack, None):
        done = await to_pdf(letter(), "letter.docx", fonts)
        shown = fonts_in(done.products[0].path)
        assert (POSTSCRIPT in shown, asked_for(done)) == ((True, []) if fonts else (False, [FAMILY])), shown
        if fonts:
            [line] = [line for line in shown.splitlines() if POSTSCRIPT in line]
            assert line.split()[-5] == "yes", line  # embedded


@pytest.mark.engine("libreoffice")
async def test_an_office_that_is_started_anew_has_the_owners_fonts(cold_office, to_pdf, pack) -> None:
    await whose_font_is_in_it(to_pdf, pack)


@pytest.fixture
def no_cold_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every document comes out of the warm parent, or the test fails."""

    async def refused(*_: object) -> None:
        raise AssertionError("started anew")

    monkeypatch.setattr(libreoffice_warm, "_FIRST_COLD", 0)
    monkeypatch.setattr(ColdOffice, "convert", refused)
    yield


@pytest.mark.engine("libreoffice")
async def test_a_child_of_the_warm_parent_has_them_and_its_siblings_do_not(no_cold_starts, to_pdf, pack) -> None:
    await whose_font_is_in_it(to_pdf, pack)


HTML = f"<p style='font-family: \"{FAMILY}\"'>Words of my own</p>".encode()
TYPST = f'#set text(font: "{FAMILY}")\nWords of my own'.encode()


@pytest.mark.parametrize(
    ("engine", "name", "data"),
    [("office2pdf", "letter.docx", letter()), ("weasyprint", "page.html", HTML), ("typst", "page.typ", TYPST)],
    ids=["office2pdf", "weasyprint", "typst"],
)
async def test_engines_that_are_libraries_have_them_too(to_pdf, pack, engine, name, data) -> None:
    for fonts in (None, pack, None):
        done = await to_pdf(data, name, fonts, engine)
        shown = fonts_in(done.products[0].path)
        has_it = POSTSCRIPT in shown or FAMILY.replace(" ", "-") in shown  # WeasyPrint goes by the family
        assert has_it == (fonts is not None), shown


async def test_a_run_that_is_not_lent_them_can_not_read_them(sandbox, new_workspace, pack) -> None:
    look = Command(("cat", str(pack.files / "font.ttf")))
    theirs = await sandbox.run(look, workspace=new_workspace(), limits=Limits())
    assert (theirs.ending, theirs.untrusted_stdout) == (Ending.FAILED, b"")
    mine = await sandbox.run(pack.lent_to(look), workspace=new_workspace(), limits=Limits())
    assert mine.untrusted_stdout == (pack.files / "font.ttf").read_bytes()
    write = Command(("sh", "-c", f"echo x >> {pack.files}/font.ttf || echo y > {pack.place}/more"))
    harm = await sandbox.run(pack.lent_to(write), workspace=new_workspace(), limits=Limits())
    assert harm.ending is Ending.FAILED
    assert sorted(path.name for path in pack.place.iterdir()) == ["files", "fonts.conf"]
