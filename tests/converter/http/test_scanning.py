"""A service with a virus scanner, and one without: what callers and operators are told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from httpkit.live import Live

from filewright.chassis.testing.servers.clamd import EICAR, PrivateClamd
from filewright.converter.settings import SettingsError, load
from fontkit import font
from scankit.dressed import harmless, infected


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any], clamd_server: PrivateClamd
) -> Iterator[Live]:
    with serve(tmp_path_factory.mktemp("guarded"), settings={"clamd_url": clamd_server.url}) as service:
        yield service


def convert(service: Live, content: bytes) -> httpx.Response:
    with service.client() as http:
        return http.post("/v1/convert", data={"to": "md"}, files={"file": ("note.txt", content)})


@pytest.mark.requirement("S17", "J3")
def test_malware_is_refused_with_its_code_and_leaves_no_file(guarded: Live) -> None:
    answer = convert(guarded, EICAR)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["retryable"]) == ("infected", False)
    assert convert(guarded, b"hello").content == b"HELLO"


@pytest.mark.requirement("S17")
def test_a_job_shows_that_it_was_malware(guarded: Live) -> None:
    with guarded.client() as http:
        refused = convert(guarded, infected("plain")[1] + b"\n")
        job = refused.json()["instance"]
        seen = http.get(job).raise_for_status().json()
    assert (seen["status"], seen["error"]["code"], seen["outputs"]) == ("failed", "infected", [])


@pytest.mark.requirement("S17")
def test_malware_in_a_font_is_refused_when_it_is_brought(guarded: Live) -> None:
    with guarded.client() as http:
        for content, status in ((font("Quillmark") + EICAR, 422), (font("Quillmark"), 201)):
            answer = http.post("/v1/fonts", files={"file": ("Quillmark.ttf", content)})
            assert answer.status_code == status, answer.text
            assert answer.json().get("code") == (None if status == 201 else "infected")
        assert [item["sha256"] for item in http.get("/v1/fonts").json()["data"]] == [answer.json()["sha256"]]


def test_readiness_says_what_scans_or_that_nothing_does(guarded: Live, live: Live) -> None:
    told = httpx.get(f"{guarded.replicas[0]}/readyz").json()["checks"]["scanner"]
    assert (told["ok"], told["kind"], [one["ok"] for one in told["scanners"]]) == (True, "clamd", [True])
    told = httpx.get(f"{live.replicas[0]}/readyz").json()["checks"]["scanner"]
    assert (told["ok"], told["kind"]) == (True, "none")
    assert "without a virus scan" in told["note"]


@pytest.mark.requirement("F20", "S17")
def test_while_the_scanner_is_away_jobs_wait_and_nothing_is_converted(
    tmp_path: Any, serve: Callable[..., Any], own_clamd: PrivateClamd
) -> None:
    with serve(tmp_path, settings={"clamd_url": own_clamd.url}) as service, service.client() as http:
        own_clamd.kill()
        answer = http.post(
            "/v1/convert", data={"to": "md"}, files={"file": ("a.txt", b"hello")}, headers={"Prefer": "respond-async"}
        )
        job = answer.raise_for_status().json()
        seen = http.get(f"/v1/jobs/{job['id']}", params={"wait": 3}).json()
        assert seen["status"] in {"queued", "running"}
        deadline = time.monotonic() + 120
        while (told := http.get("/readyz")).status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (told.status_code, told.json()["checks"]["scanner"]["ok"]) == (503, False)
        assert told.json()["checks"]["scanner"]["scanners"][0]["trouble"]
        own_clamd.restart()
        deadline = time.monotonic() + 120
        while seen["status"] != "succeeded" and time.monotonic() < deadline:
            seen = http.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).raise_for_status().json()
        assert seen["status"] == "succeeded"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"FILEWRIGHT_CLAMD_URL": "localhost:3310"}, "FILEWRIGHT_CLAMD_URL: use tcp://host:3310"),
        ({"FILEWRIGHT_SCANNING": "required"}, "FILEWRIGHT_SCANNING: `required` needs a scanner"),
    ],
)
@pytest.mark.requirement("S34")
def test_settings_that_would_scan_nothing_are_refused(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(settings)


@pytest.mark.slow(5)
@pytest.mark.long
def test_the_doctor_asks_the_scanner(clamd_server: PrivateClamd, tmp_path: Any) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "filewright", "doctor", "--json"],
        env={"FILEWRIGHT_CLAMD_URL": f"{clamd_server.url},unix://{tmp_path}/none", "PATH": "/usr/sbin:/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    scanner = json.loads(asked.stdout)["scanner"]
    assert [one["ok"] for one in scanner["scanners"]] == [True, False]
    assert "reached" in scanner["scanners"][1]["trouble"]


def test_harmless_files_pass(guarded: Live) -> None:
    assert convert(guarded, harmless("plain")[1]).status_code == 200
