"""What operators see and do, over HTTP, and that nobody else does."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from httpkit.live import Live
from httpkit.people import GOOD, Person, an_address, bearing, is_refused_soon
from sqlalchemy import update

from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.states import JobState
from filewright.converter.tiers import ROLES

OPERATORS = "/v1/admin/"
SUPPORT_MAY = {"POST /v1/admin/quarantine/{job_id}/release", "DELETE /v1/admin/quarantine/{job_id}"}
"""Beside looking at everything."""


@pytest.fixture(scope="module")
def people_only(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[Live]:
    with serve(tmp_path_factory.mktemp("strange"), local=False) as live:
        yield live


@pytest.fixture(scope="module")
def stranger(people_only: Live) -> Iterator[httpx.Client]:
    with people_only.client() as client:
        yield client


@pytest.fixture(scope="module")
def roles(people_only: Live, stranger: httpx.Client) -> dict[str, dict[str, str]]:
    """Somebody of each role who has just signed in, and somebody nobody knows."""
    return {role: staff(people_only, stranger, role).headers for role in ROLES} | {"nobody": {}}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.requirement("S38", "S1")
def test_each_address_of_operators_lets_in_the_roles_that_it_names_and_nobody_else(
    stranger: httpx.Client, roles: dict[str, dict[str, str]]
) -> None:
    asked = 0
    for operation, role, headers in itertools.product(operations(stranger), roles, roles.values()):
        if headers is not roles[role]:
            continue
        method, path = operation.split()
        may = role == "admin" or (role == "support" and (method == "GET" or operation in SUPPORT_MAY))
        answer = stranger.request(method, filled_in(path), headers=headers, json=None if method == "GET" else {})
        assert (answer.status_code != 403) == may, f"{role}: {operation}: {answer.text}"
        asked += 1
    assert asked >= 4 * 15


@pytest.mark.requirement("S38")
def test_a_key_of_somebody_from_support_can_do_no_more_than_they(people_only: Live, stranger: httpx.Client) -> None:
    person = staff(people_only, stranger, "support")
    key = bearing(person.key(stranger, ["admin"])["key"])
    assert stranger.get("/v1/admin/users", headers=key).status_code == 200
    assert code_of(stranger.put("/v1/admin/flags/a", json={}, headers=key)) == (403, "forbidden")


@pytest.mark.requirement("S38", "S5")
def test_whoever_is_given_a_lesser_role_is_signed_out(people_only: Live, stranger: httpx.Client) -> None:
    person = staff(people_only, stranger, "admin")
    accounts = people_only.world.people.accounts
    me = stranger.get("/v1/me", headers=person.headers).json()["id"]
    people_only.call(lambda: accounts.change(me, role="support", actor="tests"))
    assert is_refused_soon(stranger, person.headers)


def staff(live: Live, http: httpx.Client, role: str) -> Person:
    """Somebody of that role, who has just signed in."""
    email, accounts = an_address(), live.world.people.accounts
    live.call(lambda: accounts.create(email, GOOD, role=role, tier="free", actor="tests"))
    return Person(email, http.post("/v1/auth/login", json={"email": email, "password": GOOD}).raise_for_status().json())


def operations(http: httpx.Client) -> list[str]:
    paths = http.get("/openapi.json").raise_for_status().json()["paths"]
    found = [f"{method.upper()} {path}" for path in paths if path.startswith(OPERATORS) for method in paths[path]]
    assert len(found) >= 15
    return found


def filled_in(path: str) -> str:
    return re.sub(
        r"{(\w+?)(_id)?}", lambda match: f"{match[1][:3]}_01jd6qx2v7c8e9f0g1h2j3k4m5" if match[2] else "x", path
    )


def test_a_flag_is_set_seen_and_forgotten_and_each_act_is_in_the_log(http: httpx.Client) -> None:
    wish = {"percent": 10, "halt_above": 0.05}
    made = http.put("/v1/admin/flags/new-engine", json=wish, headers={"X-Request-ID": "req-flag-1"})
    assert made.status_code == 200, made.text
    assert (made.json()["percent"], made.json()["halted_at"]) == (10, None)
    assert "new-engine" in {flag["name"] for flag in http.get("/v1/admin/flags").json()["data"]}
    assert http.delete("/v1/admin/flags/new-engine").status_code == 204
    assert code_of(http.delete("/v1/admin/flags/new-engine")) == (404, "not_found")
    acts = http.get("/v1/admin/audit", params={"subject": "new-engine"}).json()["data"]
    assert [act["action"] for act in acts] == ["flag.removed", "flag.set"]
    assert acts[1]["details"] == {"enabled": True, "percent": 10, "tenants": 0}


@pytest.mark.parametrize("wish", [{"percent": 101}, {"percent": "10"}, {"enabled": "yes"}, {"halt_above": 2}, {"x": 1}])
def test_a_wrong_wish_is_refused(wish: dict[str, Any], http: httpx.Client) -> None:
    assert code_of(http.put("/v1/admin/flags/a", json=wish)) == (400, "invalid_request")


def test_a_flag_switches_imports_off_and_on(live: Live, http: httpx.Client) -> None:
    order = {"inputs": [{"url": "http://10.0.0.1/a.txt"}], "to": "md"}

    def everywhere(outcome: tuple[int, str]) -> bool:
        """At once in the process that was told, in the others as soon as they have heard. They are asked in turns."""
        deadline = time.monotonic() + 60
        with live.client_inside() as inside:
            while {code_of(inside.post("/v1/jobs", json=order)) for _ in range(4)} != {outcome}:
                if time.monotonic() > deadline:
                    return False
        return True

    assert everywhere((422, "source_forbidden"))
    http.put("/v1/admin/flags/import-by-url", json={"enabled": False}).raise_for_status()
    assert everywhere((403, "forbidden"))
    http.delete("/v1/admin/flags/import-by-url").raise_for_status()
    assert everywhere((422, "source_forbidden"))


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
    figures = http.get("/v1/admin/figures").raise_for_status().json()
    assert (figures["whole"]["ratings"], figures["whole"]["rating_mean"]) == (2, 4.5)
    assert figures["whole"]["target"] == "*"
    [line] = http.get("/v1/admin/ratings").json()["data"]
    assert (line["target"], line["ratings"], line["mean"]) == ("md", 2, 4.5)
    assert line["stars"] == {"1": 0, "2": 0, "3": 0, "4": 1, "5": 1}


def test_tiers_are_shown_and_an_account_that_is_none_is_said_to_be_none(http: httpx.Client) -> None:
    tiers = http.get("/v1/admin/tiers").json()["data"]
    assert tiers["local"]["max_input_bytes"] > 0
    nobody = "/v1/admin/users/usr_01jd6qx2v7c8e9f0g1h2j3k4m5"
    assert code_of(http.patch(nobody, json={"tier": "no such tier"})) == (400, "invalid_request")
    assert code_of(http.patch(nobody, json={"tier": "local"})) == (404, "not_found")
    assert nobody.rpartition("/")[2] not in {user["id"] for user in http.get("/v1/admin/users").json()["data"]}


def test_the_log_is_read_in_pages_newest_first(http: httpx.Client) -> None:
    for n in range(3):
        http.put(f"/v1/admin/flags/page-{n}", json={}).raise_for_status()
    wanted = {"limit": 2, "action": "flag.set"}  # that somebody looked is noted a moment later, between any two acts
    first = http.get("/v1/admin/audit", params=wanted).json()
    second = http.get("/v1/admin/audit", params={**wanted, "before": first["next_cursor"]}).json()
    assert [act["subject"] for act in first["data"]] == ["page-2", "page-1"]
    assert second["data"][0]["subject"] == "page-0"


@pytest.mark.requirement("S38")
def test_a_quarantined_jobs_files_are_erased_and_a_job_that_is_not_held_is_left_alone(
    live: Live, http: httpx.Client, finished: Any
) -> None:
    job = finished(b"!fail")
    assert code_of(http.delete(f"/v1/admin/quarantine/{job['id']}")) == (409, "conflict")

    async def condemn() -> None:
        async with live.world.database.write() as session:
            await session.execute(update(JobRow).where(JobRow.id == job["id"]).values(state=JobState.QUARANTINED))

    live.call(condemn)
    assert http.delete(f"/v1/admin/quarantine/{job['id']}").status_code == 204
    assert http.get(f"/v1/jobs/{job['id']}").json()["status"] == "expired"
    assert code_of(http.delete("/v1/admin/quarantine/job_01jd6qx2v7c8e9f0g1h2j3k4m5")) == (404, "not_found")
    acts = http.get("/v1/admin/audit", params={"subject": job["id"]}).json()["data"]
    assert [act["action"] for act in acts] == ["quarantine.deleted"]


def test_credits_are_given_and_the_account_has_them(live: Live, http: httpx.Client) -> None:
    accounts = live.world.people.accounts
    user = live.call(lambda: accounts.create(an_address(), None, role="user", tier="free", actor="tests"))
    given = http.post(f"/v1/admin/users/{user.id}/credits", json={"amount": 7})
    assert (given.status_code, given.json()["reason"]) == (201, "gift"), given.text
    nobody = "/v1/admin/users/usr_01jd6qx2v7c8e9f0g1h2j3k4m5/credits"
    assert code_of(http.post(nobody, json={"amount": 7})) == (404, "not_found")
    assert code_of(http.post(nobody, json={"amount": 0})) == (400, "invalid_request")
    [act] = http.get("/v1/admin/audit", params={"action": "account.credited"}).json()["data"]
    assert (act["subject"], act["details"]) == (user.id, {"amount": 7, "reason": "gift"})


@pytest.mark.requirement("S38", "S5")
def test_an_account_is_found_shut_and_opened_again(people_only: Live, stranger: httpx.Client) -> None:
    operator, person = staff(people_only, stranger, "admin"), staff(people_only, stranger, "user")

    def found(wanted: str) -> list[dict[str, Any]]:
        answer = stranger.get("/v1/admin/users", params={"q": wanted}, headers=operator.headers)
        return list(answer.raise_for_status().json()["data"])

    [account] = found(person.email[:14].upper())
    assert found(account["id"]) == [account]
    assert found("ada%") == [], "what people type is no pattern"
    path = f"/v1/admin/users/{account['id']}"
    shut = stranger.patch(path, json={"disabled": True}, headers=operator.headers)
    assert shut.raise_for_status().json()["disabled"]
    assert is_refused_soon(stranger, person.headers)
    stranger.patch(path, json={"disabled": False, "tier": "premium"}, headers=operator.headers).raise_for_status()
    back = stranger.post("/v1/auth/login", json={"email": person.email, "password": GOOD}).raise_for_status().json()
    assert stranger.get("/v1/me", headers=bearing(back["access_token"])).json()["tier"] == "premium"
    [own] = found(operator.email)
    refused = stranger.patch(f"/v1/admin/users/{own['id']}", json={"disabled": True}, headers=operator.headers)
    assert code_of(refused) == (409, "conflict")
    assert code_of(stranger.patch(path, json={}, headers=operator.headers)) == (400, "invalid_request")
