"""`filewright engines`, and what `formats`, `routes` and `doctor` tell of engine files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from filewright.converter.commands.app import app
from filewright.converter.formats.catalogue import forget_learned

EXAMPLES = Path(__file__).parents[4] / "docs" / "how-to" / "engines"
MUPDF = EXAMPLES / "mupdf.yaml"


@pytest.fixture(autouse=True)
def _no_formats_stay() -> Iterator[None]:
    yield
    forget_learned()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def comic(tmp_path: Path) -> Path:
    """Two pictures in a ZIP."""
    for number in (1, 2):
        picture = tmp_path / f"{number}.png"
        subprocess.run(["convert", "-size", "40x60", "xc:red", picture], check=True, timeout=60)
    made = tmp_path / "two.cbz"
    subprocess.run(["7z", "a", "-tzip", made, tmp_path / "1.png", tmp_path / "2.png"], check=True, timeout=60)
    return made


def test_an_engine_file_is_checked_line_by_line(tmp_path):
    done = run("engines", "check", MUPDF)
    assert (done.exit_code, "xps → pdf" in done.stdout) == (0, True)
    broken = tmp_path / "broken.yaml"
    broken.write_text(MUPDF.read_text().replace("cost: 120", "cost: -1").replace("cbz]", "cbr]"))
    done = run("engines", "check", broken)
    assert done.exit_code == 1
    assert f"{broken}, line " in done.stderr
    assert "greater than or equal to 1" in done.stderr


def test_every_conversion_of_an_engine_is_tried_on_a_sample(comic):
    done = run("engines", "test", MUPDF, comic, "--to", "png", "--json")
    assert done.exit_code == 0, done.output
    told = {trial["what"]: trial["told"] for trial in json.loads(done.stdout)["trials"]}
    assert list(told) == ["cbz to png", "cbz to png dpi=18", "cbz to png dpi=600", "cbz to png, cut off in the middle"]
    assert told["cbz to png dpi=18"].startswith("2 files, ")
    assert told["cbz to png, cut off in the middle"] == "refused: corrupt_input"


def test_what_is_wrong_is_shown_with_what_the_program_said(comic, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text(MUPDF.read_text().replace("[convert, -F, pdf,", "[convert, -F, nonsense,"))
    done = run("engines", "test", broken, comic, "--to", "pdf")
    assert done.exit_code == 1
    assert "BROKEN  cbz to pdf" in done.stdout
    assert "'mutool' 'convert' '-F' 'nonsense' '-o' 'out/output.pdf' 'in/input.cbz'" in done.stdout
    assert "| error: " in done.stdout


def test_what_an_engine_makes_is_kept_and_compared_with(tmp_path):
    pictures, kept, sheet = tmp_path / "pictures", tmp_path / "kept", tmp_path / "sheet.html"
    pictures.mkdir()
    Image.effect_noise((90, 60), 90).save(pictures / "noise.png")
    whole = (pictures / "noise.png").read_bytes()
    (pictures / "torn.png").write_bytes(whole[:200] + bytes(400) + whole[600:])
    done = run("engines", "compare", "pillow", pictures, "--save", kept, "--to", "webp")
    assert done.exit_code == 0, done.output
    assert "noise.png: " in done.stderr
    assert "1 failed" in done.stdout
    told = run("engines", "compare", "pillow", pictures, "--against", kept, "--to", "webp", "--json", "--sheet", sheet)
    assert told.exit_code == 0, told.output
    shown = json.loads(told.stdout)
    assert {one["source"]: one["verdict"] for one in shown["files"]} == {
        "torn.png": "fails as before",
        "noise.png": "same",
    }
    assert shown["before"] == shown["now"]
    assert "fails as before" in sheet.read_text()


@pytest.mark.parametrize("options", [[], ["--against", "."], ["--save", "."]])
def test_a_comparison_needs_a_place_for_results_or_some_to_compare_with(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").touch()
    done = run("engines", "compare", "pillow", tmp_path, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "filewright engines compare: " in done.stderr


def test_routes_know_what_the_folder_brings(monkeypatch):
    monkeypatch.setenv("FILEWRIGHT_ENGINES_DIR", str(EXAMPLES))
    told = json.loads(run("routes", "xps", "docx", "--json").stdout)
    assert next(hop["engine"] for hop in told["route"]) == "mupdf"
    assert run("routes", "no-such", "pdf").exit_code == 3


@pytest.mark.long
def test_formats_are_listed_with_what_the_folder_brings(monkeypatch):
    monkeypatch.setenv("FILEWRIGHT_ENGINES_DIR", str(EXAMPLES))
    listed = json.loads(run("formats", "--from", "oxps", "--json").stdout)
    assert "pdf" in [entry["id"] for entry in listed]
