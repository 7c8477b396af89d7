"""What people choose is suggested to the next one."""

from __future__ import annotations

import time

import pytest


@pytest.fixture
def fresh(serve, tmp_path):
    with serve(tmp_path) as live:
        yield live


def send(http, **fields):
    return http.post(
        "/v1/convert", files={"file": ("a.txt", b"hello")}, data=fields, headers={"Prefer": "respond-async"}
    ).raise_for_status()


def suggested(http):
    ticket = http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 5}).json()
    http.put(ticket["url"], content=b"hello")
    return http.post(f"/v1/uploads/{ticket['id']}/complete").json()["suggested_targets"]


def until(is_so):
    """Each process learns at once what it sees, and what others see a few seconds later."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline


def test_what_is_chosen_often_is_suggested_first(fresh):
    with fresh.client() as http:
        assert suggested(http)[0] == "html"
        for _ in range(14):
            send(http, to="png")
        until(lambda: all(suggested(http)[0] == "png" for _ in range(4)))
        fresh.call(fresh.world.choices.exchange_once)
        formats = http.get("/v1/formats", params={"from": "md", "to": "txt"}).json()["data"]
        assert formats == []
        text = next(item for item in http.get("/v1/formats").json()["data"] if item["id"] == "txt")
        assert text["suggested_targets"] == suggested(http)


def test_a_look_and_a_question_are_no_choices(fresh):
    with fresh.client() as http:
        upload = http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 5}).json()
        http.put(upload["url"], content=b"hello")
        http.post(f"/v1/uploads/{upload['id']}/complete")
        order = {"inputs": [{"upload": upload["id"]}], "to": "png"}
        for _ in range(14):
            send(http, to="png", tag="preview")
            http.post("/v1/jobs", json={**order, "dry_run": True}).raise_for_status()
            http.post("/v1/jobs", json={**order, "tag": "preview"}).raise_for_status()
        assert suggested(http)[0] == "html"


def test_the_first_answer_again_is_no_second_choice(fresh):
    with fresh.client() as http:
        for _ in range(14):
            http.post(
                "/v1/convert",
                files={"file": ("a.txt", b"hello")},
                data={"to": "png"},
                headers={"Prefer": "respond-async", "Idempotency-Key": "the-same"},
            ).raise_for_status()
        assert suggested(http)[0] == "html"


def test_limits_say_what_may_be_sent(small):
    with small.client() as http:
        limits = http.get("/v1/me/limits").raise_for_status().json()
    assert limits["max_input_bytes"] == 2 << 20
    assert limits["learned_targets"] is True
    assert set(limits) == {
        "tier", "max_input_bytes", "max_seconds", "max_pages", "max_pixels", "retention_seconds", "learned_targets",
        "max_output_bytes", "max_queued_jobs", "queued_jobs", "lane", "operations", "budgets", "month",
    }  # fmt: skip
