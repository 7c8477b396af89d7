"""What a client meets: one address before many processes, and an edge for what is signed and what is for everybody."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from botocore.config import Config
from cryptography import x509
from stackkit.trying import Tried, eventually

from filewright.chassis.clock import SystemClock
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.storage.presigning import WINDOW, window_of
from filewright.stack.certificate import certificate
from filewright.stack.front_files import brotli_module
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
    """The address of an object as a client gets it, signed for the name that it knows."""
    settings = front.settings
    client = boto3.client(
        "s3",
        endpoint_url=front.url,
        region_name="us-east-1",
        aws_access_key_id=settings["FILEWRIGHT_S3_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["FILEWRIGHT_S3_SECRET_ACCESS_KEY"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    try:
        return client.generate_presigned_url("get_object", Params={"Bucket": bucket[1], "Key": key}, ExpiresIn=600)
    finally:
        client.close()


@pytest.fixture
def store(front: Tried) -> ObjectStore:
    """The bucket as the product has it where its clients reach it through the front."""
    url = front.settings["FILEWRIGHT_STORAGE_URL"].replace("public_endpoint=none", f"public_endpoint={front.url}")
    return open_store(
        url,
        access_key_id=front.settings["FILEWRIGHT_S3_ACCESS_KEY_ID"],
        secret_access_key=front.settings["FILEWRIGHT_S3_SECRET_ACCESS_KEY"],
    )


def curl(front: Tried, path: str, *more: str) -> subprocess.CompletedProcess[bytes]:
    """A client that somebody else wrote, over TLS, with the stack's certificate and no other."""
    status = front.stack.status()
    assert status.secure_url is not None
    url = status.secure_url.replace("127.0.0.1", "localhost") + path
    command = ["curl", "-sS", "--max-time", "30", "--cacert", str(status.certificate), *more, url]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.mark.requirement("A3")
def test_requests_reach_every_api_process(front: Tried, client: httpx.Client):
    answered = {client.get("/who").json()["pid"] for _ in range(20)}
    assert answered == {row.pid for row in front.rows("api")}


@pytest.mark.requirement("A3", "S12")
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


@pytest.mark.requirement("A3")
def test_browsers_speak_http2_over_tls(front: Tried):
    outcome = curl(front, "/who", "--http2", "-w", "\n%{http_version} %{http_code}")
    body, told = outcome.stdout.splitlines()
    assert told == b"2 200", outcome.stderr
    assert json.loads(body)["headers"]["x-forwarded-proto"] == "https"


@pytest.mark.parametrize(("version", "taken"), [("1.3", True), ("1.2", True), ("1.1", False)])
@pytest.mark.requirement("S34")
def test_old_tls_is_refused(front: Tried, version: str, taken: bool):
    limits = ["--tls-max", version, "--ciphers", "DEFAULT@SECLEVEL=0"]
    assert (curl(front, "/who", *limits).returncode == 0) is taken


def test_nobody_is_told_to_stay_with_tls_on_a_name_that_others_use(front: Tried):
    assert b"strict-transport-security" not in curl(front, "/who", "-i").stdout.lower()


def test_a_certificate_is_for_the_names_of_this_machine_and_kept(front: Tried):
    made = x509.load_pem_x509_certificate((front.data / "tls" / "tls.crt").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} >= {"127.0.0.1", "::1"}
    layout = Layout(front.data)
    assert certificate(layout, "127.0.0.1") == certificate(layout, "127.0.0.1")
    assert {path.stat().st_mode & 0o077 for path in (front.data / "tls").iterdir()} == {0}


def test_events_come_over_http2_as_they_happen(front: Tried):
    outcome = curl(front, "/v1/jobs/job_1/events", "--http2", "-N", "--max-time", "2", "-w", "%{http_version}")
    assert outcome.stdout == b"data: first\n\n2"
    assert outcome.returncode == 28, "it would have gone on"


@pytest.mark.requirement("H4")
def test_what_is_long_goes_in_the_smallest_form_that_the_client_takes(front: Tried):
    best = b"br" if brotli_module() else b"gzip"
    for accepted, coding in (
        ("gzip, deflate, br", best),
        ("gzip", b"gzip"),
        ("identity", b""),
        ("br;q=0, gzip", b"gzip"),
    ):
        head = curl(
            front, "/v1/long", "-D", "-", "-o", "/dev/null", "-H", f"Accept-Encoding: {accepted}"
        ).stdout.lower()
        found = [line.partition(b": ")[2] for line in head.splitlines() if line.startswith(b"content-encoding")]
        assert found == ([coding] if coding else []), accepted
    raw = curl(front, "/v1/long", "-H", "Accept-Encoding: gzip, br").stdout
    unpacked = curl(front, "/v1/long", "--compressed").stdout
    assert len(raw) < 1000
    assert json.loads(unpacked)["text"].startswith("the quick")


