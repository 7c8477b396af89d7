"""A handful of attacks by HTTP on `filewright serve` as it is started in earnest, a secret in its environment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from makers import archives, data, drawings, entities, markup, media, office, pdfs, programs, rasters
from makers.attack import Attack, Bait
from oracles.planted import VARIABLE

from filewright.chassis.testing.servers import free_port

_START_SECONDS = 60.0
_SMALL = 1 << 20
"""Larger than any product of the handful; the bombs are larger."""
_HANDFUL = (
    (office, "docx-links", "md"), (office, "odt-links", "pdf"), (markup, "html-links", "pdf"),
    (markup, "rst-includes", "html"),
    (drawings, "svg-links", "png"), (entities, "outside-xml", "json"), (programs, "ps-files", "pdf"),
    (rasters, "png-flood", "jpg"),
    (media, "hls-said-to-be-mkv", "mp4"), (archives, "zip-names", "tar"), (archives, "zip-bomb", "tar"),
    (pdfs, "pdf-active", "docx"),
    (data, "yaml-objects", "json"),
)  # fmt: skip


@dataclass(frozen=True)
class Server:
    """A running service: its address, its data, and what it says of itself."""

    url: str
    data: Path
    log: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bait: Bait) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    running = Server(f"http://127.0.0.1:{port}", folder / "data", folder / "log")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FILEWRIGHT_")}
    environment |= {VARIABLE: bait.planted.values["environment"], "FILEWRIGHT_LOG_FORMAT": "json"}
    with running.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "filewright", "serve", "--data", str(running.data), "--port", str(port),
             "--slots", "2"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
        )  # fmt: skip
    try:
        _wait_until_ready(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"{server.url}/readyz", timeout=5).status_code == 200:
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    raise AssertionError(server.log.read_text())


def _handful() -> list[object]:
    found = [(next(a for a in family.ATTACKS if a.name == name), target) for family, name, target in _HANDFUL]
    return [
        pytest.param(attack, target, id=f"{attack.name}-to-{target}", marks=pytest.mark.requirement(*attack.ids, "S31"))
        for attack, target in found
    ]


def convert(
    server: Server, filename: str, content: bytes, target: str, source_format: str | None = None
) -> httpx.Response:
    form = {"to": target} | ({"from": source_format} if source_format else {})
    files = {"file": (filename, content)}
    return httpx.post(f"{server.url}/v1/convert", data=form, files=files, timeout=120, follow_redirects=False)


@pytest.mark.parametrize(("attack", "target"), _handful())
def test_an_attack_by_http_reaches_nothing_and_the_next_job_is_fine(
    server: Server, bait: Bait, attack: Attack, target: str
) -> None:
    bait.canaries.take()
    answer = convert(server, attack.filename, attack.make(bait), target, attack.source_format)
    assert answer.status_code < 500
    code = "converted" if answer.status_code == 200 else answer.json()["code"]
    assert code in attack.answers
    assert bait.planted.found_in(answer.content + str(answer.headers).encode()) == []
    assert bait.canaries.take() == []
    assert bait.planted.written() == []
    healthy = convert(server, "a.md", b"# Healthy\n", "html")
    assert (healthy.status_code, b"Healthy" in healthy.content) == (200, True)


@pytest.mark.requirement("S30", "S31")
def test_neither_log_nor_metrics_nor_what_is_stored_tells_a_secret(server: Server, bait: Bait) -> None:
    """Runs last: what all the attacks above have left behind."""
    page = f"<p>x</p><img src='file://{bait.file}'>".encode()
    convert(server, "a.html", page, "pdf")
    told = [
        server.log.read_bytes(),
        *(httpx.get(f"{server.url}/{path}").content for path in ("metrics", "readyz", "v1/jobs")),
    ]
    stored = [path.read_bytes() for path in server.data.rglob("*") if path.is_file() and path.stat().st_size < _SMALL]
    assert [name for text in (*told, *stored) for name in bait.planted.found_in(text)] == []
    assert list((server.data / "jobs").glob("*")) + list((server.data / "work").glob("*")) == []
