"""`POST /v1/convert`: what a caller gets for a form, at once or later."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

pytestmark = pytest.mark.both


def convert(http, data=b"hello", name="note.txt", headers=None, **fields):
    return http.post("/v1/convert", files={"file": (name, data)}, data={"to": "md", **fields}, headers=headers or {})


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert set(body) == {
        "type", "title", "status", "detail", "instance", "code", "request_id", "retryable", "errors"
    }  # fmt: skip
    return body


@pytest.mark.requirement("S18")
def test_a_finished_conversion_is_answered_with_its_bytes(http):
    answer = convert(http)
    assert answer.status_code == 200
    assert answer.content == b"HELLO"
    assert answer.headers["content-type"] == "text/markdown"
    assert answer.headers["content-disposition"] == 'attachment; filename="note.md"'
    assert answer.headers["etag"] == f'"{hashlib.sha256(b"HELLO").hexdigest()}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == "5"
    link = answer.headers["link"]
    assert link.startswith("</v1/jobs/job_")
    assert link.endswith('>; rel="job"')
    assert http.get(link[1:].partition(">")[0]).json()["status"] == "succeeded"


@pytest.mark.parametrize("to", ["md", "MD", ".md", "markdown", "text/markdown", "Text/Markdown"])
def test_the_target_may_be_an_id_an_extension_or_a_media_type_in_any_case(http, to):
    assert convert(http, to=to).content == b"HELLO"


def test_several_outputs_come_as_one_zip(http):
    answer = convert(http, b"!many 3", to="png")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["note-1.png", "note-2.png", "note-3.png"]
        assert [archive.read(name) for name in archive.namelist()] == [b"!MANY 3 1", b"!MANY 3 2", b"!MANY 3 3"]


def test_the_target_may_follow_the_file(http):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n'
        b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\nmd\r\n--x--\r\n'
    )
    answer = http.post("/v1/convert", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.content == b"HELLO"


def test_a_failed_conversion_is_the_jobs_problem(http):
    answer = convert(http, b"!fail")
    body = problem(answer, 422, "corrupt_input")
    assert body["detail"] == "The file is torn in two."
    job = answer.headers["link"][1:].partition(">")[0]
    assert body["instance"] == job
    assert http.get(job).json()["error"]["code"] == "corrupt_input"


def test_a_password_reaches_the_conversion_and_no_answer(http):
    problem(convert(http, b"!locked"), 422, "password_required")
    answer = convert(http, b"!locked", password="sesame")
    assert answer.content == b"!LOCKED"
    job = http.get(answer.headers["link"][1:].partition(">")[0])
    assert "sesame" not in job.text


def test_who_prefers_not_to_wait_gets_the_job(http, live):
    answer = convert(http, b"!wait", headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert job["status"] in {"queued", "running"}
    http.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()


def test_who_waits_too_short_gets_the_job(http):
    answer = convert(http, b"!wait", headers={"Prefer": "wait=0.1, wait=1"})
    assert answer.status_code == 202
    http.post(f"{answer.headers['location']}/cancel").raise_for_status()


@pytest.mark.parametrize("prefer", ["wait=-1", "wait=abc", "wait=", "nonsense", "wait=999999999"])
def test_a_preference_that_makes_no_sense_is_no_preference(http, prefer):
    assert convert(http, headers={"Prefer": prefer}).status_code == 200


def test_a_missing_target_is_pointed_at(http):
    answer = http.post("/v1/convert", files={"file": ("a.txt", b"x")})
    assert problem(answer, 400, "invalid_request")["errors"][0]["pointer"] == "/to"


def test_a_missing_file_is_pointed_at(http):
    answer = http.post(
        "/v1/convert",
        content=b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\nmd\r\n--x--\r\n',
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert problem(answer, 400, "invalid_request")["errors"][0]["pointer"] == "/file"


@pytest.mark.parametrize("twice", ["file", "to"])
def test_a_field_that_comes_twice_is_pointed_at_and_nothing_is_left(http, live, twice):
    before = live.files()
    fields = [("file", ("a.txt", b"x")), ("to", (None, "md"))]
    fields.append((twice, ("b.txt", b"y") if twice == "file" else (None, "html")))
    answer = http.post("/v1/convert", files=fields)
    assert problem(answer, 400, "invalid_request")["errors"][0]["pointer"] == f"/{twice}"
    assert live.files() == before


def test_an_unknown_field_is_pointed_at(http):
    answer = convert(http, tier="premium")
    assert problem(answer, 400, "invalid_request")["errors"][0]["pointer"] == "/tier"


@pytest.mark.parametrize("options", ["[1]", "{", "nonsense", '{"a":' * 50 + "1" + "}" * 50, "NaN"])
def test_options_that_are_no_json_object_are_pointed_at(http, options):
    answer = convert(http, options=options)
    assert problem(answer, 400, "invalid_request")["errors"][0]["pointer"] == "/options"


def test_an_unknown_target_is_refused(http, live):
    before = live.files()
    problem(convert(http, to="floppy"), 415, "unsupported_format")
    assert live.files() == before


def test_a_pair_without_a_way_is_refused_and_the_file_is_gone(http, live):
    before = live.files()
    problem(convert(http, to="mp3"), 422, "unsupported_conversion")
    assert live.files() == before


def test_a_pair_that_is_known_to_be_impossible_is_refused_before_the_file_is_read(live, raw):
    with raw(live) as connection:
        connection.send(
            b"POST /v1/convert HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 1000000\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\nmp3\r\n'
            b'--x\r\nContent-Disposition: form-data; name="from"\r\n\r\ntxt\r\n'
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nh'
        )
        status, headers, body = connection.read_response()
    assert status == 422
    assert b"unsupported_conversion" in body
    assert headers["connection"] == "close" or live.has_front, "a front keeps its own connections"


def test_an_empty_file_is_refused(http, live):
    before = live.files()
    problem(convert(http, b""), 422, "empty_input")
    assert live.files() == before


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain",
        "multipart/mixed; boundary=x",
    ],
)
def test_a_body_that_is_no_form_is_refused(http, kind):
    answer = http.post("/v1/convert", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code in {400, 415}
    problem(answer, answer.status_code, "invalid_request")


@pytest.mark.requirement("B33", "S16")
@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("../../etc/passwd.txt", 'attachment; filename="passwd.md"'),
        ("C:\\Users\\me\\plan.txt", 'attachment; filename="plan.md"'),
        ("-rf.txt", 'attachment; filename="-rf.md"'),
        ("con.txt", 'attachment; filename="con.md"'),
        ("$(id);id.txt", 'attachment; filename="$(id);id.md"'),
        ("x'y.txt", 'attachment; filename="x\'y.md"'),
        ("é.txt", "attachment; filename=\"e.md\"; filename*=UTF-8''%C3%A9.md"),
        ("日本.txt", "attachment; filename=\"file.md\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.md"),
        ("gpj\u202etxt.txt", 'attachment; filename="gpjtxt.md"'),
    ],
)
def test_a_hostile_name_is_opaque_text_and_a_safe_header(http, name, header):
    answer = convert(http, name=name)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == header


@pytest.mark.requirement("B33")
@pytest.mark.parametrize(
    "name",
    [
        b"\xff\xfe.txt",
        b"\xed\xa0\x80.txt",
        b"a%0d%0aSet-Cookie: x=1.txt",
        b"n" * 4000 + b".txt",
        b"..",
        b"/",
        b"a\x00b.txt",
    ],
)
def test_a_name_that_is_no_text_does_no_harm(http, name):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    body = head + b'hello\r\n--x\r\nContent-Disposition: form-data; name="to"\r\n\r\nmd\r\n--x--\r\n'
    answer = http.post("/v1/convert", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code in {200, 400}, answer.text
    assert "set-cookie" not in answer.headers
    if answer.status_code == 200:
        disposition = answer.headers["content-disposition"]
        assert len(disposition) < 1000
        assert "/" not in disposition.replace("UTF-8''", "")
        assert answer.content == b"HELLO"
