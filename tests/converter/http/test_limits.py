"""What is cut off, how soon, and that nothing is left: sizes, shapes and pace of requests, on raw sockets."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time

import pytest

MIB = 1 << 20
FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"
TO = b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\nmd\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'


def post(path, *headers, host=b"x"):
    return b"POST " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + b"".join(headers) + b"\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def uploads_left(live):
    async def look():
        return [item.key async for item in live.world.store.list("uploads")]

    return live.call(look)


@pytest.mark.requirement("S15", "B34")
def test_a_declared_size_over_the_limit_is_refused_before_a_byte_is_read(small, raw_behind):
    with raw_behind(small) as connection:
        connection.send(post(b"/v1/convert", FORM, b"Content-Length: 99999999\r\n", b"Expect: 100-continue\r\n"))
        status, headers, body = connection.read_response()
    assert (status, json.loads(body)["code"]) == (413, "too_large")
    assert headers["connection"] == "close"


@pytest.mark.requirement("S15", "B34")
@pytest.mark.parametrize("head", [b"", b"Expect: 100-continue\r\n"])
def test_who_sends_too_much_hears_why_while_they_send(small, raw, head):
    with raw(small) as connection:
        connection.send(post(b"/v1/convert", FORM, b"Content-Length: 99999999\r\n", head))
        connection.send(TO + FILE + b"a" * 3 * MIB)
        status, _, body = connection.read_response()
    assert (status, json.loads(body)["code"]) == (413, "too_large")


@pytest.mark.requirement("S15", "B34")
@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked\r\n"])
def test_a_body_that_goes_on_is_cut_at_the_limit_and_leaves_nothing(small, raw_behind, framing):
    before = uploads_left(small)
    piece = chunk(b"a" * 65536)
    with raw_behind(small) as connection:
        connection.send(post(b"/v1/convert", FORM, framing) + chunk(TO + FILE))
        sent = connection.send_until_closed(piece, 200 * MIB)
        answer = connection.read_all()
    assert sent < 30 * MIB, "what the kernel's buffers hold may be on the way, no more"
    assert not answer or b" 413 " in answer.partition(b"\r\n")[0]
    assert uploads_left(small) == before


@pytest.mark.requirement("S15")
def test_what_the_server_takes_of_a_body_ends_within_64_kib_of_the_limit(small):
    """Counted inside, at the door of the application."""
    from filewright.chassis.web.body import limited
    from filewright.chassis.web.problems import BodyTooLarge

    taken = 0

    class Endless:
        def __init__(self):
            self.headers = {}

        async def stream(self):
            nonlocal taken
            while True:
                taken += 65536
                yield b"a" * 65536

    async def read():
        async for _ in limited(Endless(), 2 * MIB):
            pass

    with pytest.raises(BodyTooLarge):
        asyncio.run(read())
    assert taken <= 2 * MIB + 65536


@pytest.mark.requirement("B34", "S37")
@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: abc\r\n",
        b"Content-Length: 0x10\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content Length: 5\r\n",
        b"X: a\0b\r\n",
        b": empty\r\n",
        b" folded\r\n",
    ],
)
def test_a_request_with_two_meanings_is_refused_and_the_connection_closed(small, raw, head):
    with raw(small) as connection:
        connection.send(post(b"/v1/uploads", b"Content-Type: application/json\r\n", head) + b"hello\r\n0\r\n\r\n")
        connection.close_for_sending()
        answer = connection.read_all()
    status = answer.split(b" ", 2)[1]
    assert status in {b"400", b"411", b"501"}, answer[:200]
    assert answer.count(b"HTTP/1.1") == 1
    assert b"application/problem+json" in answer


@pytest.mark.requirement("S37")
@pytest.mark.parametrize(
    "garbage", [b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00", b"a" * 9000]
)
def test_what_is_no_http_is_answered_with_a_problem_or_nothing(small, raw, garbage):
    with raw(small) as connection:
        connection.send(garbage)
        connection.close_for_sending()
        answer = connection.read_all()
    assert not answer or (answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505 ")) and b"problem+json" in answer)


@pytest.mark.requirement("S37")
def test_endless_headers_are_cut(small, raw_behind):
    with raw_behind(small) as connection:
        connection.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        sent = connection.send_until_closed(b"X-Fill: " + b"a" * 1000 + b"\r\n", 50 * MIB)
    assert sent < 20 * MIB


@pytest.mark.requirement("S37")
def test_a_head_that_is_too_large_is_refused(small):
    with small.client() as http:
        assert http.get("/livez", headers={"X-Fill": "a" * 70_000}).status_code == 431
        assert http.get("/v1/jobs?tag=" + "a" * 9000).status_code == 414


@pytest.mark.requirement("B34")
@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("many parts", b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\n\r\n' * 100_000),
        ("endless part header", b"--x\r\nX: " + b"a" * MIB),
        ("many part headers", b"--x\r\n" + b"X: y\r\n" * 50_000),
        ("a huge field", b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\n' + b"a" * 5 * MIB),
        ("a huge unknown field", b'--x\r\nContent-Disposition: form-data; name="zz"\r\n\r\n' + b"a" * 5 * MIB),
        ("no closing boundary", TO + FILE + b"hello"),
        ("an endless epilogue", TO + FILE + b"hello\r\n--x--\r\n" + b"a" * 3 * MIB),
        ("no name", b"--x\r\nContent-Disposition: form-data\r\n\r\nhi\r\n--x--\r\n"),
        ("no disposition", b"--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n--x--\r\n"),
        ("another boundary", b"--y\r\n\r\nhi\r\n--y--\r\n"),
        ("nothing", b""),
        ("only line ends", b"\r\n" * 100_000),
    ],
)  # fmt: skip
def test_a_hostile_form_is_refused_soon_and_leaves_nothing(small, raw, name, body):
    before = uploads_left(small)
    began = time.monotonic()
    with raw(small) as connection:
        connection.send(post(b"/v1/convert", FORM, b"Content-Length: %d\r\n" % len(body)))
        connection.send_until_closed(body, len(body)) if body else None
        status, _, answer = connection.read_response()
    if status:
        assert status in {400, 413}, answer
        assert json.loads(answer)["code"] in {"invalid_request", "too_large"}
    assert time.monotonic() - began < 10
    assert uploads_left(small) == before


@pytest.mark.requirement("B34")
def test_a_file_full_of_line_ends_costs_no_more_than_another(small):
    with small.client() as http:
        began = time.process_time()
        answer = http.post("/v1/convert", files={"file": ("a.txt", b"\r\n" * (1 << 19))}, data={"to": "md"})
        assert answer.status_code == 200
        assert answer.content == b"\r\n" * (1 << 19)
        assert time.process_time() - began < 5


@pytest.mark.requirement("F24")
def test_a_form_that_breaks_off_leaves_no_job_and_no_file(small, raw):
    before = uploads_left(small)
    with small.client() as http, raw(small) as connection:
        jobs = len(http.get("/v1/jobs", params={"limit": 100}).json()["data"])
        connection.send(post(b"/v1/convert", FORM, b"Content-Length: 1000000\r\n") + TO + FILE + b"a" * 300_000)
    deadline = time.monotonic() + 5
    while uploads_left(small) != before and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert uploads_left(small) == before
    with small.client() as http:
        assert len(http.get("/v1/jobs", params={"limit": 100}).json()["data"]) == jobs


@pytest.mark.requirement("S37")
@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/jobs"])
def test_json_that_is_too_deep_is_refused(small, path):
    with small.client() as http:
        for body in ('{"a":' * 40 + "1" + "}" * 40, "[" * 500_000, '{"filename":' + "[" * 33 + "]" * 33 + "}"):
            answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.requirement("S15")
@pytest.mark.slow
def test_a_gibibyte_goes_through_without_filling_the_memory(serve, tmp_path_factory, raw):
    """Growth of the processes that answer, while one receives the file; and then the bytes are all there."""
    folder = tmp_path_factory.mktemp("gib")
    size, piece = 1 << 30, os.urandom(1 << 20)
    with serve(folder) as live, live.client() as http:
        ticket = http.post("/v1/uploads", json={"filename": "big.bin", "bytes": size}).json()
        http.get("/livez")
        before = live.resident()
        with raw(live) as connection:
            connection.send(
                f"PUT /v1/uploads/{ticket['id']} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
            )
            peak = 0
            for n in range(1024):
                connection.send(piece)
                if n % 16 == 0:
                    peak = max(peak, live.resident())
            status, _, _ = connection.read_response()
        assert status == 200
        assert http.get(f"/v1/uploads/{ticket['id']}").json()["received"] == size
        assert http.delete(f"/v1/uploads/{ticket['id']}").status_code == 204
    assert peak - before < 32 * MIB
