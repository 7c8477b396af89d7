"""A handful of attacks by HTTP on the service as it is started in earnest, a secret in its environment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest
from makers import archives, data, drawings, entities, markup, media, office, pdfs, programs, rasters
from makers.attack import Attack, Bait
from oracles.planted import VARIABLE

from shapekit.service import EmbeddedService, Service

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


@pytest.fixture(scope="module")
def server(
    chosen_shape: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bait: Bait
) -> Iterator[Service]:
    if chosen_shape == "distributed":
        yield request.getfixturevalue("whole_stack")
        return
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FILEWRIGHT_")}
    environment |= {VARIABLE: bait.planted.values["environment"], "FILEWRIGHT_LOG_FORMAT": "json"}
    folder = tmp_path_factory.mktemp("server")
    with EmbeddedService.started(folder, "--slots", "2", environment=environment) as service:
        yield service


def _handful() -> list[object]:
    found = [(next(a for a in family.ATTACKS if a.name == name), target) for family, name, target in _HANDFUL]
    return [
        pytest.param(attack, target, id=f"{attack.name}-to-{target}", marks=pytest.mark.requirement(*attack.ids, "S31"))
        for attack, target in found
    ]


def convert(
    server: Service, filename: str, content: bytes, target: str, source_format: str | None = None
) -> httpx.Response:
    form = {"to": target} | ({"from": source_format} if source_format else {})
    files = {"file": (filename, content)}
    patient = {"Prefer": "wait=110"}
    return httpx.post(f"{server.url}/v1/convert", data=form, files=files, headers=patient, timeout=120)


@pytest.mark.parametrize(("attack", "target"), _handful())
@pytest.mark.sampled(6)
def test_an_attack_by_http_reaches_nothing_and_the_next_job_is_fine(
    server: Service, bait: Bait, attack: Attack, target: str
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
def test_neither_log_nor_metrics_nor_what_is_stored_tells_a_secret(server: Service, bait: Bait) -> None:
    """Runs last: what all the attacks above have left behind."""
    page = f"<p>x</p><img src='file://{bait.file}'>".encode()
    convert(server, "a.html", page, "pdf")
    told = [
        server.said(),
        *(httpx.get(f"{server.url}/{path}", timeout=60).content for path in ("metrics", "readyz", "v1/jobs")),
    ]
    assert [name for text in (*told, *server.kept(_SMALL)) for name in bait.planted.found_in(text)] == []
    assert server.workspaces() == []
