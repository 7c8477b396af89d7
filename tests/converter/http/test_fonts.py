"""Fonts as their owner meets them: over HTTP."""

from __future__ import annotations

import uuid

import pytest
from httpkit.people import somebody

from fontkit import font, made, wrapped


@pytest.fixture(scope="module")
def service(tmp_path_factory, serve):
    with serve(tmp_path_factory.mktemp("fonts"), local=False) as live:
        yield live


@pytest.fixture(scope="module")
def http(service):
    with service.client() as client:
        yield client


@pytest.fixture
def ada(http):
    return somebody(http)


def send(http, data, person, **more):
    return http.post("/v1/fonts", files={"file": ("Quillmark-Bold.ttf", data)}, headers={**person.headers, **more})


def test_a_font_is_brought_shown_listed_and_taken_away(http, ada):
    made = send(http, font("Quillmark", style="Bold"), ada)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert made.headers["location"] == f"/v1/fonts/{shown['id']}"
    assert (shown["filename"], shown["format"], shown["embedding"]) == ("Quillmark-Bold.ttf", "ttf", "installable")
    assert shown["faces"] == [
        {
            "family": "Quillmark",
            "style": "Bold",
            "full_name": "Quillmark Bold",
            "postscript_name": "Quillmark-Bold",
        }
    ]
    assert http.get(made.headers["location"], headers=ada.headers).json() == shown
    page = http.get("/v1/fonts", headers=ada.headers).json()
    assert (page["data"], page["fonts"], page["bytes"], page["max_fonts"]) == ([shown], 1, shown["bytes"], 20)
    assert http.delete(made.headers["location"], headers=ada.headers).status_code == 204
    assert http.get(made.headers["location"], headers=ada.headers).status_code == 404
    assert http.get("/v1/fonts", headers=ada.headers).json()["data"] == []


@pytest.mark.parametrize("flavour", ["woff", "woff2"])
def test_a_font_of_the_web_is_one_too(http, ada, flavour):
    made_known = send(http, wrapped(made("Quillmark", fs_type=0x8), flavour), ada)
    assert made_known.status_code == 201, made_known.text
    shown = made_known.json()
    assert (shown["format"], shown["embedding"], shown["faces"][0]["family"]) == (flavour, "editable", "Quillmark")


def test_a_page_goes_on_where_the_one_before_ended(http, ada):
    ids = [send(http, font(f"Quillmark {n}"), ada).json()["id"] for n in range(3)]
    first = http.get("/v1/fonts", params={"limit": 2}, headers=ada.headers).json()
    rest = http.get("/v1/fonts", params={"limit": 2, "cursor": first["next_cursor"]}, headers=ada.headers).json()
    assert [item["id"] for item in first["data"] + rest["data"]] == ids[::-1]
    assert rest["next_cursor"] is None


def test_the_same_request_again_is_answered_alike_and_the_same_bytes_are_one_font(http, ada):
    key, data = {"Idempotency-Key": uuid.uuid4().hex}, font("Quillmark")
    first, again, later = send(http, data, ada, **key), send(http, data, ada, **key), send(http, data, ada)
    assert (first.status_code, again.status_code, later.status_code) == (201, 201, 200)
    assert first.json() == again.json() == later.json()


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"no font", 415, "unsupported_format"),
        (font("Quillmark")[:3000], 422, "corrupt_input"),
        (font("Quillmark", fs_type=2), 422, "font_not_embeddable"),
    ],
    ids=["no font", "broken", "restricted"],
)
def test_what_can_not_be_taken_is_refused_and_nothing_is_kept(http, ada, data, status, code):
    answer = send(http, data, ada)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert http.get("/v1/fonts", headers=ada.headers).json()["fonts"] == 0


def test_a_key_needs_the_scope(http, ada):
    reads = {"Authorization": f"Bearer {ada.key(http, ['fonts:read'])['key']}"}
    assert http.get("/v1/fonts", headers=reads).status_code == 200
    refused = http.post("/v1/fonts", files={"file": ("f.ttf", font("Quillmark"))}, headers=reads)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
