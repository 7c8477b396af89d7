"""An account's life in a browser, from the first form to the certificate; and the page for files, used by its owner."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.converter.billing.closing import Closing
from filewright.converter.billing.nothing import NoBilling
from filewright.converter.tiers.file import load

REFUSED = 22
"""What curl ends with when it was answered with an error."""


def run(command: str, folder: Path) -> int:
    """As if it had been pasted."""
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, check=False).returncode


def text_of(document: Path | bytes) -> str:
    """By another program."""
    source, given = ("-", document) if isinstance(document, bytes) else (document, None)
    return subprocess.run(["pdftotext", source, "-"], input=given, capture_output=True, check=True).stdout.decode()


def fetched(page: Page, name: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return Path(download.value.path()).read_bytes()


def a_month_passes(town, email: str) -> None:
    """What the person used was used last month, on another plan; then the month is closed, as the service does it."""
    last = f"{datetime.now(UTC).replace(day=1) - timedelta(days=1):%Y-%m}"
    with sqlite3.connect(town.books, timeout=60) as books:
        (tenant,) = books.execute("SELECT tenant FROM users WHERE email = ?", [email]).fetchone()
        books.execute("UPDATE usage SET at = ? WHERE tenant = ?", [f"{last}-15 12:00:00.000000", tenant])
        books.execute("UPDATE usage_months SET month = ?, tier = 'premium' WHERE tenant = ?", [last, tenant])
    books.close()

    async def close() -> None:
        database = Database(f"sqlite:///{town.books}")
        try:
            await Closing(database, RandomIds(SystemClock()), load(town.folder / "tiers.yaml"), NoBilling()).run_once()
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as apart:  # the browser's loop runs in this thread
        apart.submit(asyncio.run, close()).result()


@pytest.mark.requirement("S7", "S26", "S27", "J1")
def test_a_person_signs_up_uses_a_key_sees_an_invoice_exports_and_erases(at_the_door, newcomer, town, tmp_path: Path):
    visit = at_the_door()
    page = visit.page
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("E-mail").fill(newcomer.email)
    page.get_by_label("Password", exact=True).fill(newcomer.password)
    page.get_by_role("button", name="Create the account").click()
    expect(page.locator(".who")).to_contain_text(newcomer.email)
    page.goto(town.link(newcomer.email, "Confirm your address"))
    page.get_by_role("button", name="Confirm the address").click()
    expect(page.get_by_text("0 of 100 conversions this month")).to_be_visible()
    expect(page.get_by_text("not confirmed")).to_have_count(0)

    page.get_by_label("Name").fill("nightly build")
    page.get_by_role("button", name="Make a key").click()
    page.get_by_role("button", name="Copy", exact=True).click()
    key = page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Copy command").click()
    command = page.evaluate("navigator.clipboard.readText()")
    assert key.startswith("fw_live_")
    assert key in command
    assert run(command, tmp_path) == 0
    assert "It works." in text_of(tmp_path / "hello.pdf")

    page.reload()
    expect(page.get_by_text("nightly build", exact=True)).to_be_visible()
    assert key not in page.content(), "it is shown once"
    expect(page.get_by_text("1 of 100 conversions this month")).to_be_visible()

    a_month_passes(town, newcomer.email)
    page.reload()
    with page.expect_download() as again:
        page.get_by_role("link", name="Download the result of hello.md").click()
    assert "It works." in text_of(Path(again.value.path()))
    expect(page.get_by_role("region", name="Invoices")).to_contain_text("€19.00")
    invoice = text_of(fetched(page, "as PDF"))
    assert "19.00 EUR" in invoice
    visit.look("account-home", full=True)

    with zipfile.ZipFile(io.BytesIO(fetched(page, "Export"))) as export:
        (own,) = [json.loads(line) for line in export.read("data/users.ndjson").splitlines()]
        assert own["email"] == newcomer.email
        assert any(name.endswith("/hello.md") for name in export.namelist())
    expect(page.get_by_role("region", name="Your data")).to_contain_text("Exported")

    page.get_by_text("Erase the account").click()
    page.get_by_label("to confirm").fill("somebody.else@example.com")
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_label("to confirm")).to_have_accessible_description("This is not the address of the account.")
    page.get_by_label("to confirm").fill(newcomer.email)
    page.get_by_label("to confirm").scroll_into_view_if_needed()
    visit.look("account-erase")
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_role("heading", name="The account is erased")).to_be_visible()
    visit.look("account-erased")
    certificate = json.loads(fetched(page, "Certificate"))
    with town.client() as http:
        shown = http.get(f"/v1/erasures/{certificate['id']}").raise_for_status().json()
    assert shown["certificate"] == certificate["certificate"]
    page.reload()
    expect(page.get_by_text(certificate["id"])).to_be_visible()

    assert run(command, tmp_path) == REFUSED
    page.goto(f"{town.url}/account")
    page.get_by_label("E-mail").fill(newcomer.email)
    page.get_by_label("Password", exact=True).fill(newcomer.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong.")


@pytest.mark.engine("weasyprint")
def test_whoever_signs_in_converts_as_that_account_until_they_sign_out(visits, person, town, files):
    visit = visits(town.url).open()
    page = visit.page
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{town.url}/")
    visit.ready()
    visit.pick(files("lakeside.md"))
    visit.convert(visit.until("lakeside.md", "ready"), "txt")
    row = visit.until("lakeside.md", "succeeded")
    assert b"quiet" in visit.fetch(row.get_by_role("link", name="Download"))
    page.locator(".person summary").click()
    expect(page.locator(".menu")).to_contain_text(person.email)
    visit.look("signed-in")

    body = {"email": person.email, "password": person.password}
    with town.client() as http:
        token = http.post("/v1/auth/login", json=body).raise_for_status().json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        (job,) = http.get("/v1/jobs").raise_for_status().json()["data"]
        assert job["target_format"] == "txt"
        assert http.get("/v1/me/limits").json()["month"]["used"] == 1

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(visit.rows).to_have_count(0)
    kept = "indexedDB.databases().then((found) => found.map(({name}) => name))"
    page.wait_for_function(f"async () => !(await {kept}).some((name) => name.includes('usr_'))")
    assert visit.context.cookies() == []
