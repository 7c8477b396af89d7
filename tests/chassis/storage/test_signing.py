"""What addresses for strangers allow, and that ours are what the vendor's own library would sign."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectMissing
from filewright.chassis.storage.presigning import MAX_PUT_BYTES, WINDOW
from filewright.chassis.storage.s3_address import parse_s3_address
from filewright.chassis.storage.sigv4 import Signer
from filewright.chassis.testing.conformance.storage import HOUR, ask, keys, now, read
from filewright.chassis.testing.faulty_proxy import FaultyProxy
from filewright.chassis.testing.fixtures import s3_store, s3_url

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SIGNER = Signer("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1")
KEYS = Credentials(SIGNER.access_key_id, SIGNER.secret_access_key)
URL = "https://files.example.com:8443/bucket/uploads/upl_1=2/a.b"


@pytest.fixture
def frozen(monkeypatch):
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOON.replace(tzinfo=None), raising=True)


def answers_of(url):
    return dict(httpx.URL(url).params)


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "7", "Content-Type": "text/plain;  charset=x"}])
def test_a_signed_address_is_the_one_that_the_vendors_library_makes(frozen, headers):
    theirs = AWSRequest("PUT", URL, headers=headers)
    S3SigV4QueryAuth(KEYS, "s3", SIGNER.region, expires=600).add_auth(theirs)
    ours = SIGNER.url("PUT", URL, at=NOON, lifetime=timedelta(minutes=10), headers=headers)
    assert answers_of(ours) == answers_of(theirs.prepare().url)


def test_what_the_answer_shall_say_is_signed_too(frozen):
    query = {"response-content-disposition": "attachment; filename=\"a b&c.pdf\"; filename*=UTF-8''%C3%A4.pdf"}
    theirs = AWSRequest("GET", URL, params=query)
    S3SigV4QueryAuth(KEYS, "s3", SIGNER.region, expires=600).add_auth(theirs)
    ours = SIGNER.url("GET", URL, at=NOON, lifetime=timedelta(minutes=10), query=query)
    assert answers_of(ours) == answers_of(theirs.prepare().url)


def test_a_request_of_our_own_is_signed_as_the_vendors_library_does(frozen):
    theirs = AWSRequest("PUT", f"{URL}?cors=", data=b"<x/>", headers={"content-md5": "abc="})
    S3SigV4Auth(KEYS, "s3", SIGNER.region).add_auth(theirs)
    ours = SIGNER.headers("PUT", URL, at=NOON, query={"cors": ""}, headers={"content-md5": "abc="}, body=b"<x/>")
    assert ours["authorization"] == theirs.headers["Authorization"]


def test_no_signature_lives_longer_than_servers_allow():
    with pytest.raises(ValueError, match="seven days"):
        SIGNER.url("GET", URL, at=NOON, lifetime=timedelta(days=8))


def test_the_secret_is_not_shown_with_the_signer():
    assert SIGNER.secret_access_key not in repr(SIGNER)


@pytest.mark.parametrize(
    ("url", "inside", "outside"),
    [
        ("s3://b", "https://b.s3.us-east-1.amazonaws.com/k", "https://b.s3.us-east-1.amazonaws.com/k"),
        ("s3://b/p/q?endpoint=http://10.0.0.1:9000", "http://10.0.0.1:9000/b/p/q/k", "http://10.0.0.1:9000/b/p/q/k"),
        (
            "s3://b?endpoint=http://10.0.0.1:9000&public_endpoint=https://files.example.com/",
            "http://10.0.0.1:9000/b/k",
            "https://files.example.com/b/k",
        ),
    ],
)
def test_a_bucket_has_an_address_for_us_and_one_for_others(url, inside, outside):
    address = parse_s3_address(url)
    assert (address.object_url("k"), address.public_url("k")) == (inside, outside)


@pytest.mark.parametrize(
    "url",
    [
        "s3://b?endpoint=10.0.0.1:9000",
        "s3://b?public_endpoint=https://host/path",
        "s3://b?public_endpoint=ftp://host",
        "s3://b?public_endpont=https://host",
    ],
)
def test_an_address_that_could_not_work_is_refused_by_name(url):
    with pytest.raises(ValueError, match=r"endpoint|endpont"):
        open_store(url)


def test_addresses_are_for_the_outside_and_the_same_within_a_window():
    store = open_store(
        "s3://b?endpoint=http://10.0.0.1:9000&public_endpoint=https://files.example.com",
        access_key_id="a",
        secret_access_key="b",
    )

    def link(at):
        return store.sign_get("k", at=at, media_type="text/plain", disposition="attachment")

    first, second = link(NOON + timedelta(seconds=1)), link(NOON + WINDOW - timedelta(seconds=1))
    assert first == second
    assert first.url.startswith("https://files.example.com/b/k?")
    assert answers_of(first.url)["response-cache-control"] == "public, max-age=150, immutable"
    assert first.expires_at - (NOON + WINDOW) >= WINDOW
    assert link(NOON + WINDOW).url != first.url


@pytest.mark.parametrize("minutes", [10, 60])
def test_an_order_to_write_is_the_same_within_a_window_and_lives_as_long_as_promised(minutes):
    store = open_store("s3://b?endpoint=http://10.0.0.1:9000", access_key_id="a", secret_access_key="b")
    lifetime = timedelta(minutes=minutes)

    def order(at, **more):
        return store.sign_put("k", size=5, at=at, lifetime=lifetime, **more)

    moments = [NOON, NOON + timedelta(seconds=7), NOON + WINDOW - timedelta(seconds=1)]
    orders = [order(at) for at in moments]
    assert len({one.url for one in orders}) == 1
    for at, one in zip(moments, orders, strict=True):
        said = answers_of(one.url)
        begins = datetime.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ends = begins + timedelta(seconds=int(said["X-Amz-Expires"]))
        assert begins <= at
        assert ends >= at + lifetime
        assert one.expires_at == ends
    assert order(NOON + WINDOW).url != orders[0].url
    assert order(NOON, sha256="00" * 32).url != orders[0].url


def test_an_order_that_lives_as_long_as_servers_allow_is_not_cut_short():
    store = open_store("s3://b?endpoint=http://10.0.0.1:9000", access_key_id="a", secret_access_key="b")
    at, lifetime = NOON + timedelta(minutes=3), timedelta(days=7)
    assert store.sign_put("k", size=5, at=at, lifetime=lifetime).expires_at == at + lifetime


def test_a_store_without_keys_of_its_own_signs_nothing():
    store = open_store("s3://b?endpoint=http://10.0.0.1:9000")
    assert store.sign_put("k", size=1, at=NOON, lifetime=HOUR) is None
    assert store.sign_get("k", at=NOON, media_type="text/plain", disposition="attachment") is None


def test_nobody_is_sent_to_a_bucket_that_clients_cannot_reach():
    store = open_store("s3://b?endpoint=http://10.0.0.1&public_endpoint=none", access_key_id="a", secret_access_key="b")
    assert store.sign_put("k", size=1, at=NOON, lifetime=HOUR) is None
    assert store.sign_get("k", at=NOON, media_type="text/plain", disposition="attachment") is None


def test_more_than_one_request_can_carry_is_not_signed():
    store = open_store("s3://b", access_key_id="a", secret_access_key="b")
    assert store.sign_put("k", size=MAX_PUT_BYTES + 1, at=NOON, lifetime=HOUR) is None


@pytest.mark.s3
@pytest.mark.requirement("S19")
async def test_another_number_of_bytes_than_was_signed_is_refused(s3_server):
    store = s3_store(s3_server)
    signed = store.sign_put("one", size=5, at=now(), lifetime=HOUR)
    for content in (b"hell", b"hello!"):
        assert (await ask(signed, content)).status_code == 403
    assert await keys(store) == set()


@pytest.mark.s3
@pytest.mark.requirement("S19")
async def test_other_bytes_than_were_signed_are_refused(s3_server):
    store = s3_store(s3_server)
    said = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of hello
    signed = store.sign_put("one", size=5, at=now(), lifetime=HOUR, sha256=said)
    assert (await ask(signed, b"jello")).status_code == 400
    with pytest.raises(ObjectMissing):
        await store.head("one")
    assert (await ask(signed, b"hello")).status_code == 200
    assert await read(store, "one") == b"hello"


@pytest.mark.s3
@pytest.mark.requirement("S19")
async def test_a_signature_is_for_one_key_one_method_and_a_while(s3_server):
    store = s3_store(s3_server)
    await store.put("one", b"bytes")
    await store.put("two", b"bytes")
    link = store.sign_get("one", at=now(), media_type="text/plain", disposition="attachment")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(link.url)).content == b"bytes"
        assert (await client.get(link.url, headers={"Range": "bytes=1-2"})).content == b"yt"
        assert (await client.get(link.url.replace("/one?", "/two?"))).status_code == 403
        assert (await client.get(link.url.replace("text%2Fplain", "text%2Fhtml"))).status_code == 403
        assert (await client.get(link.url.replace("=attachment", "=inline"))).status_code == 403
        assert (await client.delete(link.url)).status_code == 403
        assert (await client.put(link.url, content=b"x")).status_code == 403
    over = store.sign_get("one", at=now() - 3 * WINDOW, media_type="text/plain", disposition="attachment")
    assert (await ask(over)).status_code == 403
    assert link.expires_at - now() <= timedelta(minutes=5)
    assert await keys(store) == {"one", "two"}


@pytest.mark.s3
async def test_clients_reach_the_bucket_by_its_public_name_while_we_go_the_short_way(s3_server):
    with FaultyProxy(s3_server.port) as gateway:
        url = f"{s3_url(s3_server)}&public_endpoint={gateway.endpoint}"
        store = open_store(url, access_key_id=s3_server.key_id, secret_access_key=s3_server.secret)
        put = store.sign_put("one", size=5, at=now(), lifetime=HOUR)
        get = store.sign_get("one", at=now(), media_type="text/plain", disposition="attachment")
        assert put.url.startswith(gateway.endpoint)
        assert get.url.startswith(gateway.endpoint)
        assert (await ask(put, b"hello")).status_code == 200
        assert (await ask(get)).content == b"hello"
        gateway.cut_off()
        assert await read(store, "one") == b"hello"
