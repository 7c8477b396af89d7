"""Jobs over HTTP: ordering, looking, steering, and the way to their outputs."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import time
import zipfile

import pytest

JOB_FIELDS = {
    "id", "status", "stage", "progress", "operation", "source_format", "target_format", "route", "inputs", "outputs",
    "attempt", "cache", "tag", "created_at", "started_at", "finished_at", "expires_at", "links",
}  # fmt: skip
UNKNOWN = "job_01jd6qx2v7c8e9f0g1h2j3k4m5"


def code_of(answer):
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return found


def test_an_order_is_accepted_with_a_place_to_look(http, upload):
    answer = http.post("/v1/jobs", json={"inputs": [{"upload": upload()}], "to": "md", "tag": "t1"})
    assert answer.status_code == 202
    job = answer.json()
    assert set(job) >= JOB_FIELDS
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert (job["tag"], job["operation"], job["source_format"], job["target_format"]) == ("t1", "convert", "txt", "md")
    assert job["created_at"].endswith("Z")


def test_a_finished_job_shows_its_outputs(http, finished):
    job = finished()
    assert job["status"] == "succeeded"
    assert job["progress"] == 100
    (output,) = job["outputs"]
    assert output["name"] == "note.md"
    assert output["media_type"] == "text/markdown"
    assert output["bytes"] == 5
    assert output["sha256"] == hashlib.sha256(b"HELLO").hexdigest()
    assert http.get(output["url"]).content == b"HELLO"


def test_a_dry_run_says_what_would_be_done_and_stores_nothing(http, upload):
    body = {"inputs": [{"upload": upload()}], "to": "html", "dry_run": True, "tag": "dry"}
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 200
    assert set(answer.json()) == {
        "route", "engine", "limits", "estimated_seconds", "queue_seconds", "cost", "credits", "cache",
    }  # fmt: skip

    assert answer.json()["engine"] == "obedient"
    assert http.get("/v1/jobs", params={"tag": "dry"}).json()["data"] == []


def test_an_output_can_be_the_input_of_the_next_job(http, finished):
    first = finished(b"hello", "note.txt", "md")
    answer = http.post("/v1/jobs", json={"inputs": [{"job": first["id"], "output": 0, "from": "txt"}], "to": "html"})
    assert answer.status_code == 202
    assert answer.json()["inputs"][0]["job"] == first["id"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"inputs": []}, "/inputs"),
        ({"inputs": None}, "/inputs"),
        ({"inputs": [{}]}, "/inputs/0"),
        ({"inputs": [{"upload": "a", "job": "b"}]}, "/inputs/0"),
        ({"inputs": [{"url": 5}]}, "/inputs/0/url"),
        ({"inputs": [{"upload": 5}]}, "/inputs/0/upload"),
        ({"inputs": [{"job": "x", "output": -1}]}, "/inputs/0/output"),
        ({"inputs": [{"upload": "a"}] * 2}, "/inputs"),
        ({"to": None}, "/to"),
        ({"to": ""}, "/to"),
        ({"to": ["pdf"]}, "/to"),
        ({"to": "x" * 500}, "/to"),
        ({"operation": "destroy"}, "/operation"),
        ({"options": []}, "/options"),
        ({"options": "{}"}, "/options"),
        ({"tag": "x" * 201}, "/tag"),
        ({"tag": 7}, "/tag"),
        ({"dry_run": "yes"}, "/dry_run"),
        ({"password": ""}, "/password"),
        ({"tenant_id": "other"}, "/tenant_id"),
        ({"state": "succeeded"}, "/state"),
        ({"attempt": 0}, "/attempt"),
    ],
)
def test_a_wrong_order_is_pointed_at(http, upload, change, pointer):
    answer = http.post("/v1/jobs", json={"inputs": [{"upload": upload()}], "to": "md", **change})
    assert code_of(answer) == (400, "invalid_request"), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("found", ["upl_01jd6qx2v7c8e9f0g1h2j3k4m5", "nonsense", "x" * 64])
def test_an_order_for_an_unknown_upload_is_not_found(http, found):
    assert code_of(http.post("/v1/jobs", json={"inputs": [{"upload": found}], "to": "md"})) == (404, "not_found")


def test_an_order_for_an_incomplete_upload_is_a_conflict(http):
    ticket = http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 5}).json()
    answer = http.post("/v1/jobs", json={"inputs": [{"upload": ticket["id"]}], "to": "md"})
    assert code_of(answer) == (409, "conflict")


@pytest.mark.parametrize(("to", "code"), [("mp3", "unsupported_conversion"), ("floppy", "unsupported_format")])
def test_an_order_without_a_way_is_refused(http, upload, to, code):
    answer = http.post("/v1/jobs", json={"inputs": [{"upload": upload()}], "to": to})
    assert answer.status_code in {415, 422}
    assert answer.json()["code"] in {code, "unsupported_conversion"}


@pytest.mark.parametrize("call", ["get", "delete", "cancel", "retry", "rating", "events", "outputs", "outputs/0"])
@pytest.mark.parametrize(
    "found", [UNKNOWN, "nonsense", "upl_01jd6qx2v7c8e9f0g1h2j3k4m5", "%00", "%F0%9F%92%A9", "x" * 900]
)
def test_an_unknown_job_is_not_found(http, live, call, found):
    path = f"/v1/jobs/{found}"
    if call in {"cancel", "retry"}:
        answer = http.post(f"{path}/{call}")
    elif call == "rating":
        answer = http.post(f"{path}/rating", json={"stars": 5})
    elif call == "delete":
        answer = http.delete(path)
    else:
        answer = http.get(path if call == "get" else f"{path}/{call}")
    said = (400, "invalid_request") if found == "%00" and live.has_front else (404, "not_found")
    assert code_of(answer) == said, "a front does not pass such an address on"


# --- looking ---------------------------------------------------------------------------------------------------------


def test_who_has_the_job_already_is_told_so(http, finished):
    job = finished()
    first = http.get(f"/v1/jobs/{job['id']}")
    again = http.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"].removeprefix("W/"), "a front may have packed the first"
    assert http.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_long_poll_answers_when_the_status_changes(http, live, order):
    live.go_on.clear()
    job = order(b"!wait")
    until(lambda: http.get(f"/v1/jobs/{job['id']}").json()["status"] == "running")
    threading.Timer(0.3, live.go_on.set).start()
    began = time.monotonic()
    answer = http.get(f"/v1/jobs/{job['id']}", params={"wait": 20})
    assert answer.json()["status"] == "succeeded"
    assert time.monotonic() - began < 10
    live.go_on.clear()


def test_a_long_poll_ends_after_its_time(http, live, order):
    job = order(b"!wait")
    until(lambda: http.get(f"/v1/jobs/{job['id']}").json()["status"] == "running")
    began = time.monotonic()
    answer = http.get(f"/v1/jobs/{job['id']}", params={"wait": "0.3"})
    assert answer.json()["status"] == "running"
    assert 0.25 < time.monotonic() - began < 10
    http.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()


@pytest.mark.parametrize("wait", ["-1", "abc", "nan", "inf", "1e400", "", "1;2"])
def test_a_wait_that_is_no_time_is_refused(http, order, wait):
    job = order()
    assert code_of(http.get(f"/v1/jobs/{job['id']}?wait={wait}")) == (400, "invalid_request")


def test_the_list_is_paged_newest_first_and_filtered(http, finished):
    made = [finished(tag="paged")["id"] for _ in range(3)]
    first = http.get("/v1/jobs", params={"tag": "paged", "limit": 2}).json()
    assert [job["id"] for job in first["data"]] == made[:0:-1]
    second = http.get("/v1/jobs", params={"tag": "paged", "limit": 2, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in second["data"]] == made[:1]
    assert second["next_cursor"] is None
    assert http.get("/v1/jobs", params={"tag": "paged", "status": "failed"}).json()["data"] == []
    assert len(http.get("/v1/jobs", params={"tag": "paged", "status": "succeeded"}).json()["data"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=-1", "limit=abc", "limit=9999999999999999999999", "limit=", "status=done",
        "status=", "cursor=", "cursor=abc", "cursor=%00", "cursor=am9iX3g", "cursor=MTpqb2JfeA", "cursor=" + "A" * 300,
        "tag=" + "x" * 201, "tag=%00",
    ],
)  # fmt: skip
def test_a_wrong_filter_is_refused(http, query):
    assert code_of(http.get(f"/v1/jobs?{query}")) == (400, "invalid_request")


# --- events ----------------------------------------------------------------------------------------------------------


def events_of(text):
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append(fields)
    return found


def test_the_stream_tells_states_and_ends_with_done(http, finished):
    job = finished()
    answer = http.get(f"/v1/jobs/{job['id']}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.text)
    assert events[-1]["event"] == "done"
    assert "state" in {event["event"] for event in events}
    ids = [int(event["id"]) for event in events]
    assert ids == sorted(ids)


def test_the_stream_resumes_after_the_last_event_seen(http, finished):
    job = finished()
    everything = events_of(http.get(f"/v1/jobs/{job['id']}/events").text)
    seen = everything[0]["id"]
    rest = events_of(http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": seen}).text)
    assert [event["id"] for event in rest] == [event["id"] for event in everything[1:]]


@pytest.mark.parametrize("value", ["-1", "abc", "1e3", "9" * 40, "١".encode()])
def test_an_event_id_that_is_none_is_refused(http, finished, value):
    job = finished()
    answer = http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": value})
    assert code_of(answer) == (400, "invalid_request")


def test_the_stream_is_live(http, live, order):
    live.go_on.clear()
    job = order(b"!wait")
    names = []
    with http.stream("GET", f"/v1/jobs/{job['id']}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                names.append(line.removeprefix("event: "))
            if '"running"' in line:
                live.go_on.set()
    assert names[-1] == "done"
    live.go_on.clear()


# --- steering --------------------------------------------------------------------------------------------------------


def test_a_running_job_can_be_cancelled_and_tried_again(http, live, order):
    live.go_on.clear()
    job = order(b"!wait")
    until(lambda: http.get(f"/v1/jobs/{job['id']}").json()["status"] == "running")
    assert http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 200
    assert until(lambda: http.get(f"/v1/jobs/{job['id']}").json()["status"] == "cancelled")
    live.go_on.set()
    again = http.post(f"/v1/jobs/{job['id']}/retry")
    assert (again.status_code, again.headers["location"]) == (202, f"/v1/jobs/{job['id']}")
    assert until(lambda: http.get(f"/v1/jobs/{job['id']}").json()["status"] == "succeeded")
    live.go_on.clear()


def test_what_the_state_does_not_allow_is_a_conflict(http, finished):
    job = finished()
    assert code_of(http.post(f"/v1/jobs/{job['id']}/cancel")) == (409, "conflict")
    assert code_of(http.post(f"/v1/jobs/{job['id']}/retry")) == (409, "conflict")


def test_a_result_can_be_rated(http, finished):
    job = finished()
    assert http.post(f"/v1/jobs/{job['id']}/rating", json={"stars": 5, "comment": "good"}).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"stars": 0}, {"stars": 6}, {"stars": "5"}, {"stars": 4.5}, {"stars": 3, "comment": "x" * 3000}]
)
def test_a_rating_that_is_none_is_refused(http, finished, body):
    assert code_of(http.post(f"/v1/jobs/{finished()['id']}/rating", json=body)) == (400, "invalid_request")


def test_a_job_that_is_not_over_cannot_be_rated(http, live, order):
    live.go_on.clear()
    job = order(b"!wait")
    assert code_of(http.post(f"/v1/jobs/{job['id']}/rating", json={"stars": 5})) == (409, "conflict")
    http.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()


def test_a_deleted_job_is_expired_and_its_files_are_gone(http, live, finished):
    before = live.files()
    job = finished(b"secret of mine")
    assert len(live.files()) == len(before) + 2
    assert http.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert live.files() == before
    assert http.get(f"/v1/jobs/{job['id']}").json()["status"] == "expired"
    assert code_of(http.get(job["outputs"][0]["url"])) == (410, "expired")
    assert code_of(http.get(f"/v1/jobs/{job['id']}/outputs")) == (410, "expired")
    assert http.delete(f"/v1/jobs/{job['id']}").status_code == 204


# --- outputs ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def letters(live):
    """The output of a job: the letters of the alphabet, ten times."""
    data = bytes(range(97, 123)) * 10
    with live.client() as http:
        answer = http.post("/v1/convert", files={"file": ("abc.txt", data)}, data={"to": "md"}).raise_for_status()
    return answer.headers["link"][1:].partition(">")[0] + "/outputs/0", data.upper()


@pytest.mark.requirement("S18")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_output_is_served_so_that_no_browser_runs_it(http, letters, method):
    url, data = letters
    answer = http.request(method, url)
    assert answer.status_code == 200
    assert answer.content == (data if method == "GET" else b"")
    headers = answer.headers
    assert headers["content-length"] == str(len(data))
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert headers["repr-digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
    assert headers["content-disposition"] == 'attachment; filename="abc.md"'
    assert headers["content-type"] == "text/markdown"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "no-store" in headers["cache-control"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10), ("bytes=10-", 10, 260), ("bytes=-5", 255, 260), ("bytes=0-0", 0, 1),
        ("bytes=250-999", 250, 260), ("bytes=-999", 0, 260), ("BYTES=1-2", 1, 3), ("bytes=259-259", 259, 260),
    ],
)  # fmt: skip
def test_a_range_is_those_bytes(http, letters, asked, start, end):
    url, data = letters
    answer = http.get(url, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == data[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/260"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=260-", "bytes=999-1000", "bytes=-0", "bytes=9999999999999999999-"])
def test_a_range_outside_is_refused_with_the_size(http, letters, asked):
    answer = http.get(letters[0], headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */260"


@pytest.mark.parametrize(
    "asked", ["bytes=5-1", "bytes=", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=--1", "0-5"]
)
def test_what_is_no_single_range_is_answered_whole(http, letters, asked):
    url, data = letters
    answer = http.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, data)


def test_a_range_of_another_version_is_answered_whole(http, letters):
    url, _ = letters
    etag = http.head(url).headers["etag"]
    for condition, status in (
        (etag, 206),
        ('"other"', 200),
        (f"W/{etag}", 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
    ):
        answer = http.get(url, headers={"Range": "bytes=0-1", "If-Range": condition})
        assert answer.status_code == status


def test_who_has_the_bytes_already_is_told_so(http, letters):
    etag = http.head(letters[0]).headers["etag"]
    for condition in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        assert http.get(letters[0], headers={"If-None-Match": condition}).status_code == 304
    assert http.get(letters[0], headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_local_store_has_no_other_place_to_send_to(http, letters):
    answer = http.get(letters[0], params={"redirect": 1})
    assert (answer.status_code, answer.content) == (200, letters[1])


@pytest.mark.parametrize(
    ("n", "status"), [("1", 404), ("999999", 404), ("-1", 400), ("a", 400), ("1.5", 400), ("9" * 40, 400)]
)
def test_an_output_that_is_not_there_is_not_found(http, finished, n, status):
    answer = http.get(f"/v1/jobs/{finished()['id']}/outputs/{n}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_all_outputs_come_as_one_zip(http, finished):
    job = finished(b"!many 3", "page.txt", "png")
    answer = http.get(f"/v1/jobs/{job['id']}/outputs")
    assert answer.headers["content-disposition"] == 'attachment; filename="page-png.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["page-1.png", "page-2.png", "page-3.png"]
        packed = [archive.read(name) for name in archive.namelist()]
    assert packed == [http.get(f"/v1/jobs/{job['id']}/outputs/{n}").content for n in range(3)]
    assert len(set(packed)) == 3


def test_outputs_of_a_job_that_is_not_over_are_a_conflict(http, live, order):
    live.go_on.clear()
    job = order(b"!wait")
    for path in ("outputs", "outputs/0"):
        assert code_of(http.get(f"/v1/jobs/{job['id']}/{path}")) == (409, "conflict")
    http.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()


def test_outputs_of_a_failed_job_are_its_problem(http, finished):
    job = finished(b"!fail")
    for path in ("outputs", "outputs/0"):
        assert code_of(http.get(f"/v1/jobs/{job['id']}/{path}")) == (422, "corrupt_input")
