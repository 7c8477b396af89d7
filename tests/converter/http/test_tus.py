"""tus 1.0.0: by hand, to the letter of the protocol, and with a client that others wrote."""

from __future__ import annotations

import base64
import hashlib
import io
import time

import pytest
from tusclient.client import TusClient

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {**TUS, "Content-Type": "application/offset+octet-stream"}


def create(http, length, name="note.txt", **more):
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    return http.post("/v1/uploads", headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata, **more})


def patch(http, location, offset, data, **more):
    return http.patch(location, content=data, headers={**CHUNK, "Upload-Offset": str(offset), **more})


def head(http, location):
    return http.head(location, headers=TUS)


def checksum(data, algorithm="sha256"):
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def test_options_say_what_is_spoken(http):
    answer = http.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-resumable"] == answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) >= {"creation", "termination", "checksum", "expiration"}
    assert int(answer.headers["tus-max-size"]) > 0
    assert set(answer.headers["tus-checksum-algorithm"].split(",")) >= {"sha1", "sha256"}


def test_a_file_sent_in_pieces_is_the_file(http):
    created = create(http, 10)
    assert created.status_code == 201
    location = created.headers["location"]
    assert created.headers["upload-expires"].endswith("GMT")
    first = patch(http, location, 0, b"hello")
    assert (first.status_code, first.headers["upload-offset"]) == (204, "5")
    standing = head(http, location)
    assert standing.status_code == 200
    assert (standing.headers["upload-offset"], standing.headers["upload-length"]) == ("5", "10")
    assert standing.headers["cache-control"] == "no-store"
    assert standing.headers["upload-metadata"].startswith("filename ")
    last = patch(http, location, 5, b"world")
    assert last.headers["upload-offset"] == "10"
    view = http.get(location).json()
    assert view["state"] == "complete"
    assert view["filename"] == "note.txt"
    assert view["sha256"] == hashlib.sha256(b"helloworld").hexdigest()


def test_what_was_sent_in_pieces_can_be_converted(http):
    location = create(http, 10).headers["location"]
    patch(http, location, 0, b"hello")
    patch(http, location, 5, b"world")
    job = http.post("/v1/jobs", json={"inputs": [{"upload": location.rpartition("/")[2]}], "to": "md"}).json()
    done = http.get(f"/v1/jobs/{job['id']}", params={"wait": 20})
    while done.json()["status"] in {"queued", "running"}:
        done = http.get(f"/v1/jobs/{job['id']}", params={"wait": 20})
    assert http.get(done.json()["outputs"][0]["url"]).content == b"HELLOWORLD"


def test_creation_may_bring_bytes(http):
    created = http.post("/v1/uploads", content=b"hel", headers={**CHUNK, "Upload-Length": "5"})
    assert (created.status_code, created.headers["upload-offset"]) == (201, "3")
    patch(http, created.headers["location"], 3, b"lo")
    assert http.get(created.headers["location"]).json()["state"] == "complete"


def test_an_upload_of_nothing_is_complete_at_once(http):
    assert http.get(create(http, 0).headers["location"]).json()["state"] == "complete"


@pytest.mark.requirement("F24")
def test_bytes_that_came_before_the_connection_broke_are_kept(http, live, raw_behind):
    location = create(http, 100_000).headers["location"]
    with raw_behind(live) as connection:
        connection.send(
            f"PATCH {location} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            "Content-Type: application/offset+octet-stream\r\nContent-Length: 100000\r\n\r\n".encode()
        )
        connection.send(b"a" * 60_000)
    deadline = time.monotonic() + 20
    while head(http, location).headers["upload-offset"] == "0":
        assert time.monotonic() < deadline
    assert head(http, location).headers["upload-offset"] == "60000"
    assert patch(http, location, 60_000, b"b" * 40_000).status_code == 204
    assert http.get(location).json()["sha256"] == hashlib.sha256(b"a" * 60_000 + b"b" * 40_000).hexdigest()


@pytest.mark.parametrize("offset", [1, 4, 6, 10**17])
def test_another_offset_than_where_it_stands_is_a_conflict(http, offset):
    location = create(http, 10).headers["location"]
    patch(http, location, 0, b"hello")
    assert patch(http, location, offset, b"x").status_code == 409
    assert head(http, location).headers["upload-offset"] == "5"


@pytest.mark.parametrize("offset", ["-1", "abc", "", "1.0", "١", "1e3", "9" * 40])
def test_an_offset_that_is_no_number_is_refused(http, offset):
    location = create(http, 10).headers["location"]
    answer = http.patch(location, content=b"x", headers={**CHUNK, "Upload-Offset": offset.encode()})
    assert answer.status_code == 400
    assert answer.headers["tus-resumable"] == "1.0.0"


def test_another_type_than_a_chunk_is_refused(http):
    location = create(http, 10).headers["location"]
    answer = http.patch(location, content=b"x", headers={**TUS, "Upload-Offset": "0", "Content-Type": "text/plain"})
    assert answer.status_code == 415


