"""What is compressed, and what never is."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from filewright.chassis.web.compression import Compressed
from filewright.chassis.web.preferences import accepts_gzip

LONG = b'{"data": "' + b"x" * 10_000 + b'"}'
VERY_LONG = b'{"data": "' + b"x" * 100_000 + b'"}'


async def pieces():
    yield LONG
    yield LONG


def answer(request):
    kind = request.path_params["kind"]
    if kind == "stream":
        return StreamingResponse(pieces(), media_type="application/json")
    if kind == "file":
        return Response(LONG, media_type="application/json", headers={"Content-Disposition": "attachment"})
    if kind == "packed":
        return Response(LONG, media_type="application/json", headers={"Content-Encoding": "br"})
    if kind == "bytes":
        return Response(LONG, media_type="application/octet-stream")
    if kind == "events":
        return StreamingResponse(pieces(), media_type="text/event-stream")
    if kind == "partial":
        return Response(LONG, status_code=206, media_type="application/json")
    if kind == "html":
        return Response(LONG, media_type="text/html")
    if kind == "short":
        return Response(b"{}", media_type="application/json", headers={"ETag": '"1"'})
    body = VERY_LONG if kind == "very-long" else LONG
    return Response(body, media_type="application/json", headers={"ETag": '"1"'})


@pytest.fixture
async def http():
    app = Compressed(Starlette(routes=[Route("/{kind}", answer)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        yield client


async def raw(http, kind, accept="gzip"):
    async with http.stream("GET", f"/{kind}", headers={"Accept-Encoding": accept}) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


@pytest.mark.parametrize("kind", ["json", "html", "very-long"])
async def test_a_long_text_comes_compressed(http, kind):
    answer, body = await raw(http, kind)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-length"] == str(len(body))
    assert len(body) < 1000
    assert "accept-encoding" in answer.headers["vary"].lower()
    assert (await http.get(f"/{kind}")).content in {LONG, VERY_LONG}


async def test_a_compressed_answer_is_no_longer_the_same_bytes(http):
    answer, _ = await raw(http, "json")
    assert answer.headers["etag"] == 'W/"1"'


@pytest.mark.parametrize("kind", ["stream", "file", "bytes", "events", "partial", "short"])
async def test_streams_files_and_short_answers_are_left_alone(http, kind):
    answer, body = await raw(http, kind)
    assert "content-encoding" not in answer.headers
    assert body in {LONG, LONG + LONG, b"{}"}


async def test_what_is_packed_already_is_not_packed_again(http):
    answer, body = await raw(http, "packed")
    assert (answer.headers["content-encoding"], body) == ("br", LONG)


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        (None, False), ("", False), ("gzip", True), ("br, GZIP", True), ("gzip;q=0", False), ("gzip; q=0.000", False),
        ("gzip;q=0.001", True), ("*", True), ("*;q=0", False), ("*;q=0, gzip", True), ("identity", False),
        ("gzip;q=0, *", False), ("xgzip", False),
    ],
)  # fmt: skip
async def test_only_who_takes_it_is_given_it(http, header, takes):
    assert accepts_gzip(header) is takes
    answer, _ = await raw(http, "json", accept=header or "")
    assert ("content-encoding" in answer.headers) is takes
