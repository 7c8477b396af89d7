"""`filewright fonts` against a real service, and `--fonts` without one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docx
import httpx
import pytest

from filewright.chassis.testing.warm import WarmPython
from fontkit import font, made, wrapped
from shapekit.service import EmbeddedService

FAMILY, POSTSCRIPT = "Quillmark Display", "QMD-Rg"
WORDS = "four words in a row"
Done = subprocess.CompletedProcess[bytes]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """On whose machine it runs nobody needs an account; whoever has one brings a key."""
    with EmbeddedService.started(tmp_path_factory.mktemp("server")) as service:
        yield service.url


@pytest.fixture(scope="module")
def key(server: str) -> str:
    with httpx.Client(base_url=server, timeout=60) as http:
        person = {"email": "ada@example.com", "password": WORDS}
        http.post("/v1/auth/register", json=person).raise_for_status()
        token = http.post("/v1/auth/login", json=person).raise_for_status().json()["access_token"]
        order = {"name": "fonts", "scopes": ["fonts:read", "fonts:write"]}
        made_known = http.post("/v1/api-keys", json=order, headers={"Authorization": f"Bearer {token}"})
        return str(made_known.raise_for_status().json()["key"])


@pytest.fixture
def run(tmp_path: Path, warm: WarmPython) -> Callable[..., Done]:
    def ran(*arguments: str, **environment: str) -> Done:
        return warm.run(
            ["-m", "filewright", *arguments], stdin=b"", directory=tmp_path, environment={**os.environ, **environment}
        )

    return ran


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    contents = {
        "bold.ttf": font("Quillmark", style="Bold"),
        "display.woff2": wrapped(made(FAMILY, postscript=POSTSCRIPT), "woff2"),
        "restricted.ttf": font("Restricted", fs_type=2),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    document = docx.Document()
    document.add_paragraph().add_run("In a font of my own").font.name = FAMILY
    document.save(str(tmp_path / "letter.docx"))
    return tmp_path


def shown(done: Done) -> Any:
    return json.loads(done.stdout)


def test_fonts_are_brought_listed_and_taken_away(run, server: str, folder: Path) -> None:
    added = run("fonts", "add", "bold.ttf", "display.woff2", "--remote", server)
    assert added.returncode == 0, added.stderr
    first, second = added.stdout.decode().splitlines()
    assert first.endswith("Quillmark Bold  (bold.ttf)")
    assert second.endswith("Quillmark Display Regular  (display.woff2)")
    assert b"was there already" in run("fonts", "add", "bold.ttf", "--remote", server).stdout
    listed = run("fonts", "list", "--remote", server).stdout.decode().splitlines()
    assert [line.split()[0] for line in listed[:2]] == [second.split()[0], first.split()[0]]
    assert "woff2" in listed[0]
    assert listed[2].startswith("2 of 200 fonts, ")
    page = shown(run("fonts", "list", "--remote", server, "--json"))
    assert [item["filename"] for item in page["data"]] == ["display.woff2", "bold.ttf"]
    ids = [item["id"] for item in page["data"]]
    gone = run("fonts", "remove", *ids, "--remote", server)
    assert gone.stdout.decode().splitlines() == [f"{one}  removed" for one in ids]
    assert shown(run("fonts", "list", "--remote", server, "--json"))["fonts"] == 0


def test_what_is_wrong_with_one_is_said_and_the_others_are_brought(run, server: str, folder: Path) -> None:
    names = ("restricted.ttf", "bold.ttf", "nowhere.ttf")
    done = run("fonts", "add", *names, "--remote", server, "--json")
    assert done.returncode == 4
    refused, added, missing = shown(done)["results"]
    assert (refused["code"], added["status"], missing["status"]) == ("font_not_embeddable", "succeeded", "failed")
    said = done.stderr.decode()
    assert "restricted.ttf: Its maker does not allow that documents carry it" in said
    assert "nowhere.ttf: No such file" in said
    identity = added["font"]["id"]
    again = run("fonts", "remove", identity, identity, "--remote", server)
    assert (again.returncode, again.stderr.decode()) == (2, f"{identity}: There is no such font. [not_found]\n")


def test_a_key_says_whose_fonts_they_are(run, server: str, key: str, folder: Path) -> None:
    theirs = {"FILEWRIGHT_API_KEY": key}
    assert run("fonts", "add", "bold.ttf", "--remote", server, **theirs).returncode == 0
    assert shown(run("fonts", "list", "--remote", server, "--json", **theirs))["fonts"] == 1
    assert shown(run("fonts", "list", "--remote", server, "--json"))["fonts"] == 0
    wrong = run("fonts", "list", "--remote", server, "--api-key", "fw_live_wrong")
    assert (wrong.returncode, b"[unauthenticated]" in wrong.stderr) == (2, True)


def test_a_server_that_is_not_there_is_said(run, folder: Path) -> None:
    for command in (("list",), ("add", "bold.ttf"), ("remove", "fnt_x")):
        done = run("fonts", *command, "--remote", "http://127.0.0.1:9")
        assert (done.returncode, b"does not answer" in done.stderr) == (1, True)
        assert run("fonts", *command, "--remote", "nonsense").returncode == 2


@pytest.mark.engine("libreoffice")
def test_a_document_gets_the_fonts_that_lie_here(run, folder: Path) -> None:
    (folder / "fonts").mkdir()
    for name in ("display.woff2", "restricted.ttf"):
        (folder / name).rename(folder / "fonts" / name)
    done = run("convert", "letter.docx", "--to", "pdf", "--fonts", "fonts", "--fonts", "bold.ttf")
    assert done.returncode == 0, done.stderr
    assert b"restricted.ttf: Left out. Its maker does not allow" in done.stderr
    told = subprocess.run(["pdffonts", folder / "letter.pdf"], check=True, capture_output=True, text=True).stdout
    assert POSTSCRIPT in told


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (("--fonts", "restricted.ttf"), 4, b"The font restricted.ttf cannot be used. Its maker does not allow"),
        (("--fonts", "nowhere"), 2, b"there is no nowhere"),
        (("--fonts", "empty"), 2, b"There is no font in empty"),
        (("--fonts", "bold.ttf", "--remote", "http://127.0.0.1:9"), 2, b"filewright fonts add FILE --remote"),
    ],
)
def test_fonts_that_cannot_be_had_are_said_before_anything_is_converted(run, folder: Path, given, code, words) -> None:
    (folder / "empty").mkdir()
    done = run("convert", "letter.docx", "--to", "pdf", *given)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert not (folder / "letter.pdf").exists()
