"""`GET /v1/jobs/events` as a browser's EventSource sees it."""

from __future__ import annotations

import json
import time

import pytest


def events_of(stream):
    """The events as they come, as dictionaries."""
    fields = {}
    for line in stream.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield {**fields, "data": json.loads(fields["data"])}
            fields = {}


@pytest.fixture
def busy(serve, tmp_path):
    with serve(tmp_path) as live:
        yield live


def send(http, data=b"!wait", name="a.txt"):
    return http.post(
        "/v1/convert", files={"file": (name, data)}, data={"to": "md"}, headers={"Prefer": "respond-async"}
    ).json()["id"]


def test_each_event_is_the_whole_job(busy):
    with busy.client() as http:
        first = send(http)
        with http.stream("GET", "/v1/jobs/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert "content-encoding" not in stream.headers
            lines = stream.iter_lines()
            assert next(lines) == "retry: 1000"
        with http.stream("GET", "/v1/jobs/events") as stream:
            event = next(events_of(stream))
        assert event["event"] == "job"
        shown = http.get(f"/v1/jobs/{first}").json()
        waiting = {"queue_position", "estimated_seconds"}  # it may have begun in between
        assert set(event["data"]) - waiting == set(shown) - waiting
        assert event["data"]["id"] == first


def test_jobs_are_told_to_their_end_and_new_ones_too(busy):
    with busy.client() as http, busy.client() as other:
        first = send(http)
        with http.stream("GET", "/v1/jobs/events") as stream:
            events = events_of(stream)
            next(events)
            second = send(other, b"quick")
            busy.go_on.set()
            # Both ends have to come, in whatever order.
            seen = {}
            while [seen.get(first), seen.get(second)] != ["succeeded", "succeeded"]:
                event = next(events)
                seen[event["data"]["id"]] = event["data"]["status"]


def test_the_stream_goes_on_where_it_was_lost(busy):
    with busy.client() as http, busy.client() as other:
        job = send(http)
        with http.stream("GET", "/v1/jobs/events") as stream:
            event = next(events_of(stream))
        busy.go_on.set()
        deadline = time.monotonic() + 60
        while other.get(f"/v1/jobs/{job}", params={"wait": 5}).json()["status"] != "succeeded":
            assert time.monotonic() < deadline
        with http.stream("GET", "/v1/jobs/events", headers={"Last-Event-ID": event["id"]}) as stream:
            missed = next(events_of(stream))
        assert (missed["data"]["id"], missed["data"]["status"]) == (job, "succeeded")
        assert missed["data"]["outputs"]


def test_a_stream_survives_a_restart_of_the_server(serve, tmp_path):
    with serve(tmp_path) as live, live.client() as http:
        job = send(http, b"quick")
        with http.stream("GET", "/v1/jobs/events", headers={"Last-Event-ID": "1"}) as stream:
            event = next(events_of(stream))
        http.get(f"/v1/jobs/{job}", params={"wait": 20})
    since = {"Last-Event-ID": event["id"]}
    with serve(tmp_path) as live, live.client() as http, http.stream("GET", "/v1/jobs/events", headers=since) as stream:
        again = next(events_of(stream))
    assert (again["data"]["id"], again["data"]["status"]) == (job, "succeeded")


@pytest.mark.requirement("F28")
def test_the_stream_ends_when_the_process_drains(serve, tmp_path):
    with serve(tmp_path) as live, live.client() as http:
        send(http)
        with http.stream("GET", "/v1/jobs/events") as stream:
            lines = stream.iter_lines()
            while not next(lines).startswith("event: "):
                pass
            live.stop()
            list(lines)  # ends, and ends well: a cut stream would raise


@pytest.mark.parametrize("value", ["-1", "abc", "1e3", "9" * 40, "١".encode()])
def test_an_event_id_that_is_none_is_refused(http, value):
    answer = http.get("/v1/jobs/events", headers={"Last-Event-ID": value})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_only_whoever_is_let_in_may_listen(serve, tmp_path):
    with serve(tmp_path, local=False, anonymous=False) as live, live.client() as http:
        assert http.get("/v1/jobs/events").status_code == 401
        assert http.get("/v1/me/limits").status_code == 401
