"""What an operator does on the operators' page, in a browser, against a real service."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import httpx
import pytest
from playwright.sync_api import expect

NARROWEST = 320


def written(town, statement: str, *values: str) -> None:
    """Into the service's books, past it."""
    with closing(sqlite3.connect(town.books, timeout=60)) as books, books:
        books.execute(statement, values)


def signed_in(town, person) -> httpx.Response:
    with town.client() as http:
        return http.post("/v1/auth/login", json={"email": person.email, "password": person.password})


def bearing(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


def condemned(town, person) -> str:
    """A job of the person's that brought engines down; its id."""
    form = {"files": {"file": ("notes.md", b"# Notes\n")}, "data": {"to": "html"}}
    with town.client() as http:
        answer = http.post("/v1/convert", headers=bearing(signed_in(town, person)), **form).raise_for_status()
    job = answer.headers["link"].partition(">")[0].rpartition("/")[2]
    written(town, "UPDATE jobs SET state = 'quarantined' WHERE id = ?", job)
    return job


@pytest.fixture
def operator(town, newcomer):
    """Somebody with that role."""
    with town.client() as http:
        body = {"email": newcomer.email, "password": newcomer.password}
        http.post("/v1/auth/register", json=body).raise_for_status()
    written(town, "UPDATE users SET role = 'admin' WHERE email = ?", newcomer.email)
    return newcomer


def test_an_operator_looks_after_people_files_and_flags(visits, person, operator, town):
    job = condemned(town, person)

    visit = visits(town.url)
    page = visit.page
    page.goto(f"{town.url}/admin")
    page.get_by_label("E-mail").fill(operator.email)
    page.get_by_label("Password", exact=True).fill(operator.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_focused()
    expect(page.get_by_role("region", name="Dependencies").get_by_role("row").nth(1)).to_contain_text("usable")
    expect(page.locator(".sums")).to_contain_text("Wait")
    visit.look("admin-overview", full=True)

    page.get_by_role("link", name="Users").click()
    page.get_by_label("Find").fill(person.email)
    page.get_by_role("button", name="Find").click()
    row = page.get_by_role("row").filter(has_text=person.email)
    expect(page.get_by_role("row")).to_have_count(2)
    row.get_by_label("Tier of").select_option("premium")
    page.get_by_role("dialog").get_by_role("button", name="Make it premium").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(row.get_by_label("Tier of")).to_have_value("premium")
    row.get_by_role("button", name="Credits for").click()
    page.get_by_role("dialog").get_by_label("Credits").fill("25")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    with town.client() as http:
        limits = http.get("/v1/me/limits", headers=bearing(signed_in(town, person))).raise_for_status().json()
    assert (limits["tier"], limits["month"]["credits"]) == ("premium", 25)
    row.get_by_role("button", name="Block").click()
    page.get_by_role("dialog").get_by_role("button", name="Block", exact=True).click()
    expect(row).to_contain_text("blocked")
    assert signed_in(town, person).status_code == 401
    visit.look("admin-users")
    row.get_by_role("button", name="Let in").click()
    page.get_by_role("dialog").get_by_role("button", name="Let in", exact=True).click()
    expect(row).not_to_contain_text("blocked")
    assert signed_in(town, person).status_code == 200

    page.get_by_role("link", name="Quarantine").click()
    expect(page.get_by_role("row").filter(has_text=job)).to_contain_text("quarantined")
    visit.look("admin-quarantine")
    page.get_by_role("button", name=f"Delete {job}").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("row").filter(has_text=job)).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Nothing is in quarantine.")).to_be_visible()

    page.get_by_role("link", name="Flags").click()
    page.get_by_label("Name").fill("new-engine")
    page.get_by_role("button", name="Set").click()
    flag = page.get_by_role("region", name="new-engine")
    flag.get_by_label("Percent").fill("25")
    flag.get_by_role("button", name="Set").click()
    expect(flag.get_by_label("Percent")).to_have_value("25")
    visit.look("admin-flags")
    written(
        town,
        "UPDATE flags SET halted_at = '2026-01-01 00:00:00.000000', halted_why = 'so much fails' WHERE name = ?",
        "new-engine",
    )
    page.reload()
    expect(flag).to_contain_text("It halted itself: so much fails")
    flag.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(flag).to_have_count(0)

    page.get_by_role("link", name="Audit log").click()
    page.get_by_label("Action").fill("flag.set")
    page.keyboard.press("Enter")
    acts = page.get_by_role("group", name="Acts").get_by_role("row")
    expect(acts).to_have_count(3)
    expect(acts.nth(1)).to_contain_text("new-engine")
    visit.look("admin-audit", full=True)

    page.get_by_role("link", name="Networks").click()
    page.get_by_label("Network", exact=True).fill("203.0.113.0/24")
    page.get_by_label("Note").fill("scrapes")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("row").filter(has_text="203.0.113.0/24")).to_contain_text("Blocked")
    page.get_by_role("button", name="Remove 203.0.113.0/24").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("row").filter(has_text="203.0.113.0/24")).to_have_count(0)
    page.get_by_role("link", name="Alarms").click()
    expect(page.get_by_role("heading", name="Alarms")).to_be_focused()

    page.set_viewport_size({"width": NARROWEST, "height": 720})
    page.get_by_role("link", name="Users").click()
    expect(page.get_by_role("heading", name="Users")).to_be_focused()
    visit.look("admin-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST
