"""Guessing passwords: a cap per account and per network that holds, and keeps no owner out."""

from __future__ import annotations

import time

import pytest
from httpkit.people import GOOD, an_address, somebody


@pytest.fixture(scope="module")
def strict(tmp_path_factory, serve):
    """A service for the world, which believes a proxy on this machine about addresses."""
    folder = tmp_path_factory.mktemp("guessing")
    with serve(
        folder / "data", as_set=True, settings={"trusted_proxies": ("127.0.0.0/8",), "tiers_file": str(tiers(folder))}
    ) as live:
        yield live


def tiers(folder):
    path = folder / "tiers.yaml"
    path.write_text("tiers:\n  anonymous:\n    requests_per_minute: 100000\n")
    return path


@pytest.fixture
def http(strict):
    with strict.client_inside() as client:
        yield client


def guess(http, email, address, password="wrong " + GOOD):
    return http.post(
        "/v1/auth/login", json={"email": email, "password": password}, headers={"X-Forwarded-For": address}
    ).status_code


@pytest.mark.requirement("S11")
def test_an_account_is_guessed_at_from_everywhere_together_only_so_often_and_its_owner_gets_in(http):
    home = "203.0.113.9"
    http.headers["X-Forwarded-For"] = home
    owner = somebody(http)
    began = time.monotonic()
    outcomes = [guess(http, owner.email, f"198.51.100.{number}") for number in range(40)]
    assert outcomes.count(401) <= 11 + (time.monotonic() - began) / 90
    assert set(outcomes) == {401, 429}
    assert guess(http, owner.email, home, GOOD) == 200, "from home at once"


@pytest.mark.requirement("S11", "S9")
def test_an_address_without_an_account_is_counted_like_one_with(http):
    nobody = an_address()
    began = time.monotonic()
    outcomes = [guess(http, nobody, f"192.0.2.{number}") for number in range(40)]
    assert outcomes.count(401) <= 11 + (time.monotonic() - began) / 90
    assert 429 in outcomes


@pytest.mark.requirement("S11")
def test_a_network_is_stopped_whatever_it_calls_itself(http):
    began = time.monotonic()
    outcomes = [
        http.post(
            "/v1/auth/refresh",
            json={"refresh_token": f"guess {number}"},
            headers={"X-Forwarded-For": f"2001:db8:1:2::{number:x}"},
        ).status_code
        for number in range(400)
    ]
    assert outcomes.count(401) <= 61 + (time.monotonic() - began)
    assert 429 in outcomes


@pytest.mark.requirement("S11")
def test_letters_are_not_asked_for_without_end(http):
    headers = {"X-Forwarded-For": "203.0.113.77"}
    answers = [http.post("/v1/auth/password/forgot", json={"email": an_address()}, headers=headers) for _ in range(400)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused[0].json()["code"] == "rate_limited"
    assert int(refused[0].headers["retry-after"]) >= 1