@pytest.mark.parametrize("version", ["0.2.2", "2.0.0", ""])
def test_another_version_is_refused(http, version):
    for answer in (
        http.post("/v1/uploads", headers={"Tus-Resumable": version, "Upload-Length": "1"}),
        http.patch("/v1/uploads/upl_x", headers={**CHUNK, "Tus-Resumable": version, "Upload-Offset": "0"}),
        http.head("/v1/uploads/upl_x", headers={"Tus-Resumable": version}),
    ):
        assert answer.status_code == 412
        assert answer.headers["tus-version"] == "1.0.0"


def test_more_bytes_than_announced_are_refused(http):
    location = create(http, 5).headers["location"]
    assert patch(http, location, 0, b"hello world").status_code == 413
    assert head(http, location).headers["upload-offset"] == "0"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_bytes_that_match_their_checksum_are_kept(http, algorithm):
    location = create(http, 5).headers["location"]
    assert patch(http, location, 0, b"hello", **{"Upload-Checksum": checksum(b"hello", algorithm)}).status_code == 204


def test_bytes_that_do_not_match_their_checksum_are_dropped(http, live):
    before = live.files()
    location = create(http, 5).headers["location"]
    answer = patch(http, location, 0, b"jello", **{"Upload-Checksum": checksum(b"hello")})
    assert answer.status_code == 460
    assert head(http, location).headers["upload-offset"] == "0"
    assert live.files() == before


@pytest.mark.parametrize("value", ["md5 abc", "sha256 !!!", "sha256", "", "crc32 AAAA"])
def test_a_checksum_that_is_none_is_refused(http, value):
    location = create(http, 5).headers["location"]
    assert patch(http, location, 0, b"hello", **{"Upload-Checksum": value}).status_code == 400


@pytest.mark.parametrize("length", ["-1", "abc", "", "1.5", "9" * 30])
def test_a_length_that_is_no_number_is_refused(http, length):
    answer = http.post("/v1/uploads", headers={**TUS, "Upload-Length": length})
    assert answer.status_code == 400


def test_a_length_over_the_limit_is_too_large(small):
    with small.client() as http:
        assert create(http, (2 << 20) + 1).status_code == 413


@pytest.mark.parametrize("metadata", ["filename !!!", "a b,a b", "a Zg==,a Zg==", "x" * 20_000, "name é".encode()])
def test_metadata_that_is_none_is_refused(http, metadata):
    answer = http.post("/v1/uploads", headers={**TUS, "Upload-Length": "1", "Upload-Metadata": metadata})
    assert answer.status_code == 400


def test_termination_takes_the_bytes_away(http, live):
    before = live.files()
    location = create(http, 10).headers["location"]
    patch(http, location, 0, b"hello")
    answer = http.delete(location, headers=TUS)
    assert (answer.status_code, answer.headers["tus-resumable"]) == (204, "1.0.0")
    assert head(http, location).status_code == 404
    assert patch(http, location, 5, b"world").status_code == 404
    assert live.files() == before


def test_a_client_without_patch_may_say_so(http):
    location = create(http, 5).headers["location"]
    headers = {**CHUNK, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert http.post(location, content=b"hello", headers=headers).status_code == 204
    assert http.get(location).json()["state"] == "complete"


def test_two_writers_at_one_offset_do_not_mix(http, live):
    """The one that commits first wins; the other's bytes are dropped."""
    location = create(http, 5).headers["location"]
    upload = location.rpartition("/")[2]

    async def race():
        import asyncio

        from filewright.converter.tiers import LOCAL, Caller

        async def body(data):
            yield data

        caller = Caller("local", LOCAL)
        tries = [live.world.uploads.append(caller, upload, 0, body(data)) for data in (b"AAAAA", b"BBBBB", b"CCCCC")]
        return await asyncio.gather(*tries, return_exceptions=True)

    results = live.call(race)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    view = http.get(location).json()
    assert view["sha256"] in {hashlib.sha256(data).hexdigest() for data in (b"AAAAA", b"BBBBB", b"CCCCC")}


def test_an_independent_client_resumes_and_finishes(http, live, tmp_path):
    data = bytes(range(256)) * 4000
    client = TusClient(f"{live.url}/v1/uploads/".rstrip("/"))
    uploader = client.uploader(
        file_stream=io.BytesIO(data), chunk_size=300_000, metadata={"filename": "data.bin"}, upload_checksum=True
    )
    uploader.upload_chunk()
    again = client.uploader(file_stream=io.BytesIO(data), chunk_size=300_000, url=uploader.url, upload_checksum=True)
    assert again.offset == 300_000
    again.upload()
    path = "/v1/uploads/" + uploader.url.rpartition("/")[2]
    assert http.get(path).json()["sha256"] == hashlib.sha256(data).hexdigest()


def test_an_upload_goes_on_after_the_server_was_started_anew(serve, tmp_path):
    with serve(tmp_path) as live, live.client() as http:
        location = create(http, 10).headers["location"]
        patch(http, location, 0, b"hello")
    with serve(tmp_path) as live, live.client() as http:
        assert head(http, location).headers["upload-offset"] == "5"
        assert patch(http, location, 5, b"world").status_code == 204
        view = http.get(location).json()
        assert view["sha256"] == hashlib.sha256(b"helloworld").hexdigest()
        assert (view["format"], view["suggested_targets"]) == ("txt", ["html", "md", "png"])
