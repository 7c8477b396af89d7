"""`--remote` against a real service, which is started as a person would start it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shapekit.service import EmbeddedService

pytestmark = pytest.mark.both

COMMAND = (sys.executable, "-m", "filewright")


@pytest.fixture(scope="module")
def server(
    chosen_shape: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a running service."""
    if chosen_shape == "distributed":
        yield request.getfixturevalue("whole_stack").url
        return
    with EmbeddedService.started(tmp_path_factory.mktemp("server")) as service:
        yield service.url


def convert(here: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, "convert", *arguments]
    return subprocess.run(command, cwd=here, input=stdin, capture_output=True, check=False, timeout=60)


def test_a_server_converts_and_the_result_arrives_whole(server: str, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Hello\n\nfrom *far*\n")
    done = convert(tmp_path, "notes.md", "--to", "html", "--remote", server, "--json")
    assert done.returncode == 0, done.stderr
    data = (tmp_path / "notes.html").read_bytes()
    assert b"<em>far</em>" in data
    shown = json.loads(done.stdout.splitlines()[-1])
    assert shown["outputs"][0]["sha256"] == hashlib.sha256(data).hexdigest()
    assert shown["route"][0]["from"] == "md"


def test_a_server_merges_what_lies_here(server: str, tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(f"# {name}\n")
    command = [*COMMAND, "operate", "merge", "a.md", "b.md", "--output", "both.pdf", "--remote", server, "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "both.pdf").read_bytes().startswith(b"%PDF-")
    assert json.loads(done.stdout.splitlines()[-1])["outputs"][0]["pages"] == 2


def test_a_server_takes_a_pipe(server: str, tmp_path: Path) -> None:
    done = convert(tmp_path, "-", "--from", "md", "--to", "html", "--remote", server, stdin=b"*piped*")
    assert done.returncode == 0, done.stderr
    assert b"<em>piped</em>" in done.stdout


def test_what_a_server_refuses_ends_with_the_same_code_as_here(server: str, tmp_path: Path) -> None:
    (tmp_path / "fake.pdf").write_bytes(b"GIF89a" + bytes(40))
    (tmp_path / "notes.md").write_text("x")
    refused = convert(tmp_path, "fake.pdf", "--to", "txt", "--remote", server)
    assert (refused.returncode, b"[type_mismatch]" in refused.stderr) == (4, True)
    assert convert(tmp_path, "notes.md", "--to", "mp4", "--remote", server).returncode == 3


def test_a_server_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x")
    done = convert(tmp_path, "notes.md", "--to", "html", "--remote", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert b"does not answer" in done.stderr
    assert convert(tmp_path, "notes.md", "--to", "html", "--remote", "nonsense").returncode == 2
