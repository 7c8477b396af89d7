"""Files that go straight to and from a bucket: what a plain HTTP client sees, and what it cannot do."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from filewright.chassis import failpoints
from filewright.chassis.testing.fixtures import s3_settings

pytestmark = pytest.mark.s3
TEXT = b"sent straight to the bucket\n" * 400
DIGEST = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture(scope="module")
def live(tmp_path_factory, serve, s3_server):
    with serve(tmp_path_factory.mktemp("bucket"), settings=s3_settings(s3_server)) as server:
        yield server


def announce(http, data=TEXT, **more):
    return http.post("/v1/uploads", json={"filename": "näh 1.txt", "bytes": len(data), **more}).json()


def send(ticket, data=TEXT, **more):
    """As a client does that knows nothing of us: no base address, no credentials."""
    return httpx.request(ticket["method"], ticket["url"], headers=ticket["headers"], content=data, **more)


def keys(live, prefix=""):
    async def listed():
        return {item.key async for item in live.world.store.list(prefix)}

    return live.call(listed)


def finish(http, job):
    while job["status"] in {"queued", "running"}:
        job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).raise_for_status().json()
    return job


@pytest.mark.requirement("H1")
def test_a_file_goes_to_the_bucket_and_its_result_comes_from_there(http, live, s3_server):
    ticket = announce(http, sha256=DIGEST)
    assert ticket["url"].startswith(s3_server.endpoint)
    assert send(ticket).status_code == 200
    done = http.post(f"/v1/uploads/{ticket['id']}/complete", json={"sha256": DIGEST})
    assert done.status_code == 200, done.text
    view = done.json()
    assert (view["state"], view["format"], view["bytes"], view["sha256"]) == ("complete", "txt", len(TEXT), DIGEST)
    job = finish(http, http.post("/v1/jobs", json={"inputs": [{"upload": ticket["id"]}], "to": "md"}).json())
    assert job["status"] == "succeeded"

    path = f"/v1/jobs/{job['id']}/outputs/0"
    moved = http.get(path, params={"redirect": 1})
    assert (moved.status_code, moved.content) == (302, b"")
    assert moved.headers["cache-control"] == "private, no-store"
    stored = httpx.get(moved.headers["location"])
    assert stored.content == TEXT.upper() == http.get(path).content
    assert hashlib.sha256(stored.content).hexdigest() == job["outputs"][0]["sha256"]
    ours = http.get(path).headers
    for name in ("content-type", "content-disposition"):
        assert stored.headers[name] == ours[name]
    assert stored.headers["cache-control"] == "public, max-age=150, immutable"
    assert http.head(path, params={"redirect": 1}).status_code == 200


@pytest.mark.requirement("S19")
def test_an_address_is_for_one_object_as_one_download_and_leads_nowhere_once_it_is_erased(http):
    tickets = [announce(http, data) for data in (b"one object\n", b"another object\n")]
    for ticket, data in zip(tickets, (b"one object\n", b"another object\n"), strict=True):
        send(ticket, data).raise_for_status()
        http.post(f"/v1/uploads/{ticket['id']}/complete").raise_for_status()
    orders = [http.post("/v1/jobs", json={"inputs": [{"upload": ticket["id"]}], "to": "md"}) for ticket in tickets]
    paths = [f"/v1/jobs/{finish(http, order.json())['id']}" for order in orders]
    moved = [http.get(f"{path}/outputs/0", params={"redirect": 1}).headers["location"] for path in paths]
    (one, signature), (other, _) = (url.split("?", 1) for url in moved)
    assert httpx.get(f"{one}?{signature}").content == b"ONE OBJECT\n"
    assert httpx.get(f"{other}?{signature}").status_code == 403
    assert "response-content-disposition=attachment" in signature
    assert httpx.get(f"{one}?{signature.replace('=attachment', '=inline')}").status_code == 403
    for method in ("PUT", "DELETE", "POST"):
        assert httpx.request(method, f"{one}?{signature}").status_code in {403, 405}
    http.delete(paths[0]).raise_for_status()
    assert httpx.get(f"{one}?{signature}").status_code == 404
    again = http.get(f"{paths[0]}/outputs/0", params={"redirect": 1})
    assert (again.status_code, "location" in again.headers) == (410, False)


def test_completing_before_the_bytes_are_there_is_a_conflict(http):
    ticket = announce(http)
    refused = http.post(f"/v1/uploads/{ticket['id']}/complete")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


@pytest.mark.requirement("S19")
def test_the_bucket_refuses_another_size_or_other_bytes_than_were_announced(http):
    ticket = announce(http, sha256=DIGEST)
    assert send(ticket, TEXT + b"x").status_code == 403
    assert send(ticket, TEXT[:-1] + b"x").status_code == 400
    assert http.post(f"/v1/uploads/{ticket['id']}/complete").status_code == 409


def test_a_wrong_digest_is_refused_and_the_bytes_may_be_sent_again(http):
    ticket = announce(http)
    send(ticket, b"x" * len(TEXT)).raise_for_status()
    for _ in range(2):
        refused = http.post(f"/v1/uploads/{ticket['id']}/complete", json={"sha256": DIGEST})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/sha256")
    send(ticket).raise_for_status()
    done = http.post(f"/v1/uploads/{ticket['id']}/complete", json={"sha256": DIGEST})
    assert (done.status_code, done.json()["sha256"]) == (200, DIGEST)


def test_what_is_sent_after_completing_changes_nothing(http, live):
    ticket = announce(http)
    send(ticket).raise_for_status()
    http.post(f"/v1/uploads/{ticket['id']}/complete").raise_for_status()
    send(ticket, b"x" * len(TEXT)).raise_for_status()  # the address is still good for an hour
    again = http.post(f"/v1/uploads/{ticket['id']}/complete")
    assert again.json()["sha256"] == DIGEST
    job = finish(http, http.post("/v1/jobs", json={"inputs": [{"upload": ticket["id"]}], "to": "md"}).json())
    assert http.get(f"/v1/jobs/{job['id']}/outputs/0").content == TEXT.upper()


def test_a_completed_upload_leaves_one_object(http, live):
    content = b"like no other here\n"  # or what is there already would be taken
    ticket = announce(http, content)
    send(ticket, content).raise_for_status()
    http.post(f"/v1/uploads/{ticket['id']}/complete").raise_for_status()
    found = keys(live, f"uploads/{ticket['id']}")
    assert len(found) == 1
    assert f"uploads/{ticket['id']}/direct" not in found


@pytest.mark.requirement("H6")
def test_the_same_bytes_again_leave_no_second_object(http, live):
    content, tickets = b"sent twice\n", []
    for _ in range(2):
        ticket = announce(http, content)
        send(ticket, content).raise_for_status()
        http.post(f"/v1/uploads/{ticket['id']}/complete").raise_for_status()
        tickets.append(ticket)
    first, second = (f"uploads/{ticket['id']}" for ticket in tickets)
    assert (len(keys(live, first)), len(keys(live, second))) == (1, 0)
    http.delete(f"/v1/{first}").raise_for_status()
    job = finish(http, http.post("/v1/jobs", json={"inputs": [{"upload": tickets[1]["id"]}], "to": "md"}).json())
    assert http.get(f"/v1/jobs/{job['id']}/outputs/0").content == content.upper()
    http.delete(f"/v1/jobs/{job['id']}").raise_for_status()
    http.delete(f"/v1/{second}").raise_for_status()
    assert keys(live, first) == keys(live, second) == set()


def test_an_upload_that_is_taken_away_leaves_none(http, live):
    ticket = announce(http)
    send(ticket).raise_for_status()
    assert http.delete(f"/v1/uploads/{ticket['id']}").status_code == 204
    assert keys(live, f"uploads/{ticket['id']}") == set()


def test_the_bytes_may_still_be_sent_through_us(http):
    ticket = announce(http)
    http.put(f"/v1/uploads/{ticket['id']}", content=TEXT).raise_for_status()
    assert http.post(f"/v1/uploads/{ticket['id']}/complete").json()["sha256"] == DIGEST


def test_an_object_of_another_size_is_refused_although_the_bucket_took_it(http, live):
    """Not every server holds who sends to the size that was signed."""
    ticket = announce(http)
    live.call(lambda: live.world.store.put(f"uploads/{ticket['id']}/direct", TEXT + b"x"))
    refused = http.post(f"/v1/uploads/{ticket['id']}/complete")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert keys(live, f"uploads/{ticket['id']}") == set()


@pytest.mark.requirement("F1", "F18")
def test_a_completion_that_died_after_its_copy_is_made_again_and_leaves_nothing(http, live):
    content = b"of this test alone\n"
    ticket = announce(http, content)
    send(ticket, content).raise_for_status()
    failpoints.arm("uploads.segment.stored=raise:EIO")
    try:
        assert http.post(f"/v1/uploads/{ticket['id']}/complete").status_code == 503
    finally:
        failpoints.arm("")
    done = http.post(f"/v1/uploads/{ticket['id']}/complete")
    assert (done.status_code, done.json()["sha256"]) == (200, hashlib.sha256(content).hexdigest())
    assert len(keys(live, f"uploads/{ticket['id']}")) == 2  # the file, and the copy that nobody knows of
    http.delete(f"/v1/uploads/{ticket['id']}").raise_for_status()
    live.call(live.world.uploads.prune_once)
    assert keys(live, f"uploads/{ticket['id']}") == set()


def test_an_empty_file_comes_through_us(http, live):
    ticket = announce(http, b"")
    assert ticket["url"] == f"{live.url}/v1/uploads/{ticket['id']}"


@pytest.mark.requirement("S19")
def test_strangers_and_unknown_outputs_get_no_address(http):
    missing = http.get("/v1/jobs/job_01jd6qx2v7c8e9f0g1h2j3k4m5/outputs/0", params={"redirect": 1})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_one_call_works_on_a_bucket_too(http):
    answer = http.post("/v1/convert", files={"file": ("a.txt", b"hello")}, data={"to": "md"})
    assert (answer.status_code, answer.content) == (200, b"HELLO")
