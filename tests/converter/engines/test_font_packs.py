"""The operator's folder of fonts, as engines see it in the sandbox, and the fonts that doctor looks for."""

import io
from pathlib import Path

import docx
import pytest
from fontTools.ttLib import TTFont

from filewright.chassis.sandbox.port import Limits, SandboxLevel
from filewright.chassis.sandbox.runner import open_sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.conversion.inside.fidelity.drawn import Drawn
from filewright.converter.conversion.inside.fidelity.told import Patience
from filewright.converter.engines.font_packs import STAND_INS, missing_stand_ins, read_fonts, with_fonts
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.libreoffice_warm import standing
from filewright.converter.engines.office2pdf import OFFICE2PDF
from filewright.converter.engines.port import Work

NAME = "Quillmark"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one font in it that no machine has: a page's worth of DejaVu under another name."""
    made = tmp_path / "operator's fonts & more" / "deeper"
    made.mkdir(parents=True)
    with TTFont("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf") as font:
        for record in font["name"].names:
            if record.nameID in {1, 3, 4, 6, 16}:
                record.string = NAME
        font.save(made / "quillmark.ttf")
    return made.parent


def letter() -> bytes:
    document = docx.Document()
    document.add_paragraph().add_run("In a font of the operator").font.name = NAME
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def fonts_of(pdf: Path) -> set[str]:
    shown = Drawn(pdf, Patience(60))
    shown.close()
    return shown.fonts


@pytest.mark.engine("libreoffice")
async def test_documents_get_the_operators_fonts(folder: Path, tmp_path: Path) -> None:
    jobs_dir = tmp_path / "jobs"
    sandbox = await open_sandbox(jobs_dir=jobs_dir, minimum=SandboxLevel.CONFINED, common=with_fonts(folder, jobs_dir))
    standing(sandbox).keep_cold("one document is not worth a warm parent")
    try:
        await read_fonts(sandbox, jobs_dir)
        for engine in (LibreOffice(), OFFICE2PDF):
            with Workspace.create(jobs_dir) as workspace:
                source = workspace.inputs / "input.docx"
                source.write_bytes(letter())
                conversion = next(c for c in engine.conversions if (c.source, c.target) == ("docx", "pdf"))
                work = Work(source, workspace.path, conversion, sandbox, Limits())
                [pdf] = await engine.convert(work)
                assert NAME in fonts_of(pdf), engine.name
    finally:
        await sandbox.close()


def test_a_stand_in_is_missing_until_a_file_of_it_is_somewhere(tmp_path: Path) -> None:
    assert missing_stand_ins([tmp_path, tmp_path / "not there"]) == STAND_INS
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "Carlito-Regular.ttf").touch()
    assert {font.name for font in STAND_INS} - {font.name for font in missing_stand_ins([tmp_path])} == {"Carlito"}
