"""A person takes all of theirs along, and has it erased, over HTTP."""

from __future__ import annotations

import io
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest
from httpkit.live import IN_ONE_ANSWER, Live

from filewright.converter.privacy.certificates import is_genuine

PASSWORD = "correct horse battery staple of tests"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[Live]:
    """A service of these tests' own: what they erase is nobody else's."""
    with serve(tmp_path_factory.mktemp("house")) as service:
        yield service


@pytest.fixture
def person(house: Live) -> Iterator[httpx.Client]:
    """Somebody with an account."""
    account = {"email": f"{secrets.token_hex(8)}@example.com", "password": PASSWORD}
    with house.client() as http:
        http.post("/v1/auth/register", json=account).raise_for_status()
        token = http.post("/v1/auth/login", json=account).raise_for_status().json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        yield http


def converted(http: httpx.Client, content: bytes) -> str:
    files = {"file": ("letter.txt", content)}
    answer = http.post("/v1/convert", data={"to": "md"}, files=files, headers=IN_ONE_ANSWER)
    assert answer.status_code == 200, answer.text
    return answer.headers["link"].split("</v1/jobs/")[1].split(">")[0]


def exported(http: httpx.Client) -> zipfile.ZipFile:
    answer = http.get("/v1/me/export").raise_for_status()
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


@pytest.mark.requirement("S27", "J4")
def test_an_export_has_the_account_its_jobs_and_its_files(house: Live, person: httpx.Client) -> None:
    job = converted(person, b"dear reader")
    with house.client() as stranger:
        converted(stranger, b"somebody else's")
    archive = exported(person)
    assert archive.testzip() is None
    jobs = [orjson.loads(line) for line in archive.read("data/jobs.ndjson").splitlines()]
    assert [row["id"] for row in jobs] == [job]
    (account,) = [orjson.loads(line) for line in archive.read("data/users.ndjson").splitlines()]
    assert "password_hash" not in account
    assert account["email"].endswith("@example.com")
    files = {name.rsplit("/", 1)[1]: archive.read(name) for name in archive.namelist() if name.startswith("files/")}
    assert files == {"letter.txt": b"dear reader", "letter.md": b"DEAR READER"}


@pytest.mark.requirement("S26", "J4")
def test_an_erased_account_is_gone_and_there_is_a_certificate(house: Live, person: httpx.Client) -> None:
    job = converted(person, b"dear reader")
    ordered = person.delete("/v1/me")
    assert ordered.status_code == 202
    address = ordered.headers["location"]
    with house.client() as http:
        deadline = time.monotonic() + 60
        while (found := http.get(address).raise_for_status().json())["status"] != "done":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert is_genuine(found["certificate"], found["certificate"]["public_key"])
        assert found["certificate"]["statement"]["rows_deleted"]["users"] == 1
        deadline = time.monotonic() + 90
        while (answer := person.get(f"/v1/jobs/{job}")).status_code != 401 and time.monotonic() < deadline:
            assert answer.status_code == 404
            time.sleep(0.2)
        assert answer.status_code == 401


@pytest.mark.requirement("S2")
def test_nobody_learns_of_an_erasure_without_its_id(house: Live) -> None:
    with house.client() as http:
        for wrong in ("ers_01jd6qx2v7c8e9f0g1h2j3k4m5", "ers_x", "job_01jd6qx2v7c8e9f0g1h2j3k4m5"):
            assert http.get(f"/v1/erasures/{wrong}").status_code == 404


@pytest.mark.requirement("S26")
def test_one_who_has_no_account_can_have_all_erased_too(house: Live) -> None:
    with house.client() as http:
        job = converted(http, b"on my own machine")
        address = http.delete("/v1/me").raise_for_status().headers["location"]
        deadline = time.monotonic() + 60
        while http.get(address).json()["status"] != "done" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert http.get(address).json()["status"] == "done"
        assert http.get(f"/v1/jobs/{job}").status_code == 404
        assert exported(http).read("data/jobs.ndjson") == b""
        converted(http, b"and go on")
