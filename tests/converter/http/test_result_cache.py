"""The same order again, over HTTP: what a client sees of an answer that no engine worked for."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def reusing(tmp_path_factory, serve):
    with serve(tmp_path_factory.mktemp("reusing"), settings={"result_cache": True}) as live:
        yield live


@pytest.fixture
def http(reusing):
    with reusing.client() as client:
        yield client


def send(http, data, headers=None, **fields):
    return http.post(
        "/v1/convert", files={"file": ("a.txt", data)}, data={"to": "md", **fields}, headers=headers
    ).raise_for_status()


def job_of(http, answer):
    return http.get(answer.links["job"]["url"]).json()


def test_an_order_that_was_carried_out_before_is_answered_in_the_answer_to_it(http, upload):
    first = job_of(http, send(http, b"twice"))
    assert first["cache"] == "miss"
    order = {"inputs": [{"upload": upload(b"twice", "a.txt")}], "to": "md"}
    used = http.get("/v1/me/usage").json()
    quick = http.post("/v1/jobs", json=order)
    assert quick.status_code == 202
    job = quick.json()
    assert (job["status"], job["cache"], job["progress"]) == ("succeeded", "hit", 100)
    assert http.get(job["outputs"][0]["url"]).content == b"TWICE"
    assert http.get(f"/v1/jobs/{job['id']}").json() == job
    assert http.get("/v1/me/usage").json() == used
    assert http.delete(f"/v1/jobs/{first['id']}").status_code == 204
    assert http.get(job["outputs"][0]["url"]).content == b"TWICE"


def test_an_order_with_a_key_and_one_call_are_answered_too(http, upload):
    send(http, b"keyed")
    order = {"inputs": [{"upload": upload(b"keyed", "a.txt")}], "to": "md"}
    first, again = (http.post("/v1/jobs", json=order, headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert (first.json()["cache"], again.json()) == ("hit", first.json())
    answer = send(http, b"keyed")
    assert (answer.content, job_of(http, answer)["cache"]) == (b"KEYED", "hit")


@pytest.mark.parametrize(
    ("said", "next_time"), [("no-cache", "hit"), ("max-age=0, No-Cache", "hit"), ("no-store", "miss")]
)
def test_who_wants_it_made_afresh_says_so(http, said, next_time):
    data = said.encode()
    headers = {"Cache-Control": said}
    assert [job_of(http, send(http, data, headers))["cache"] for _ in range(2)] == ["miss", "miss"]
    assert job_of(http, send(http, data))["cache"] == next_time


def test_a_file_with_a_password_is_opened_anew_each_time(http):
    assert [job_of(http, send(http, b"locked", password="x"))["cache"] for _ in range(2)] == ["miss", "miss"]


def test_of_a_batch_what_is_known_is_over_in_the_answer(http, upload):
    send(http, b"known")
    inputs = [{"upload": upload(data, "a.txt")} for data in (b"known", b"not known yet")]
    batch = http.post("/v1/batches", json={"inputs": inputs, "to": "md"}).json()
    assert [job["cache"] for job in batch["jobs"]] == ["hit", "miss"]
    assert batch["jobs"][0]["status"] == "succeeded"
