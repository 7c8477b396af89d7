"""A bucket behind a bad network, as callers of the API meet it."""

from __future__ import annotations

import hashlib
import random

import httpx
import pytest

from filewright.chassis.testing.faulty_proxy import Fault, FaultyProxy
from filewright.chassis.testing.fixtures import s3_settings

pytestmark = pytest.mark.s3
MIB = 1 << 20
LETTERS = random.Random(5).randbytes(3 * MIB).translate(b"abcdefghij klmno\n" * 15 + b"p" * 1)


@pytest.fixture(scope="module")
def proxy(s3_server):
    with FaultyProxy(s3_server.port) as between:
        yield between


@pytest.fixture(scope="module")
def live(tmp_path_factory, serve, s3_server, proxy):
    settings = s3_settings(s3_server, endpoint=proxy.endpoint)
    with serve(tmp_path_factory.mktemp("faults"), settings=settings) as server:
        yield server


@pytest.fixture(autouse=True)
def healed(proxy):
    yield
    proxy.heal()


def output_of(finished, data=LETTERS):
    job = finished(data)
    assert job["status"] == "succeeded", job
    return f"/v1/jobs/{job['id']}/outputs/0"


def code_of(answer):
    return answer.status_code, answer.json()["code"]


@pytest.mark.requirement("F15")
def test_a_bucket_that_refuses_for_a_while_is_not_noticed_from_upload_to_download_and_erasing(http, live, proxy):
    def poorly(answer):
        assert proxy.met == 2
        proxy.arm(Fault(status=503), times=2)
        return answer.raise_for_status()

    proxy.arm(Fault(status=503), times=2)
    ticket = http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 5}).json()
    poorly(httpx.put(f"{live.url}/v1/uploads/{ticket['id']}", content=b"hello"))
    poorly(http.post(f"/v1/uploads/{ticket['id']}/complete"))
    job = http.post("/v1/jobs", json={"inputs": [{"upload": ticket["id"]}], "to": "md"}).json()
    while job["status"] in {"queued", "running"}:
        job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).raise_for_status().json()
    assert (job["status"], job["attempt"], proxy.met) == ("succeeded", 1, 2)
    proxy.arm(Fault(status=503), times=2)
    assert poorly(http.get(f"/v1/jobs/{job['id']}/outputs/0")).content == b"HELLO"
    poorly(http.delete(f"/v1/jobs/{job['id']}"))


@pytest.mark.requirement("F15", "F16")
def test_a_bucket_that_is_away_is_a_503_that_says_when_to_come_again(http, live, proxy, finished):
    path = output_of(finished, b"small")
    ticket = http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 5}).json()
    proxy.cut_off()
    try:
        for answer in (
            http.get(path),
            http.put(f"/v1/uploads/{ticket['id']}", content=b"hello"),
            http.post(f"/v1/uploads/{ticket['id']}/complete"),
        ):
            assert code_of(answer) == (503, "storage_unavailable")
            assert int(answer.headers["retry-after"]) > 0
    finally:
        proxy.reconnect()
    assert http.get(path).content == b"SMALL"


@pytest.mark.requirement("F17")
@pytest.mark.parametrize("fault", [Fault(cut_down_after=MIB), Fault(end_down_after=MIB)], ids=["reset", "end"])
def test_a_download_that_the_bucket_breaks_off_is_whole_all_the_same(http, proxy, finished, fault):
    path = output_of(finished)
    proxy.arm(fault, times=1)
    assert http.get(path).content == LETTERS.upper()
    assert proxy.met == 1


@pytest.mark.requirement("F17")
def test_a_bit_that_flips_in_a_small_file_is_an_error_and_not_the_file(http, proxy, finished):
    path = output_of(finished, LETTERS[: MIB // 2])
    proxy.arm(Fault(flip_down_at=MIB // 4))
    refused = http.get(path)
    assert code_of(refused) == (503, "storage_unavailable")
    proxy.heal()
    assert http.get(path).content == LETTERS[: MIB // 2].upper()


@pytest.mark.requirement("F17")
@pytest.mark.long
def test_a_bit_that_flips_in_a_large_file_breaks_the_download_off(http, proxy, finished):
    path = output_of(finished)
    proxy.arm(Fault(flip_down_at=MIB))
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(path)


@pytest.mark.requirement("F17")
def test_a_bit_that_flips_on_the_way_to_the_bucket_is_never_an_upload(http, live, proxy):
    ticket = http.post("/v1/uploads", json={"filename": "a.txt", "bytes": len(LETTERS)}).json()
    proxy.arm(Fault(flip_up_at=MIB))
    sent = http.put(f"/v1/uploads/{ticket['id']}", content=LETTERS)
    assert code_of(sent) == (503, "storage_unavailable")
    proxy.heal()
    http.put(f"/v1/uploads/{ticket['id']}", content=LETTERS).raise_for_status()
    done = http.post(f"/v1/uploads/{ticket['id']}/complete").raise_for_status().json()
    assert done["sha256"] == hashlib.sha256(LETTERS).hexdigest()


@pytest.mark.requirement("F18")
def test_a_result_whose_storing_was_not_answered_is_stored_once(http, live, proxy, upload):
    found = upload(b"hello")
    proxy.arm(Fault(cut_down_after=0), times=3)
    job = http.post("/v1/jobs", json={"inputs": [{"upload": found}], "to": "md"}).json()
    while job["status"] in {"queued", "running"}:
        job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).raise_for_status().json()
    assert (job["status"], proxy.met) == ("succeeded", 3)

    async def results():
        return [item.key async for item in live.world.store.list(f"results/{job['id']}")]

    assert len(live.call(results)) == 1
