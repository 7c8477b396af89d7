"""What operators see and do, over HTTP, and that nobody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from httpkit.live import Live
from sqlalchemy import update

from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.states import JobState

ROUTES = [
    ("GET", "/flags"), ("PUT", "/flags/some-flag"), ("DELETE", "/flags/some-flag"), ("GET", "/tiers"),
    ("GET", "/quarantine"), ("POST", "/quarantine/job_01jd6qx2v7c8e9f0g1h2j3k4m5/release"), ("GET", "/users"),
    ("PATCH", "/users/usr_01jd6qx2v7c8e9f0g1h2j3k4m5"), ("GET", "/audit"), ("GET", "/ratings"),
]  # fmt: skip


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[httpx.Client]:
    with serve(tmp_path_factory.mktemp("strange"), local=False) as live, live.client() as client:
        yield client


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.requirement("S38", "S1")
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_whoever_is_no_operator_is_let_nowhere(method: str, path: str, stranger: httpx.Client) -> None:
    body = {"PUT": {"json": {"percent": 10}}, "PATCH": {"json": {"tier": "premium"}}}.get(method, {})
    assert stranger.request(method, f"/v1/admin{path}", **body).status_code in {401, 403}


def test_a_flag_is_set_seen_and_forgotten_and_each_act_is_in_the_log(http: httpx.Client) -> None:
    wish = {"percent": 10, "halt_above": 0.05}
    made = http.put("/v1/admin/flags/new-engine", json=wish, headers={"X-Request-ID": "req-flag-1"})
    assert made.status_code == 200, made.text
    assert (made.json()["percent"], made.json()["halted_at"]) == (10, None)
    assert [flag["name"] for flag in http.get("/v1/admin/flags").json()["data"]] == ["new-engine"]
    assert http.delete("/v1/admin/flags/new-engine").status_code == 204
    assert code_of(http.delete("/v1/admin/flags/new-engine")) == (404, "not_found")
    acts = http.get("/v1/admin/audit", params={"subject": "new-engine"}).json()["data"]
    assert [act["action"] for act in acts] == ["flag.removed", "flag.set"]
    assert acts[1]["details"] == {"enabled": True, "percent": 10, "tenants": 0}


@pytest.mark.parametrize("wish", [{"percent": 101}, {"percent": "10"}, {"enabled": "yes"}, {"halt_above": 2}, {"x": 1}])
def test_a_wrong_wish_is_refused(wish: dict[str, Any], http: httpx.Client) -> None:
    assert code_of(http.put("/v1/admin/flags/a", json=wish)) == (400, "invalid_request")


def test_a_flag_switches_imports_off_and_on(http: httpx.Client) -> None:
    order = {"inputs": [{"url": "http://10.0.0.1/a.txt"}], "to": "md"}
    assert code_of(http.post("/v1/jobs", json=order)) == (422, "source_forbidden")
    http.put("/v1/admin/flags/import-by-url", json={"enabled": False}).raise_for_status()
    assert code_of(http.post("/v1/jobs", json=order)) == (403, "forbidden")
    http.delete("/v1/admin/flags/import-by-url").raise_for_status()
    assert code_of(http.post("/v1/jobs", json=order)) == (422, "source_forbidden")


@pytest.mark.requirement("S38")
def test_a_quarantined_job_is_seen_and_let_run_again(live: Live, http: httpx.Client, finished: Any) -> None:
    job = finished(b"!fail")
    assert job["status"] == "failed"

    async def condemn() -> None:
        async with live.world.database.write() as session:
            await session.execute(update(JobRow).where(JobRow.id == job["id"]).values(state=JobState.QUARANTINED))

    live.call(condemn)
    [held] = [row for row in http.get("/v1/admin/quarantine").json()["data"] if row["id"] == job["id"]]
    assert held["state"] == "quarantined"
    released = http.post(f"/v1/admin/quarantine/{job['id']}/release")
    assert (released.status_code, released.json()["status"]) == (200, "queued"), released.text
    again = http.get(f"/v1/jobs/{job['id']}", params={"wait": 1}).json()
    while again["status"] in {"queued", "running"}:
        again = http.get(f"/v1/jobs/{job['id']}", params={"wait": 20}).json()
    assert again["error"]["code"] == "corrupt_input", "it did run"
    assert code_of(http.post(f"/v1/admin/quarantine/{job['id']}/release")) == (409, "conflict")
    acts = http.get("/v1/admin/audit", params={"subject": job["id"]}).json()["data"]
    assert [act["action"] for act in acts] == ["quarantine.released"]


def test_ratings_are_summed_up_by_target(http: httpx.Client, finished: Any) -> None:
    for stars in (5, 4):
        job = finished(b"well done")
        http.post(f"/v1/jobs/{job['id']}/rating", json={"stars": stars}).raise_for_status()
    [line] = http.get("/v1/admin/ratings").json()["data"]
    assert (line["target"], line["ratings"], line["mean"]) == ("md", 2, 4.5)
    assert line["stars"] == {"1": 0, "2": 0, "3": 0, "4": 1, "5": 1}


def test_tiers_are_shown_and_an_account_that_is_none_is_said_to_be_none(http: httpx.Client) -> None:
    tiers = http.get("/v1/admin/tiers").json()["data"]
    assert tiers["local"]["max_input_bytes"] > 0
    nobody = "/v1/admin/users/usr_01jd6qx2v7c8e9f0g1h2j3k4m5"
    assert code_of(http.patch(nobody, json={"tier": "no such tier"})) == (400, "invalid_request")
    assert code_of(http.patch(nobody, json={"tier": "local"})) == (404, "not_found")
    assert http.get("/v1/admin/users").json()["data"] == []


def test_the_log_is_read_in_pages_newest_first(http: httpx.Client) -> None:
    for n in range(3):
        http.put(f"/v1/admin/flags/page-{n}", json={}).raise_for_status()
    first = http.get("/v1/admin/audit", params={"limit": 2}).json()
    second = http.get("/v1/admin/audit", params={"limit": 2, "before": first["next_cursor"]}).json()
    assert [act["subject"] for act in first["data"]] == ["page-2", "page-1"]
    assert second["data"][0]["subject"] == "page-0"
