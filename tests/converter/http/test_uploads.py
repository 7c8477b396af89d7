"""Uploads as JSON and one PUT."""

from __future__ import annotations

import hashlib

import pytest

pytestmark = pytest.mark.both

EMPTY = hashlib.sha256(b"").hexdigest()


def announce(http, data=b"hello", **more):
    return http.post("/v1/uploads", json={"filename": "note.txt", "bytes": len(data), **more})


def code_of(answer):
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def test_the_ticket_says_where_and_how_to_send_the_bytes(http, live):
    answer = announce(http)
    assert answer.status_code == 201
    ticket = answer.json()
    assert set(ticket) == {"id", "method", "url", "headers", "expires_at"}
    assert ticket["method"] == "PUT"
    assert ticket["url"] == f"{live.url}/v1/uploads/{ticket['id']}"
    assert answer.headers["location"] == f"/v1/uploads/{ticket['id']}"


def test_a_complete_upload_shows_what_it_is_and_what_it_can_become(http):
    ticket = announce(http).json()
    sent = http.put(ticket["url"], content=b"hello", headers=ticket["headers"])
    assert sent.status_code == 200
    assert sent.json()["state"] == "receiving"
    done = http.post(f"/v1/uploads/{ticket['id']}/complete", json={"sha256": hashlib.sha256(b"hello").hexdigest()})
    assert done.status_code == 200
    view = done.json()
    assert view == http.get(f"/v1/uploads/{ticket['id']}").json()
    assert view["state"] == "complete"
    assert (view["format"], view["media_type"], view["bytes"]) == ("txt", "text/plain", 5)
    assert view["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert set(view["targets"]) == {"md", "html", "png"}
    assert view["suggested_targets"] == ["html", "md", "png"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("noise", bytes(range(256)) * 9),
        ("film.mp4", b"\x7fELF\x02\x01\x01" + bytes(60)),
        ("report.pdf", b"MZ\x90\0" + bytes(200)),
        ("<script>alert(1)</script>.docx", b"\0" * 300),
        ("../../etc/passwd", b"\x9b\x00\x1f" * 50),
        ("empty.docx", b""),
    ],
)
def test_a_file_that_nobody_knows_can_become_nothing(http, upload, name, data):
    view = http.get(f"/v1/uploads/{upload(data, name)}").raise_for_status().json()
    assert view["state"] == "complete"
    assert view["filename"] == name
    assert (view["targets"], view["suggested_targets"]) == ([], [])


def test_completing_twice_is_completing_once(http, upload):
    found = upload()
    assert http.post(f"/v1/uploads/{found}/complete").json()["state"] == "complete"


def test_a_wrong_digest_is_refused_and_the_bytes_may_be_sent_again(http):
    ticket = announce(http, sha256=hashlib.sha256(b"hello").hexdigest()).json()
    http.put(ticket["url"], content=b"jello").raise_for_status()
    refused = http.post(f"/v1/uploads/{ticket['id']}/complete")
    assert code_of(refused) == (400, "invalid_request")
    assert refused.json()["errors"][0]["pointer"] == "/sha256"
    http.put(ticket["url"], content=b"hello").raise_for_status()
    assert http.post(f"/v1/uploads/{ticket['id']}/complete").json()["state"] == "complete"


def test_an_upload_cannot_be_completed_before_its_bytes_are_there(http):
    ticket = announce(http).json()
    assert code_of(http.post(f"/v1/uploads/{ticket['id']}/complete")) == (409, "conflict")


@pytest.mark.parametrize("body", [b"hell", b"hello, too long", b""])
def test_another_size_than_announced_is_refused_and_leaves_nothing(http, live, body):
    before = live.files()
    ticket = announce(http).json()
    answer = http.put(ticket["url"], content=body)
    assert code_of(answer)[0] in {400, 413}
    assert live.files() == before


def test_a_complete_upload_does_not_change_any_more(http, upload):
    assert code_of(http.put(f"/v1/uploads/{upload()}", content=b"other")) == (409, "conflict")


