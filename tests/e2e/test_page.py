"""A person with a browser and no scripts: file, target, go, result."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect


@pytest.fixture
def page(browser: Browser, served) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False, accept_downloads=True, base_url=served.url)
    asked: list[str] = []
    opened = context.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    assert all(url.startswith((served.url, "data:", "blob:")) for url in asked), "no request leaves this service"


def choose(page: Page, file: Path, target: str) -> None:
    page.goto("/")
    page.get_by_label("Your file").set_input_files(file)
    page.get_by_label("Becomes").select_option(target)


def test_a_document_is_turned_into_a_pdf(page: Page, tmp_path: Path):
    (tmp_path / "notes.md").write_text("# My notes\n\nand thoughts\n")
    choose(page, tmp_path / "notes.md", "pdf")
    with page.expect_download() as download:
        page.get_by_role("button", name="Convert").click()
    assert download.value.suggested_filename == "notes.pdf"
    text = subprocess.run(
        ["pdftotext", str(download.value.path()), "-"], capture_output=True, check=True
    ).stdout.decode()
    assert "My notes" in text


def test_a_refusal_says_what_to_do(page: Page, tmp_path: Path):
    (tmp_path / "empty.docx").write_bytes(b"")
    choose(page, tmp_path / "empty.docx", "pdf")
    page.get_by_role("button", name="Convert").click()
    assert page.get_by_role("heading", name="The file is empty").is_visible()
    page.get_by_role("link", name="Try another file").click()
    assert page.get_by_role("button", name="Convert").is_visible()


def test_a_hostile_name_is_shown_as_text(page: Page, served, tmp_path: Path):
    name = "<img src=x onerror=alert(1)>.md"
    (tmp_path / name).write_text("# x\n")
    choose(page, tmp_path / name, "html")
    with page.expect_download() as download:
        page.get_by_role("button", name="Convert").click()
    assert download.value.suggested_filename.endswith(".html")


def test_a_finished_job_has_a_page_with_its_downloads(page: Page, tmp_path: Path, served):
    (tmp_path / "a.md").write_text("# One\n")
    with (tmp_path / "a.md").open("rb") as file:
        job = httpx.post(
            f"{served.url}/v1/convert",
            files={"file": ("<b>a</b>.md", file)},
            data={"to": "html"},
            headers={"Prefer": "respond-async"},
            timeout=60,
        ).json()
    page.goto(f"/jobs/{job['id']}")  # looks again by itself every two seconds
    page.get_by_role("heading", name="Done").wait_for(timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert "One" in Path(download.value.path()).read_text()


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.sampled(2)
def test_the_page_fits_its_window(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 700})
    page.goto("/")
    box = page.locator("form").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def test_the_keyboard_alone_reaches_everything_in_order(page: Page):
    page.goto("/")
    way_in = page.get_by_role("link", name="Sign in")  # where there is anything to sign in for
    fields = [
        page.get_by_role("link", name="Filewright"),
        *([way_in] if way_in.is_visible() else []),
        page.get_by_label("Your file"),
        page.get_by_label("Becomes"),
        page.locator("summary"),  # texts within <noscript> are not looked for
        page.get_by_role("button", name="Convert"),
    ]
    for field in fields:
        page.keyboard.press("Tab")
        expect(field).to_be_focused()
