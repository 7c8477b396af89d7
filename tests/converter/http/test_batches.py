"""Batches over HTTP: many jobs ordered as one, all or none."""

from __future__ import annotations

import time

import pytest

UNKNOWN = "bat_01jd6qx2v7c8e9f0g1h2j3k4m5"


def test_a_batch_is_a_job_for_each_input(http, upload):
    inputs = [{"upload": upload(f"text {n}".encode(), f"{n}.txt")} for n in range(3)]
    order, key = {"inputs": inputs, "to": "md", "tag": "b"}, {"Idempotency-Key": "b1"}
    answer = http.post("/v1/batches", json=order, headers=key)
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{batch['id']}"
    assert [job["inputs"][0]["name"] for job in batch["jobs"]] == ["0.txt", "1.txt", "2.txt"]
    again = http.post("/v1/batches", json=order, headers=key)
    assert again.json() == batch
    deadline = time.monotonic() + 60
    for job in batch["jobs"]:
        while job["status"] in {"queued", "running"} and time.monotonic() < deadline:
            job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).raise_for_status().json()  # noqa: PLW2901
        assert job["status"] == "succeeded"
    shown = http.get(f"/v1/batches/{batch['id']}").raise_for_status().json()
    assert (shown["id"], shown["status"]) == (batch["id"], "finished")
    assert [job["id"] for job in shown["jobs"]] == [job["id"] for job in batch["jobs"]]
    assert len(http.get("/v1/jobs", params={"tag": "b"}).json()["data"]) == 3


def test_one_wrong_input_keeps_all_of_them_out(http, upload):
    inputs = [{"upload": upload()}, {"upload": "upl_01jd6qx2v7c8e9f0g1h2j3k4m5"}]
    answer = http.post("/v1/batches", json={"inputs": inputs, "to": "md", "tag": "none"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert http.get("/v1/jobs", params={"tag": "none"}).json()["data"] == []


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"inputs": []}, 400, "/inputs"),
        ({"inputs": [{"upload": "a"}] * 101}, 400, "/inputs"),
        ({"to": None}, 400, "/to"),
        ({"dry_run": True}, 400, "/dry_run"),
        ({"operation": "destroy"}, 400, "/operation"),
        ({"operation": "merge"}, 400, "/inputs"),
    ],
)
def test_a_wrong_batch_is_pointed_at(http, upload, change, status, pointer):
    answer = http.post("/v1/batches", json={"inputs": [{"upload": upload()}], "to": "md", **change})
    if change.get("operation") == "merge":
        assert answer.status_code in {400, 415}, answer.text
        return
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer), answer.text


@pytest.mark.parametrize("found", [UNKNOWN, "nonsense", "job_01jd6qx2v7c8e9f0g1h2j3k4m5", "%00"])
def test_an_unknown_batch_is_not_found(http, found):
    answer = http.get(f"/v1/batches/{found}")
    by_the_front = {(400, "invalid_request")} if found == "%00" else set()  # nginx lets no such address through
    assert (answer.status_code, answer.json()["code"]) in {(404, "not_found")} | by_the_front
