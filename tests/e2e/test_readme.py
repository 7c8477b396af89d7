"""Every line of the README that can be pasted does what the README says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from docx import Document

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "http://127.0.0.1:8000"


def pasted(containing: str) -> str:
    """The README's line with these words, without the comment behind it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return next(re.sub(r"\s+#.*$", "", line) for line in lines if containing in line)


def paste(line: str, folder: Path, url: str = ADDRESS) -> subprocess.CompletedProcess[str]:
    here = line.replace(ADDRESS, url).replace(".venv/bin/filewright", f"{sys.executable} -m filewright")
    return subprocess.run(["bash", "-euc", here], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    document = Document()
    document.add_heading("Quarterly report", 1)
    document.add_paragraph("Nothing to report.")
    document.save(str(tmp_path / "report.docx"))
    (tmp_path / "notes.md").write_text("# Notes\n\nof mine\n")
    film = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=1", "film.mp4"]
    subprocess.run(film, cwd=tmp_path, check=True)
    for name in ("a", "b"):
        subprocess.run(["convert", "-size", "40x30", "xc:red", f"{name}.png"], cwd=tmp_path, check=True)
    (tmp_path / "photos").mkdir()
    return tmp_path


def text_of(pdf: Path) -> str:
    return subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, check=True).stdout.decode()


@pytest.mark.requirement("A12", "D4")
def test_the_first_curl_line_gives_a_pdf(served, folder: Path):
    outcome = paste(pasted("file=@report.docx"), folder, served.url)
    assert outcome.returncode == 0, outcome.stderr
    assert "Quarterly report" in text_of(folder / "report.pdf")


@pytest.mark.requirement("B4")
def test_the_long_way_with_curl_gives_a_film(served, folder: Path):
    accepted = json.loads(paste(pasted("Prefer: respond-async"), folder, served.url).stdout)
    lines = [pasted("?wait=20"), pasted("/events"), pasted("-o film.webm")]
    waited, events, fetched = (paste(line.replace("job_…", accepted["id"]), folder, served.url) for line in lines)
    assert json.loads(waited.stdout)["id"] == accepted["id"]
    assert "event: done" in events.stdout
    assert fetched.returncode == 0
    probe = [
        "ffprobe",
        "-v",
        "error",
        "-show_entries",
        "stream=codec_name",
        "-of",
        "csv=p=0",
        str(folder / "film.webm"),
    ]
    assert "vp9" in subprocess.run(probe, capture_output=True, check=True).stdout.decode()


def test_the_list_of_targets_is_shown(served, folder: Path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [line] = re.findall(r"`(curl [^`]*formats[^`]*)`", readme)
    answer = json.loads(paste(line, folder, served.url).stdout)
    assert "pdf" in json.dumps(answer)


def test_the_documentation_needs_no_other_host(served):
    page = httpx.get(f"{served.url}/docs", timeout=60).text
    assert "/v1/convert" in page
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)


def test_the_command_line_examples_work(folder: Path):
    assert paste(pasted("convert report.docx report.pdf"), folder).returncode == 0
    assert "Quarterly report" in text_of(folder / "report.pdf")
    several = pasted("*.heic").replace("*.heic", "*.png")
    outcome = paste(several, folder)
    assert outcome.returncode == 0, outcome.stderr
    assert sorted(path.name for path in (folder / "photos").iterdir()) == ["a.jpg", "b.jpg"]
    assert paste(pasted("notes.md > notes.html"), folder).returncode == 0
    assert "<h1" in (folder / "notes.html").read_text()
    assert "pdf" in paste(pasted("formats --from docx"), folder).stdout
    assert "sandbox" in paste(pasted("filewright doctor"), folder).stdout.lower()
