"""What a client meets: one address before many processes, and an edge for signed downloads."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from botocore.config import Config
from stackkit.trying import Tried, eventually

from filewright.stack.layout import Layout

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.alone]


@pytest.fixture
def front(one_for_all: Tried) -> Tried:
    return one_for_all


@pytest.fixture
def client(front: Tried) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=front.url, timeout=30) as client:
        yield client


@pytest.fixture
def bucket(front: Tried):
    address = urlsplit(front.settings["FILEWRIGHT_STORAGE_URL"])
    endpoint = parse_qs(address.query)["endpoint"][0]
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=front.settings["FILEWRIGHT_S3_ACCESS_KEY_ID"],
        aws_secret_access_key=front.settings["FILEWRIGHT_S3_SECRET_ACCESS_KEY"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    yield client, address.netloc
    client.close()


def signed(bucket, front: Tried, key: str) -> str:
    """The address of an object as a client gets it: signed for the store, led through the front."""
    client, name = bucket
    url = urlsplit(client.generate_presigned_url("get_object", Params={"Bucket": name, "Key": key}, ExpiresIn=600))
    return f"{front.url}{url.path}?{url.query}"


@pytest.mark.requirement("A3")
def test_requests_reach_every_api_process(front: Tried, client: httpx.Client):
    answered = {client.get("/who").json()["pid"] for _ in range(20)}
    assert answered == {row.pid for row in front.rows("api")}


@pytest.mark.requirement("A3")
def test_what_a_client_says_of_itself_is_not_believed(front: Tried, client: httpx.Client):
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Forwarded-Proto": "gopher",
    }
    headers = client.get("/who", headers=lies).json()["headers"]
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == headers["host"] == urlsplit(front.url).netloc
    assert "6.6.6.6" not in str(headers)


def test_an_upload_arrives_while_it_is_still_being_sent(front: Tried):
    address = urlsplit(front.url)
    half = b"x" * 100_000
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        head = f"PUT /v1/uploads/half HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {2 * len(half)}\r\n\r\n"
        connection.sendall(head.encode() + half)
        work = Layout(front.data).run / "work"
        eventually(lambda: any(file.read_text() == str(len(half)) for file in work.glob("*/half")))
        connection.sendall(half)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_an_event_arrives_while_the_stream_goes_on(client: httpx.Client):
    with client.stream("GET", "/v1/jobs/job_1/events") as response:
        assert next(response.iter_raw()) == b"data: first\n\n"
        assert not response.is_closed


def test_long_json_goes_compressed_over_the_wire(client: httpx.Client):
    with client.stream("GET", "/v1/formats", headers={"Accept-Encoding": "gzip"}) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert len(raw) < 1000
    assert json.loads(gzip.decompress(raw))["text"].startswith("the quick")


def test_results_go_through_untouched(client: httpx.Client):
    response = client.get("/v1/jobs/job_1/outputs/0", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert response.headers["etag"] == '"strong"'
    assert response.content.endswith(b"x" * 5000)


def test_the_edge_keeps_a_signed_download(front: Tried, client: httpx.Client, bucket):
    store, name = bucket
    content = bytes(range(256)) * 1000
    store.put_object(Bucket=name, Key="kept", Body=content)
    address = signed(bucket, front, "kept")
    first, second = client.get(address), client.get(address)
    assert (first.headers["x-edge"], second.headers["x-edge"]) == ("MISS", "HIT")
    assert first.content == second.content == content
    part = client.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content, part.headers["x-edge"]) == (206, content[10:20], "HIT")


def test_the_edge_gives_nothing_to_who_has_no_signature(front: Tried, client: httpx.Client, bucket):
    store, name = bucket
    store.put_object(Bucket=name, Key="private", Body=b"private")
    address = signed(bucket, front, "private")
    assert client.get(address).content == b"private"
    forged = address[:-8] + ("0" * 8 if not address.endswith("0" * 8) else "1" * 8)
    assert client.get(forged).status_code == 403
    assert client.get(address.partition("?")[0]).status_code == 404
    assert client.get(f"/{name}/").status_code == 404
    assert client.put(address, content=b"other").status_code == 403
    assert store.get_object(Bucket=name, Key="private")["Body"].read() == b"private"


def test_signatures_are_not_logged(front: Tried, client: httpx.Client, bucket):
    store, name = bucket
    store.put_object(Bucket=name, Key="logged", Body=b"x")
    client.get(signed(bucket, front, "logged"))
    log = Layout(front.data).run / "nginx" / "nginx-access.log"
    eventually(lambda: f'"path":"/{name}/logged"' in log.read_text())
    assert "Signature" not in log.read_text()


def test_without_any_api_process_a_client_is_told_to_come_back(front: Tried, client: httpx.Client):
    front.stack.scale({"api": 0})
    refused = client.get("/v1/formats")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "2"
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["code"], problem["status"], problem["retryable"]) == ("overloaded", 503, True)
    front.stack.scale({"api": 2})
    assert client.get("/v1/formats").status_code == 200