@pytest.mark.requirement("H3")
def test_the_pages_files_are_asked_for_once(front: Tried, client: httpx.Client):
    answers = [client.get("/static/0123/app.js", headers={"Accept-Encoding": "gzip"}) for _ in range(5)]
    assert [answer.headers["x-edge"] for answer in answers] == ["MISS", *["HIT"] * 4]
    assert len({answer.headers["x-asked"] for answer in answers}) == 1
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=31536000, immutable"}
    like = client.get("/static/0123/app.js", headers={"Accept-Encoding": "gzip, deflate, zstd"})
    assert like.headers["x-edge"] == "HIT"
    other = client.get("/static/0123/app.js", headers={"Accept-Encoding": "deflate, gzip;q=0.8, br"})
    assert (other.headers["x-edge"], other.headers["x-coding"]) == ("MISS", "br, gzip")


def test_while_two_versions_run_each_page_finds_its_files(client: httpx.Client):
    codes = [client.get(f"/static/of-api-2/{n}.js").status_code for n in range(10)]
    assert codes == [200] * 10


def test_the_list_of_formats_is_asked_for_once_for_all(front: Tried, client: httpx.Client):
    found = [client.get("/v1/formats?n=1").headers["x-edge"] for _ in range(3)]
    assert found[0] == "MISS"
    assert "HIT" in found[1:]
    private = client.get("/v1/formats?n=1", headers={"Authorization": "Bearer mine"})
    assert (private.headers["x-edge"], private.json()["who"]) == ("BYPASS", "Bearer mine")
    assert client.get("/v1/formats?n=1").json()["who"] == ""


@pytest.mark.requirement("H3")
def test_addresses_of_one_window_hit_the_edge(front: Tried, client: httpx.Client, bucket, store: ObjectStore):
    boto, name = bucket
    boto.put_object(Bucket=name, Key="result", Body=b"made of something")
    begin = window_of(SystemClock().now())
    links = [
        store.sign_get("result", at=begin + moment, media_type="text/plain", disposition='attachment; filename="r.txt"')
        for moment in (timedelta(seconds=1), WINDOW / 2)
    ]
    answers = [client.get(link.url) for link in links if link is not None]
    assert [answer.headers["x-edge"] for answer in answers] == ["MISS", "HIT"]
    assert {answer.text for answer in answers} == {"made of something"}
    assert answers[1].headers["content-disposition"] == 'attachment; filename="r.txt"'
    assert answers[1].headers["cache-control"] == "public, max-age=150, immutable"


def test_a_signed_order_to_write_goes_through_the_front(client: httpx.Client, bucket, store: ObjectStore):
    boto, name = bucket
    order = store.sign_put("written", size=5, at=SystemClock().now(), lifetime=timedelta(minutes=10))
    assert order is not None
    assert client.put(order.url, content=b"longer", headers=order.headers).status_code == 403
    assert client.put(order.url, content=b"exact", headers=order.headers).status_code == 200
    assert boto.get_object(Bucket=name, Key="written")["Body"].read() == b"exact"


def test_long_json_goes_compressed_over_the_wire(client: httpx.Client):
    with client.stream("GET", "/v1/long", headers={"Accept-Encoding": "gzip"}) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert len(raw) < 1000
    assert json.loads(gzip.decompress(raw))["text"].startswith("the quick")


def test_results_go_through_untouched(client: httpx.Client):
    response = client.get("/v1/jobs/job_1/outputs/0", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert response.headers["etag"] == '"strong"'
    assert response.content.endswith(b"x" * 5000)


@pytest.mark.requirement("H5")
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


@pytest.mark.requirement("S30")
def test_signatures_are_not_logged(front: Tried, client: httpx.Client, bucket):
    store, name = bucket
    store.put_object(Bucket=name, Key="logged", Body=b"x")
    client.get(signed(bucket, front, "logged"))
    log = Layout(front.data).run / "nginx" / "nginx-access.log"
    eventually(lambda: f'"path":"/{name}/logged"' in log.read_text())
    assert "Signature" not in log.read_text()


def test_without_any_api_process_a_client_is_told_to_come_back(front: Tried, client: httpx.Client):
    assert client.get("/v1/formats").status_code == 200
    front.stack.scale({"api": 0})
    assert client.get("/v1/formats").status_code == 200, "the last list is good until somebody answers"
    refused = client.get("/v1/long")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "2"
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["code"], problem["status"], problem["retryable"]) == ("overloaded", 503, True)
    front.stack.scale({"api": 2})
    assert client.get("/v1/long").status_code == 200