def test_an_empty_file_can_be_uploaded(http):
    ticket = announce(http, b"").json()
    http.put(ticket["url"], content=b"").raise_for_status()
    assert http.post(f"/v1/uploads/{ticket['id']}/complete").json()["sha256"] == EMPTY


def test_a_deleted_upload_is_gone_with_its_bytes(http, live, upload):
    before = live.files()
    found = upload(b"secret")
    assert len(live.files()) == len(before) + 1
    assert http.delete(f"/v1/uploads/{found}").status_code == 204
    assert live.files() == before
    assert code_of(http.get(f"/v1/uploads/{found}")) == (404, "not_found")
    assert code_of(http.delete(f"/v1/uploads/{found}")) == (404, "not_found")


@pytest.mark.parametrize(
    "strange", ["upl_nope", "job_01jd6qx2v7c8e9f0g1h2j3k4m5", "x" * 500, "%00", "%F0%9F%92%A9", "'--"]
)
def test_an_unknown_upload_is_not_found(http, live, strange):
    said = (400, "invalid_request") if strange == "%00" and live.has_front else (404, "not_found")
    for call in (http.get, http.delete):
        assert code_of(call(f"/v1/uploads/{strange}")) == said, "a front does not pass such an address on"
    assert code_of(http.put(f"/v1/uploads/{strange}", content=b"x")) == said
    assert code_of(http.post(f"/v1/uploads/{strange}/complete")) == said


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"filename": "a", "bytes": -1}, "/bytes"),
        ({"filename": "a", "bytes": "5"}, "/bytes"),
        ({"filename": "a", "bytes": 5.5}, "/bytes"),
        ({"filename": "a", "bytes": True}, "/bytes"),
        ({"filename": "a", "bytes": None}, "/bytes"),
        ({"filename": "a", "bytes": 1 << 62}, "/bytes"),
        ({"filename": "a"}, "/bytes"),
        ({"bytes": 1}, "/filename"),
        ({"filename": "", "bytes": 1}, "/filename"),
        ({"filename": "n" * 5000, "bytes": 1}, "/filename"),
        ({"filename": 5, "bytes": 1}, "/filename"),
        ({"filename": "a", "bytes": 1, "sha256": "zz"}, "/sha256"),
        ({"filename": "a", "bytes": 1, "sha256": EMPTY + "0"}, "/sha256"),
        ({"filename": "a", "bytes": 1, "tenant": "other"}, "/tenant"),
        ([], ""),
        ("text", ""),
    ],
)
def test_a_wrong_announcement_is_pointed_at(http, body, pointer):
    answer = http.post("/v1/uploads", json=body)
    assert code_of(answer) == (400, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{'a':1}", b"NaN", b'{"a":1,}', b"[" * 100_000, b'"\\ud800"'])
def test_a_body_that_is_no_json_is_refused(http, body):
    answer = http.post("/v1/uploads", content=body, headers={"Content-Type": "application/json"})
    assert code_of(answer) == (400, "invalid_request")


def test_json_must_be_said_to_be_json(http):
    answer = http.post("/v1/uploads", content=b"{}", headers={"Content-Type": "text/plain"})
    assert code_of(answer) == (415, "invalid_request")


def test_a_huge_json_body_is_cut(http):
    answer = http.post(
        "/v1/uploads", content=b'"' + b"x" * (2 << 20) + b'"', headers={"Content-Type": "application/json"}
    )
    assert code_of(answer) == (413, "too_large")


@pytest.mark.requirement("S15")
def test_an_announcement_over_the_limit_is_too_large(small):
    with small.client() as http:
        answer = http.post("/v1/uploads", json={"filename": "a.bin", "bytes": (2 << 20) + 1})
        assert code_of(answer) == (413, "too_large")


def test_an_upload_behind_a_name_like_a_path_stays_where_it_belongs(http, live):
    ticket = http.post("/v1/uploads", json={"filename": "../../../tmp/evil.txt", "bytes": 2}).json()
    http.put(ticket["url"], content=b"hi").raise_for_status()
    view = http.post(f"/v1/uploads/{ticket['id']}/complete").json()
    assert view["filename"] == "../../../tmp/evil.txt"
    assert all(key.startswith(("uploads/", "results/")) for key in live.files())
