"""Webhooks as their owner meets them: over HTTP, on a real service that really sends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from httpkit.live import Live
from standardwebhooks import Webhook as IndependentVerifier

PUBLIC = "https://hooks.example.com/filewright"


class _Ear(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.put((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Ear(ThreadingHTTPServer):
    """Listens, and says thank you."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Ear)
        self.heard: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


@pytest.fixture(scope="module")
def ear() -> Iterator[Ear]:
    with Ear() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[Live]:
    """A service whose webhooks may reach this machine; its callers are told apart by address."""
    settings = {"egress_allow": ("127.0.0.0/8",)}
    manner = {"local": False, "trusted": ("127.0.0.1/32",), "settings": settings}
    with serve(tmp_path_factory.mktemp("hooked"), **manner) as service:
        yield service


@pytest.fixture
def other(live: Live) -> Iterator[httpx.Client]:
    with live.client_inside(headers={"X-Forwarded-For": "203.0.113.9"}) as client:
        yield client


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def registered(http: httpx.Client, url: str = PUBLIC, **more: Any) -> dict[str, Any]:
    answer = http.post("/v1/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    hook: dict[str, Any] = answer.json()
    return hook


@pytest.mark.both
@pytest.mark.requirement("S22")
def test_whoever_registers_is_told_of_the_end_of_a_job(http: httpx.Client, finished: Any, ear: Ear) -> None:
    hook = registered(http, ear.url, events=["job.succeeded"])
    job = finished(b"tell me")
    headers, body = ear.heard.get(timeout=60)
    event = IndependentVerifier(hook["secret"]).verify(body, headers)
    assert (event["type"], event["data"]["id"]) == ("job.succeeded", job["id"])
    assert http.get(event["data"]["outputs"][0]["url"]).content == b"TELL ME"
    page = http.get(f"/v1/webhooks/{hook['id']}/deliveries").json()
    assert page["data"][0]["id"] == headers["webhook-id"]
    assert http.delete(f"/v1/webhooks/{hook['id']}").status_code == 204


def test_a_job_names_its_own_receiver(http: httpx.Client, order: Any, ear: Ear) -> None:
    job = order(b"for me alone", webhook_url=ear.url)
    headers, body = ear.heard.get(timeout=60)
    secret = http.get("/v1/webhooks/jobs/secret").json()["secret"]
    assert IndependentVerifier(secret).verify(body, headers)["data"]["id"] == job["id"]
    found = http.get("/v1/webhooks/jobs/deliveries").json()["data"]
    assert found[0]["job"] == job["id"]


def test_a_webhook_is_made_seen_changed_and_removed(http: httpx.Client) -> None:
    hook = registered(http, events=["job.failed"], description="pager")
    assert hook["secret"].startswith("whsec_")
    here = f"/v1/webhooks/{hook['id']}"
    assert http.get(here).json() == {**hook, "secret": None}
    changed = http.patch(here, json={"enabled": False, "events": []}).json()
    assert (changed["enabled"], changed["events"], changed["description"]) == (False, [], "pager")
    rotated = http.post(f"{here}/rotate").json()
    assert rotated["secret"] not in {None, hook["secret"]}
    assert rotated["old_secret_until"] is not None
    assert http.delete(here).status_code == 204
    assert code_of(http.get(here)) == (404, "not_found")


def test_webhooks_come_in_pages_newest_first(http: httpx.Client) -> None:
    made = [registered(http)["id"] for _ in range(3)]
    first = http.get("/v1/webhooks", params={"limit": 2}).json()
    second = http.get("/v1/webhooks", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [hook["id"] for hook in first["data"]] == [made[2], made[1]]
    assert second["data"][0]["id"] == made[0]
    assert all(hook["secret"] is None for hook in first["data"])
    for webhook_id in made:
        http.delete(f"/v1/webhooks/{webhook_id}")


@pytest.mark.requirement("S2")
def test_of_the_webhooks_of_others_nothing_is_known(http: httpx.Client, other: httpx.Client, order: Any) -> None:
    hook = registered(http)
    here = f"/v1/webhooks/{hook['id']}"
    nobody = "/v1/webhooks/whk_01jd6qx2v7c8e9f0g1h2j3k4m5"
    delivery = "dlv_01jd6qx2v7c8e9f0g1h2j3k4m5"
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"enabled": False}),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
        ("GET", "/deliveries", None),
        ("POST", f"/deliveries/{delivery}/replay", None),
    ):
        theirs, unknown = (other.request(method, at + path, json=body) for at in (here, nobody))
        assert code_of(theirs) == code_of(unknown) == (404, "not_found"), (method, path)
        assert theirs.json()["detail"] == unknown.json()["detail"]
    assert other.get("/v1/webhooks").json()["data"] == []
    assert other.get("/v1/webhooks/jobs/secret").json() != http.get("/v1/webhooks/jobs/secret").json()
    assert http.get(here).json()["enabled"] is True
    http.delete(here)


@pytest.mark.requirement("S23")
@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "https://169.254.169.254/", "https://user@example.com/", "ftp://example.com/", "https://0x7f.1/",
     "https://example.com:22/", "not an address"],
)  # fmt: skip
def test_an_address_that_may_not_be_reached_is_refused_at_once(url: str, http: httpx.Client, upload: Any) -> None:
    refusals = [
        http.post("/v1/webhooks", json={"url": url}),
        http.post("/v1/jobs", json={"inputs": [{"upload": upload()}], "to": "md", "webhook_url": url}),
    ]
    if url != "https://example.com:22/":  # a name may turn out to be allowed, and on any port then
        assert [code_of(answer) for answer in refusals] == [(422, "source_forbidden")] * 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": PUBLIC, "events": ["job.exploded"]}, "/events/0"),
        ({"url": PUBLIC, "tenant": "other"}, "/tenant"),
        ({"url": PUBLIC, "secret": "mine"}, "/secret"),
        ({"url": 5}, "/url"),
    ],
)
@pytest.mark.requirement("S3")
def test_a_wrong_field_is_pointed_at(body: dict[str, Any], pointer: str, http: httpx.Client) -> None:
    answer = http.post("/v1/webhooks", json=body)
    assert code_of(answer) == (400, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_repeated_request_makes_one_webhook_and_shows_its_secret_once(http: httpx.Client) -> None:
    key = {"Idempotency-Key": "one-hook"}
    first, second = (http.post("/v1/webhooks", json={"url": PUBLIC}, headers=key) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["secret"]
    assert second.json()["secret"] is None, "a secret is kept nowhere"
    http.delete(f"/v1/webhooks/{first.json()['id']}")


def test_there_is_an_end_to_how_many_there_may_be(http: httpx.Client) -> None:
    made = []
    while (answer := http.post("/v1/webhooks", json={"url": PUBLIC})).status_code == 201:
        made.append(answer.json()["id"])
        assert len(made) <= 20
    assert code_of(answer) == (409, "conflict")
    for webhook_id in made:
        http.delete(f"/v1/webhooks/{webhook_id}")
