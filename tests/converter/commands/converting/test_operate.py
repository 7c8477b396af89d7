"""`filewright operate` and `operations`, as a person runs them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


def pdf(path: Path, pages: int) -> Path:
    with pikepdf.new() as document:
        for _ in range(pages):
            document.add_blank_page(page_size=(200, 300))
        document.save(path)
    return path


def pages(path: Path) -> int:
    """As poppler counts them."""
    told = subprocess.run(["pdfinfo", path], capture_output=True, text=True, check=True).stdout
    return int(told.partition("Pages:")[2].split()[0])


def test_files_become_one_where_it_was_wanted(run: Run, here: Path) -> None:
    pdf(here / "a.pdf", 1), pdf(here / "b.pdf", 2)
    done = run("operate", "merge", "b.pdf", "a.pdf", "-o", "all.pdf", "--json")
    assert done.returncode == 0, done.stderr
    assert pages(here / "all.pdf") == 3
    shown = json.loads(done.stdout.splitlines()[-1])
    assert (shown["status"], shown["route"][-1]["operation"]) == ("succeeded", "merge")
    again = run("operate", "merge", "b.pdf", "a.pdf", "-o", "all.pdf")
    assert (again.returncode, b"--force" in again.stderr) == (2, True)
    assert run("operate", "merge", "b.pdf", "a.pdf", "-o", "a.pdf", "--force").returncode == 2


def test_each_of_several_files_is_worked_on_beside_itself(run: Run, here: Path) -> None:
    pdf(here / "a.pdf", 1), pdf(here / "b.pdf", 2)
    done = run("operate", "rotate", "a.pdf", "b.pdf", "--set", "degrees=-90")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["a-rotated.pdf", "a.pdf", "b-rotated.pdf", "b.pdf"]


def test_parts_go_into_a_directory(run: Run, here: Path) -> None:
    pdf(here / "a.pdf", 5)
    (here / "parts").mkdir()
    done = run("operate", "split", "a.pdf", "--set", "every=2", "-o", "parts/")
    assert done.returncode == 0, done.stderr
    assert [pages(path) for path in sorted((here / "parts").iterdir())] == [2, 2, 1]


def test_an_operation_stands_in_a_pipe(run: Run, here: Path) -> None:
    done = run("operate", "rotate", "-", stdin=pdf(here / "a.pdf", 1).read_bytes())
    assert (done.returncode, done.stdout[:5]) == (0, b"%PDF-"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["destroy", "a.pdf"], 2, b"There is no operation"),
        (["rotate", "a.pdf", "--set", "degrees=45"], 2, b"degrees"),
        (["rotate", "a.pdf", "--set", "spin=1"], 2, b"Allowed: degrees, pages"),
        (["rotate", "note.txt"], 3, b"takes pdf"),
        (["split", "a.pdf", "--set", "ranges=4-"], 2, b"ranges"),
        (["merge", "a.pdf"], 2, b"2 to 1,000"),
        (["rotate", "absent.pdf"], 2, b"no such file"),
        (["rotate", "a.pdf", "a.pdf", "-o", "b.pdf"], 2, b"directory"),
    ],
)
def test_what_is_wrong_is_said_and_has_a_code(
    run: Run, here: Path, arguments: list[str], code: int, said: bytes
) -> None:
    pdf(here / "a.pdf", 1)
    (here / "note.txt").write_text("hello")
    done = run("operate", *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_what_can_be_done_is_listed(run: Run) -> None:
    assert b"rotate: " in run("operations").stdout
    listed = {item["id"]: item for item in json.loads(run("operations", "--json").stdout)}
    assert listed["merge"]["inputs"] == {"min": 2, "max": 1000}
