"""Files that go with the program: addresses that mean their bytes, compressed once."""

from __future__ import annotations

import gzip

import brotli
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from filewright.chassis.web.statics import StaticFolder

WRITTEN = b"/** What it all comes to. */\nexport const answer = 42; // at last\n" * 50
SCRIPT = b"export const answer=42;" * 50
"""What a browser gets of it: it has no use for comments."""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "app.js").write_bytes(WRITTEN)
    (tmp_path / "texts" / "de.js").write_bytes(b"export default {};")
    (tmp_path / "mark.svg").write_bytes(b"<svg/>")
    (tmp_path / "style.css").write_bytes(b"p{}")
    (tmp_path / "secret.key").write_bytes(b"not to be served")
    return tmp_path


def test_what_strings_and_patterns_hold_is_no_comment(tmp_path):
    script = b"const address='http://t/*x*/';const text=`// ${address} {\\n  }`;const slash=/[/]\\/\\/ /.test('//');"
    (tmp_path / "app.js").write_bytes(script)
    assert StaticFolder(tmp_path)._files["app.js"].body == script


@pytest.fixture
def static(folder):
    return StaticFolder(folder)


@pytest.fixture
async def http(static):
    async def answer(request: Request) -> Response:
        return static.answer(request, request.path_params["name"])

    app = Starlette(routes=[Route("/static/{name:path}", answer)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("texts/de.js", "text/javascript; charset=utf-8"),
        ("mark.svg", "image/svg+xml"),
        ("style.css", "text/css; charset=utf-8"),
    ],
)
async def test_each_file_has_its_type_and_is_kept_for_ever(http, static, name, kind):
    answer = await http.get(f"{static.address}/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_file_without_its_digest_is_kept_for_minutes(http):
    answer = await http.get("/static/app.js")
    assert answer.content == SCRIPT
    assert "immutable" not in answer.headers["cache-control"]


async def test_a_long_file_comes_compressed_to_whoever_takes_it(http, static):
    forms = {"gzip, deflate, br, zstd": "br", "gzip;q=0, br": "br", "gzip": "gzip", "br;q=0, *": "gzip", "": None}
    found = {
        accepted: await http.get(f"{static.address}/app.js", headers={"Accept-Encoding": accepted})
        for accepted in forms
    }
    for accepted, coding in forms.items():
        assert found[accepted].headers.get("content-encoding") == coding, accepted
        assert coding is None or int(found[accepted].headers["content-length"]) < len(SCRIPT) / 5
        assert found[accepted].content == SCRIPT
        assert found[accepted].headers["vary"] == "Accept-Encoding"
    assert len({answer.headers["etag"] for answer in found.values()}) == 3


async def test_what_compression_makes_no_shorter_comes_as_it_is(http, static):
    assert "content-encoding" not in (await http.get(f"{static.address}/style.css")).headers


async def test_who_has_the_file_already_is_told_so(http, static):
    first = await http.get(f"{static.address}/app.js")
    again = await http.get(f"{static.address}/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["secret.key", "0123456789abcdef/app.js", "../statics.py", "%2e%2e/app.js", "app.js/", "", "texts"]
)
async def test_what_is_no_file_of_ours_is_not_there(http, name):
    assert (await http.get(f"/static/{name}")).status_code == 404


def test_another_byte_anywhere_is_another_address(static, folder):
    (folder / "texts" / "de.js").write_bytes(b"export default {a: 1};")
    assert StaticFolder(folder).address != static.address


def test_a_compressed_file_is_the_same_on_every_machine(static, folder):
    again = StaticFolder(folder)
    assert again.digest == static.digest
    for accepted, unpack in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        forms = {one._files["app.js"].packed_for(accepted) for one in (static, again)}
        assert len(forms) == 1
        (packed,) = forms
        assert packed is not None
        assert unpack(packed[1]) == SCRIPT
