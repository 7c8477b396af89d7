"""How fast one may ask, over HTTP: what is counted, what it is counted by, and what a client is told."""

from __future__ import annotations

import json
import re

import pytest

from filewright.chassis.web.problems import PROBLEM_JSON

HOUR_LONG = """
tiers:
  anonymous:
    conversions_per_minute: 2
    requests_per_minute: 60
    requests_at_once: 20
"""
NOT_THERE = {"inputs": [{"upload": "upl_01jd6qx2v7c8e9f0g1h2j3k4m5"}], "to": "pdf"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory, serve):
    """A service with two conversions a minute; it believes a proxy on this machine."""
    folder = tmp_path_factory.mktemp("strict")
    tiers = folder / "tiers.yaml"
    tiers.write_text(HOUR_LONG)
    settings = {
        "tiers_file": str(tiers),
        "trusted_proxies": ("127.0.0.0/8",),
        "unlimited_networks": ("198.51.100.0/24",),
        "blocked_networks": ("192.0.2.0/24", "2001:db8:bad::/48"),
    }
    with serve(folder / "data", as_set=True, settings=settings) as live:
        yield live


@pytest.fixture
def client_at(strict):
    """A client at an address; the name of the test's own network."""
    opened = []

    def at(address, **headers):
        http = strict.client_inside(headers={"X-Forwarded-For": address, **headers})
        opened.append(http)
        return http

    yield at
    for http in opened:
        http.close()


@pytest.mark.requirement("J2", "S13")
def test_the_third_order_of_two_is_refused_and_says_when_to_come_back(client_at):
    http = client_at("203.0.113.1")
    answers = [http.post("/v1/jobs", json=NOT_THERE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    refusal = answers[-1]
    assert refusal.headers["content-type"] == PROBLEM_JSON
    assert (refusal.json()["code"], refusal.json()["retryable"]) == ("rate_limited", True)
    assert 1 <= int(refusal.headers["retry-after"]) <= 30
    assert refusal.json()["request_id"] == refusal.headers["x-request-id"]


@pytest.mark.requirement("S13")
def test_every_answer_tells_what_is_left_of_which_budget(client_at):
    http = client_at("203.0.113.2")
    looked = http.get("/v1/formats?from=docx")
    assert "ratelimit" not in looked.headers, "what is the same for everybody costs nobody anything"
    looked = http.get("/v1/me/limits")
    assert looked.headers["ratelimit-policy"] == '"requests";q=60;w=60'
    assert re.fullmatch(r'"requests";r=1\d;t=\d+', looked.headers["ratelimit"])
    ordered = http.post("/v1/jobs", json=NOT_THERE)
    assert ordered.headers["ratelimit-policy"] == '"requests";q=60;w=60, "conversions";q=2;w=60'
    assert '"conversions";r=1;t=30' in ordered.headers["ratelimit"]


@pytest.mark.requirement("S13")
def test_looking_and_ordering_are_paid_from_budgets_of_their_own(client_at):
    http = client_at("203.0.113.3")
    assert [http.post("/v1/jobs", json=NOT_THERE).status_code for _ in range(3)][-1] == 429
    assert http.get("/v1/jobs").status_code == 200
    answers = [http.get("/v1/jobs").status_code for _ in range(60)]
    assert 429 in answers
    assert answers.count(200) < 40


@pytest.mark.requirement("S13")
@pytest.mark.parametrize(
    ("n", "method", "path"),
    [(1, "POST", "/v1/jobs/"), (2, "POST", "//v1/jobs"), (3, "POST", "/V1/jobs"), (4, "PUT", "/v1/jobs")],
)
def test_no_other_way_of_writing_the_address_gives_another_budget(client_at, n, method, path):
    http = client_at(f"203.0.113.2{n}")
    for _ in range(2):
        assert http.post("/v1/jobs", json=NOT_THERE).status_code == 404
    assert http.request(method, path, json=NOT_THERE).status_code in {404, 405}
    assert http.post("/v1/jobs", json=NOT_THERE).status_code == 429


@pytest.mark.requirement("S13", "S12")
def test_an_address_is_one_customer_however_it_is_written(client_at):
    ways = ["203.0.113.40", "::ffff:203.0.113.40", "203.0.113.40:5000", "6.6.6.6, 203.0.113.40"]
    answers = [client_at(way).post("/v1/jobs", json=NOT_THERE).status_code for way in ways]
    assert answers == [404, 404, 429, 429]


@pytest.mark.requirement("S13", "S12")
def test_a_network_of_ipv6_is_one_customer(client_at):
    answers = [client_at(f"2001:db8:1:2::{n}").post("/v1/jobs", json=NOT_THERE).status_code for n in range(1, 4)]
    assert answers == [404, 404, 429]
    assert client_at("2001:db8:1:3::1").post("/v1/jobs", json=NOT_THERE).status_code == 404


@pytest.mark.requirement("S13")
def test_requests_in_a_row_on_one_connection_are_counted_one_by_one(strict, raw_behind):
    body = json.dumps(NOT_THERE).encode()
    request = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.50\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    with raw_behind(strict) as connection:
        connection.send(request * 2 + request.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        answers = re.findall(rb"HTTP/1.1 (\d+)", connection.read_all())
    assert answers == [b"404", b"404", b"429"]


def test_an_order_that_cannot_be_paid_is_refused_before_its_file_is_read(strict, raw_behind):
    head = (
        b"POST /v1/convert HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.60\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    )
    with strict.client_inside(headers={"X-Forwarded-For": "203.0.113.60"}) as http:
        for _ in range(2):
            http.post("/v1/jobs", json=NOT_THERE)
    with raw_behind(strict) as connection:
        connection.send(head)
        status, headers, _ = connection.read_response()
    assert status == 429
    assert headers["connection"] == "close"


@pytest.mark.requirement("S13")
def test_guessing_tokens_is_paid_by_the_address(client_at):
    http = client_at("203.0.113.70", Authorization="Bearer fw_live_guess")
    answers = [http.get("/v1/jobs").status_code for _ in range(60)]
    assert set(answers) == {401, 429}


@pytest.mark.requirement("J2", "S14")
def test_a_network_on_the_list_of_the_unlimited_is_not_counted(client_at):
    answers = [client_at("198.51.100.7").post("/v1/jobs", json=NOT_THERE) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {404}
    assert "ratelimit" not in answers[-1].headers


@pytest.mark.requirement("S14")
@pytest.mark.parametrize("address", ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8:bad::1"])
def test_a_blocked_network_is_answered_with_a_refusal_and_nothing_else(client_at, address):
    http = client_at(address)
    answer = http.get("/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert http.get("/").status_code == 403
    assert http.get("/livez").status_code == 200, "whoever keeps it alive is never locked out"


def test_the_owner_of_the_machine_is_not_counted(live):
    with live.client() as http:
        answers = [http.post("/v1/jobs", json=NOT_THERE) for _ in range(30)]
    assert {answer.status_code for answer in answers} == {404}
    assert "ratelimit" not in answers[-1].headers
