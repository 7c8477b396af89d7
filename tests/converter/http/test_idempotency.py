"""`Idempotency-Key` on every POST."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from filewright.chassis.web.idempotency import IdempotencyRow


def fresh():
    return {"Idempotency-Key": secrets.token_hex(8)}


def code_of(answer):
    return answer.status_code, answer.json()["code"]


def convert(http, key, data=b"hello", to="md", name="note.txt", **headers):
    return http.post("/v1/convert", files={"file": (name, data)}, data={"to": to}, headers={**key, **headers})


def jobs(http):
    return len(http.get("/v1/jobs", params={"limit": 100}).json()["data"])


def test_the_same_order_again_is_the_first_answer_again(http, upload):
    key, body = fresh(), {"inputs": [{"upload": upload()}], "to": "md"}
    first = http.post("/v1/jobs", json=body, headers=key)
    before = jobs(http)
    again = http.post("/v1/jobs", json=body, headers=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for header in ("location", "retry-after", "content-type", "etag"):
        assert again.headers[header] == first.headers[header]
    assert jobs(http) == before


def test_another_order_with_the_same_key_is_refused(http, upload):
    key, found = fresh(), upload()
    http.post("/v1/jobs", json={"inputs": [{"upload": found}], "to": "md"}, headers=key).raise_for_status()
    other = http.post("/v1/jobs", json={"inputs": [{"upload": found}], "to": "html"}, headers=key)
    assert code_of(other) == (422, "idempotency_mismatch")


def test_the_same_key_at_another_address_is_refused(http, order):
    key = fresh()
    first, second = order(), order()
    http.post(f"/v1/jobs/{first['id']}/rating", json={"stars": 5}, headers=key)
    http.post("/v1/uploads", json={"filename": "a", "bytes": 1}, headers=key)
    assert code_of(http.post(f"/v1/jobs/{second['id']}/cancel", headers=key)) == (422, "idempotency_mismatch")


def test_a_refused_order_leaves_the_key_free(http, upload):
    key = fresh()
    assert http.post("/v1/jobs", json={"inputs": [{"upload": "upl_x"}], "to": "md"}, headers=key).status_code == 404
    good = http.post("/v1/jobs", json={"inputs": [{"upload": upload()}], "to": "md"}, headers=key)
    assert good.status_code == 202


def test_the_bytes_of_a_conversion_come_again_without_a_second_job(http, live):
    key = fresh()
    first = convert(http, key)
    before, files = jobs(http), live.files()
    again = convert(http, key)
    assert (again.status_code, again.content) == (200, b"HELLO")
    for header in ("link", "etag", "content-disposition", "content-type"):
        assert again.headers[header] == first.headers[header]
    assert jobs(http) == before
    assert live.files() == files


def test_several_outputs_come_again_too(http):
    key = fresh()
    first = convert(http, key, b"!many 2", to="png")
    again = convert(http, key, b"!many 2", to="png")
    assert again.headers["content-type"] == "application/zip"
    assert again.headers["link"] == first.headers["link"]


def test_the_problem_of_a_conversion_comes_again(http):
    key = fresh()
    first, again = convert(http, key, b"!fail"), convert(http, key, b"!fail")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["link"] == first.headers["link"]


@pytest.mark.parametrize("change", [{"data": b"other"}, {"to": "html"}, {"name": "other.txt"}])
def test_another_form_with_the_same_key_is_refused_and_leaves_nothing(http, live, change):
    key = fresh()
    convert(http, key)
    files = live.files()
    assert code_of(convert(http, key, **change)) == (422, "idempotency_mismatch")
    assert live.files() == files


def test_a_conversion_in_flight_is_a_conflict_with_a_time_to_come_back(http, live):
    live.go_on.clear()
    key = fresh()
    with ThreadPoolExecutor(1) as pool, live.client() as other:
        first = pool.submit(convert, other, key, b"!wait")
        wait_for_job(http)
        answer = convert(http, key, b"!wait")
        assert code_of(answer) == (409, "conflict")
        assert int(answer.headers["retry-after"]) >= 1
        live.go_on.set()
        assert first.result().content == b"!WAIT"
    live.go_on.clear()


def wait_for_job(http):
    for _ in range(500):
        if http.get("/v1/jobs", params={"status": "running"}).json()["data"]:
            return
        threading.Event().wait(0.01)


def test_an_answer_that_was_202_stays_202(http, live):
    live.go_on.clear()
    key = fresh()
    first = convert(http, key, b"!wait", Prefer="respond-async")
    live.go_on.set()
    http.get(first.headers["location"], params={"wait": 10})
    again = convert(http, key, b"!wait")
    assert (again.status_code, again.content) == (202, first.content)
    live.go_on.clear()


@pytest.mark.requirement("F25")
def test_fifty_at_once_make_one_job(live, upload):
    key, body = fresh(), {"inputs": [{"upload": upload()}], "to": "md", "tag": "fifty"}
    with live.client() as http, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: http.post("/v1/jobs", json=body, headers=key), range(50)))
        made = {answer.json()["id"] for answer in answers if answer.status_code == 202}
        assert len(made) == 1
        assert {answer.status_code for answer in answers} <= {202, 409}
        assert len(http.get("/v1/jobs", params={"tag": "fifty"}).json()["data"]) == 1


@pytest.mark.requirement("F1")
def test_a_claim_whose_process_died_before_its_job_does_not_block(http, live, upload):
    """The row says in flight, and its owner has not renewed it for too long."""
    key = fresh()
    body = {"inputs": [{"upload": upload()}], "to": "md"}
    first = http.post("/v1/jobs", json=body, headers=key)
    forget_answer(live, key, resource=None)
    again = http.post("/v1/jobs", json=body, headers=key)
    assert again.status_code == 202
    assert again.json()["id"] != first.json()["id"]


@pytest.mark.requirement("F1")
def test_a_claim_whose_process_died_after_its_job_is_finished_from_the_job(http, live):
    key = fresh()
    first = convert(http, key)
    job = first.headers["link"].rpartition("/")[2].partition(">")[0]
    before = jobs(http)
    forget_answer(live, key, resource=job)
    again = convert(http, key)
    assert (again.status_code, again.content, again.headers["link"]) == (200, b"HELLO", first.headers["link"])
    forget_answer(live, key, resource=job)
    job_itself = convert(http, key | {"Prefer": "respond-async"})
    assert (job_itself.status_code, job_itself.json()["status"]) == (202, "succeeded")
    assert jobs(http) == before


def forget_answer(live, key, *, resource):
    """Make the row what a process leaves that is killed before it answers."""

    async def change():
        async with live.world.database.write() as session:
            past = live.world.clock.now().replace(year=2020)
            values = {"status": None, "headers": None, "body": None, "claimed_until": past, "resource": resource}
            await session.execute(
                update(IdempotencyRow).where(IdempotencyRow.key == key["Idempotency-Key"]).values(values)
            )

    live.call(change)


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "é".encode(), b"a\x7f"])
@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/convert", "/v1/jobs"])
def test_a_key_that_is_none_is_refused(http, upload, path, key):
    headers = {"Idempotency-Key": key}
    if path == "/v1/convert":
        answer = convert(http, headers)
    elif path == "/v1/jobs":
        answer = http.post(path, json={"inputs": [{"upload": upload()}], "to": "md"}, headers=headers)
    else:
        answer = http.post(path, json={"filename": "a", "bytes": 1}, headers=headers)
    assert code_of(answer) == (400, "invalid_request")


def test_a_key_of_255_visible_characters_is_fine(http):
    assert convert(http, {"Idempotency-Key": "~" * 255}).status_code == 200


def test_uploads_and_their_completion_replay(http):
    key, other = fresh(), fresh()
    body = {"filename": "a.txt", "bytes": 2}
    first, again = (http.post("/v1/uploads", json=body, headers=key) for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content)
    http.put(first.json()["url"], content=b"hi")
    path = f"/v1/uploads/{first.json()['id']}/complete"
    assert http.post(path, headers=other).content == http.post(path, headers=other).content


def test_commands_replay(http, finished):
    job = finished()
    key = fresh()
    first, again = (http.post(f"/v1/jobs/{job['id']}/rating", json={"stars": 4}, headers=key) for _ in range(2))
    assert (first.status_code, first.content) == (200, again.content)
