"""The command as a person runs it: a process of its own, files, pipes, exit codes.

Each way of using it begins from nothing once; the other runs of it begin with the imports done.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from filewright.converter.commands.machine import findings
from filewright.converter.engines import installed
from filewright.converter.operations.standard import standard_operators

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
COMMAND = (sys.executable, "-m", "filewright")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def picture(kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 10), "blue").save(out, kind)
    return out.getvalue()


def last_line(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    shown = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(shown, dict)
    return shown


def test_a_file_is_converted_beside_its_source(run: Run, here: Path) -> None:
    (here / "photo.png").write_bytes(picture())
    done = run("convert", "photo.png", "--to", "jpg", "--set", "quality=40", cold=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"photo.jpg" in done.stdout
    with Image.open(here / "photo.jpg") as made:
        assert (made.format, made.size) == ("JPEG", (20, 10))
    assert names_in(here) == ["photo.jpg", "photo.png"]


def test_json_ends_with_one_object_that_says_what_is_there_now(run: Run, here: Path) -> None:
    (here / "photo.png").write_bytes(picture())
    done = run("convert", "photo.png", "small.webp", "--json")
    shown = last_line(done)
    data = (here / "small.webp").read_bytes()
    assert done.returncode == 0
    assert shown["status"] == "succeeded"
    assert shown["route"][0]["from"] == "png"
    assert shown["seconds"] > 0
    assert shown["outputs"] == [
        {
            "path": "small.webp",
            "media_type": "image/webp",
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "width": 20,
            "height": 10,
        }
    ]


def test_a_pipe_goes_in_and_out(run: Run) -> None:
    done = run("convert", "-", "--from", "md", "--to", "html", stdin=b"# Hello\n\nfrom a *pipe*\n", cold=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"<em>pipe</em>" in done.stdout


def test_several_sources_are_all_tried_and_the_worst_code_counts(run: Run, here: Path) -> None:
    (here / "good.png").write_bytes(picture())
    (here / "torn.png").write_bytes(picture()[:50])
    (here / "empty.png").write_bytes(b"")
    (here / "out").mkdir()
    done = run("convert", "torn.png", "missing.png", "good.png", "empty.png", "out", "--to", "gif", "--json")
    assert done.returncode == 4
    assert names_in(here / "out") == ["good.gif"]
    shown = last_line(done)
    assert [result.get("code") for result in shown["results"]] == [
        "corrupt_input",
        "invalid_request",
        None,
        "empty_input",
    ]
    for said in (b"torn.png: ", b"missing.png: There is no such file", b"empty.png: ", b"[corrupt_input]"):
        assert said in done.stderr


def test_a_file_that_is_there_is_only_replaced_with_force(run: Run, here: Path) -> None:
    (here / "a.png").write_bytes(picture())
    (here / "a.bmp").write_bytes(b"precious")
    refused = run("convert", "a.png", "--to", "bmp")
    assert refused.returncode == 2
    assert b"--force" in refused.stderr
    assert (here / "a.bmp").read_bytes() == b"precious"
    assert run("convert", "a.png", "--to", "bmp", "--force").returncode == 0
    assert (here / "a.bmp").read_bytes().startswith(b"BM")


@pytest.mark.requirement("S16", "B29")
def test_content_that_is_not_what_the_name_says_is_refused_with_advice(run: Run, here: Path) -> None:
    (here / "book.epub").write_bytes(picture())
    refused = run("convert", "book.epub", "--to", "jpg")
    assert refused.returncode == 4
    assert b"PNG image (png)" in refused.stderr
    assert b"--from png" in refused.stderr
    assert run("convert", "book.epub", "--from", "png", "--to", "jpg").returncode == 0


@pytest.mark.parametrize(
    ("name", "data", "arguments", "code"),
    [
        ("a.png", b"", ("--to", "jpg"), 4),
        ("a.xyz", bytes(range(256)), ("--to", "pdf"), 3),
        ("a.png", None, ("--to", "docx"), 3),
        ("a.png", None, ("--to", "nonsense"), 3),
        ("a.png", None, ("--to", "jpg", "--set", "quality=9999"), 2),
        ("a.png", None, ("--to", "jpg", "--set", "nonsense=1"), 2),
        ("bomb.zip", "bomb", ("--to", "tar"), 5),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(
    run: Run, here: Path, name: str, data: bytes | str | None, arguments: tuple[str, ...], code: int
) -> None:
    (here / name).write_bytes(bomb() if data == "bomb" else picture() if data is None else data)  # type: ignore[arg-type]
    done = run("convert", name, *arguments)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(name.encode() + b": ")
    assert names_in(here) == [name]


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("zeros", bytes(100 << 20))
    return out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a.png",),
        ("a.png", "b.png", "c.png", "--to", "jpg"),
        ("a.png", "b"),
        ("a.png", "--set", "x", "--to", "jpg"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_would_be_right(run: Run, arguments: tuple[str, ...]) -> None:
    done = run("convert", *arguments)
    assert done.returncode == 2
    assert done.stderr


@pytest.mark.requirement("S32")
def test_names_that_look_like_options_or_hold_spaces_are_only_names(run: Run, here: Path) -> None:
    for name in ("-to.png", "a $(id);b 📊.png"):
        (here / name).write_bytes(picture())
    assert run("convert", "--to", "gif", "--", "-to.png").returncode == 0
    assert run("convert", "--to", "gif", "a $(id);b 📊.png").returncode == 0
    assert {"-to.gif", "a $(id);b 📊.gif"} <= set(names_in(here))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, run: Run, here: Path, sent: signal.Signals) -> None:
    (here / "big.md").write_text("# Title\n\nwords *and* more words\n" * 200_000)
    environment = {**os.environ, "TMPDIR": str(tmp_path / "scratch")}
    command = [*COMMAND, "convert", "big.md", "big.docx"]
    with subprocess.Popen(command, cwd=here, env=environment, stderr=subprocess.PIPE) as running:
        until = time.monotonic() + 20
        while not list((tmp_path / "scratch").glob("*/*/step-1")) and time.monotonic() < until:
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(sent)
        _, said = running.communicate(timeout=20)
    assert running.returncode == 130, said
    assert names_in(here) == ["big.md"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_formats_and_routes_say_what_can_be_done(run: Run) -> None:
    targets = json.loads(run("formats", "--from", "docx", "--json", cold=True).stdout)
    assert {"pdf", "odt", "txt"} <= {entry["id"] for entry in targets}
    sources = json.loads(run("formats", "--to", "png", "--json").stdout)
    assert {"jpg", "pdf", "svg"} <= {entry["id"] for entry in sources}
    shown = json.loads(run("routes", "md", "html", "--json", cold=True).stdout)
    assert (shown["route"][0]["from"], shown["route"][-1]["to"]) == ("md", "html")
    assert run("routes", "jpg", "docx").returncode == 3


def test_doctor_names_every_engine_and_the_strength_of_the_sandbox(run: Run) -> None:
    done = run("doctor", "--json", cold=True)
    shown = json.loads(done.stdout)
    assert done.returncode == 0
    assert {"pandoc", "pillow", "libreoffice"} <= {engine["name"] for engine in shown["engines"]}
    assert all(engine["version"] if engine["available"] else engine["install"] for engine in shown["engines"])
    operators = {operator["name"]: operator for operator in shown["operators"]}
    assert set(operators) == {operator.name for operator in standard_operators()}
    assert operators["tesseract"]["operations"] == ["ocr"]
    assert all(operator["version"] if operator["available"] else operator["install"] for operator in operators.values())
    assert shown["sandbox"]["level"] in {"isolated", "confined", "limited"}
    assert all(probe["held"] for probe in shown["sandbox"]["probes"])
    said = run("doctor").stdout.decode()
    assert "sandbox:" in said
    assert any(line.split()[:2] == ["ok", "qpdf"] for line in said.partition("operations:")[2].splitlines())


def test_doctor_tells_how_to_install_what_an_operation_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "search_path", lambda: str(tmp_path))
    [reader] = [one for one in findings.operators() if one["name"] == "tesseract"]
    assert not reader["available"]
    assert "tesseract-ocr" in reader["install"]


def test_help_documents_the_exit_codes_with_examples(run: Run) -> None:
    shown = run("convert", "--help")
    assert b"Exit codes: 0 done" in shown.stdout
    assert b"Examples:" in shown.stdout


def test_help_loads_no_engine_no_database_and_no_server() -> None:
    """What a person waits for before a help page is what Python loads for it."""
    argv = [sys.executable, "-X", "importtime", "-m", "filewright", "convert", "--help"]
    told = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines()}
    assert "typer" in loaded
    assert not loaded & {"sqlalchemy", "starlette", "uvicorn", "PIL", "polars", "pyvips", "obstore", "pypdfium2"}
