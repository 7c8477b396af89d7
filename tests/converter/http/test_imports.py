"""A file that is somewhere else: `{url}` as the input of a job, fetched from a real server by a real service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpkit.live import Live

LOOPBACK = "127.0.0.0/8"


class _Shelf(BaseHTTPRequestHandler):
    """Files by path; every request is noted."""

    server: Shelf

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, headers, body = self.server.files.get(self.path.partition("?")[0], (404, {}, b"nothing"))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Shelf(ThreadingHTTPServer):
    """A web server with files on it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Shelf)
        self.files: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []

    def put(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        self.files[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


@pytest.fixture(scope="module")
def shelf() -> Iterator[Shelf]:
    with Shelf() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[Live]:
    """A service that may reach this machine, and takes files of up to 2 MiB."""
    with serve(
        tmp_path_factory.mktemp("reaching"), max_input_bytes=2 << 20, settings={"egress_allow": (LOOPBACK,)}
    ) as service:
        yield service


@pytest.fixture
def http(reaching: Live) -> Iterator[httpx.Client]:
    with reaching.client() as client:
        yield client


def ordered(http: httpx.Client, url: str, to: str = "md", **more: Any) -> httpx.Response:
    return http.post("/v1/jobs", json={"inputs": [{"url": url} | more.pop("input", {})], "to": to, **more})


def test_a_file_is_fetched_from_its_address_and_converted(http: httpx.Client, shelf: Shelf) -> None:
    accepted = ordered(http, shelf.put("/files/my%20note.txt", b"hello from afar"))
    assert accepted.status_code == 202, accepted.text
    [brought] = accepted.json()["inputs"]
    assert brought["name"] == "my note.txt"
    assert (brought["bytes"], brought["format"], brought["media_type"]) == (15, "txt", "text/plain")
    assert http.get(f"/v1/uploads/{brought['upload']}").json()["state"] == "complete"
    job = accepted.json()
    while job["status"] in {"queued", "running"}:
        job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 20}).raise_for_status().json()
    assert job["status"] == "succeeded", job
    assert b"HELLO FROM AFAR" in http.get(job["outputs"][0]["url"]).content


@pytest.mark.requirement("B33")
@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/a/b.txt", {}, "b.txt"),
        ("/download", {"Content_Disposition": 'attachment; filename="said.txt"'}, "said.txt"),
        ("/down", {"Content_Disposition": "attachment; filename*=UTF-8''%e2%82%ac.txt"}, "€.txt"),
        ("/up", {"Content_Disposition": 'attachment; filename="../../etc/passwd.txt"'}, "passwd.txt"),
        ("/x", {"Content_Disposition": "attachment; filename*=no-charset'%ff'%ff"}, None),
        ("/typed", {"Content_Type": "text/plain; charset=utf-8"}, "typed.txt"),
        ("/", {"Content_Type": "text/plain"}, "file.txt"),
        ("/%2e%2e%2fup%00.txt", {}, "up.txt"),
        ("/%ff%fe.txt", {}, None),
    ],
)
def test_its_name_is_what_the_answer_says_or_the_address(
    path: str, headers: dict[str, str], name: str | None, http: httpx.Client, shelf: Shelf
) -> None:
    answer = ordered(http, shelf.put(path, b"some text", **headers), input={"from": "txt"})
    assert answer.status_code == 202, answer.text
    found = answer.json()["inputs"][0]["name"]
    assert found == name or (name is None and found)
    assert "/" not in found


@pytest.mark.requirement("S24", "S15")
def test_what_cannot_be_had_is_said_and_nothing_of_it_is_kept(http: httpx.Client, shelf: Shelf) -> None:
    elsewhere = shelf.put("/elsewhere.txt", b"elsewhere")
    shelf.asked.clear()
    refused = {
        shelf.put("/gone.txt", b"secret words", status=404): (422, "source_forbidden", True),
        shelf.put("/moved.txt", b"", status=302, Location=elsewhere): (422, "source_forbidden", False),
        shelf.put("/big.txt", b"x" * (3 << 20)): (413, "too_large", False),
        shelf.put("/endless.txt", b"x" * (3 << 20), Content_Length=""): (413, "too_large", False),
        shelf.put("/short.txt", b"x" * 10, Content_Length="20"): (422, "source_forbidden", True),
        shelf.put("/packed.txt", b"x" * 10, Content_Encoding="gzip"): (422, "source_forbidden", True),
        shelf.put("/empty.txt", b""): (422, "empty_input", False),
        "http://10.0.0.1/a.txt": (422, "source_forbidden", False),
        "https://[fd00:ec2::254]/latest/meta-data/": (422, "source_forbidden", False),
        "ftp://127.0.0.1/a.txt": (422, "source_forbidden", False),
        "http://127.0.0.1:1/a.txt": (422, "source_forbidden", True),
    }
    for url, (status, code, retryable) in refused.items():
        answer = ordered(http, url)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["retryable"]) == (status, code, retryable), (url, problem)
        assert "secret words" not in answer.text
    assert "/elsewhere.txt" not in shelf.asked
    assert http.get("/v1/jobs", params={"tag": "none"}).json()["data"] == []


@pytest.mark.requirement("S24")
def test_without_permission_this_machine_is_out_of_reach(
    tmp_path: Path, serve: Callable[..., Any], shelf: Shelf
) -> None:
    url = shelf.put("/inside.txt", b"inside")
    shelf.asked.clear()
    with serve(tmp_path) as live, live.client() as http:
        for form in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "2130706433")):
            assert ordered(http, form).json()["code"] == "source_forbidden"
    assert shelf.asked == []


def test_the_same_order_with_the_same_key_fetches_once(http: httpx.Client, shelf: Shelf) -> None:
    url = shelf.put("/once.txt", b"once")
    shelf.asked.clear()
    order = {"inputs": [{"url": url}], "to": "md"}
    first, second = (http.post("/v1/jobs", json=order, headers={"Idempotency-Key": "one-fetch"}) for _ in range(2))
    assert (first.status_code, first.json()["id"]) == (202, second.json()["id"])
    assert shelf.asked == ["/once.txt"]


def test_a_dry_run_fetches_nothing(http: httpx.Client, shelf: Shelf) -> None:
    url = shelf.put("/plan.txt", b"plan")
    shelf.asked.clear()
    quote = ordered(http, url, dry_run=True)
    assert quote.status_code == 200, quote.text
    assert quote.json()["route"]
    unnamed = ordered(http, shelf.put("/unnamed", b"plan"), dry_run=True)
    assert unnamed.json()["errors"][0]["pointer"] == "/inputs/0/from"
    assert ordered(http, shelf.put("/unnamed", b"plan"), dry_run=True, input={"from": "txt"}).status_code == 200
    assert shelf.asked == []


def test_one_input_comes_from_one_place(http: httpx.Client) -> None:
    for wrong in ({}, {"url": "https://a.test/x", "upload": "upl_x"}, {"url": "https://a.test/x", "output": 0}):
        answer = http.post("/v1/jobs", json={"inputs": [wrong], "to": "md"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_an_order_that_is_refused_after_the_file_came_leaves_no_file(http: httpx.Client, shelf: Shelf) -> None:
    answer = ordered(http, shelf.put("/note.txt", b"a note"), to="mp4")
    assert answer.json()["code"] == "unsupported_conversion"
