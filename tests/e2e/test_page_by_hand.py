"""A person with the page: what they see, and what a few key presses do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

PATIENCE = 60_000


@pytest.fixture
def page(browser: Browser, served) -> Iterator[Page]:
    context = browser.new_context(accept_downloads=True, base_url=served.url, locale="en-GB")
    wrong: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None)
    opened.goto("/")
    expect(opened.get_by_label("Language")).to_be_visible()
    yield opened
    context.close()
    assert wrong == [], "the page has no complaints, its security policy included"


def add(page: Page, *files: Path) -> Locator:
    page.locator("input[type=file][multiple]").set_input_files(files)
    rows = page.get_by_role("list", name="Files").get_by_role("listitem")
    expect(rows).to_have_count(len(files))
    return rows


def note(folder: Path, name: str = "notes.md") -> Path:
    (folder / name).write_text("# My notes\n\nand thoughts\n")
    return folder / name


def test_one_key_press_converts_and_one_more_downloads(page: Page, tmp_path: Path):
    add(page, note(tmp_path))
    expect(page.get_by_role("button", name="Convert notes.md", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Download notes")).to_be_focused(timeout=PATIENCE)
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.startswith("notes.")
    assert Path(download.value.path()).stat().st_size > 0


def test_the_chooser_knows_what_people_call_a_format(page: Page, tmp_path: Path):
    (row,) = add(page, note(tmp_path)).all()
    row.get_by_role("button", name="Convert notes.md to").click()
    page.keyboard.type("ms word")
    expect(page.get_by_role("dialog").get_by_role("option", selected=True)).to_contain_text("DOCX")
    page.keyboard.press("Enter")
    expect(row.get_by_role("button", name="Convert notes.md to DOCX")).to_be_visible()
    page.keyboard.press("Enter")  # the focus is on the button that converts
    expect(page.get_by_role("link", name="Download notes.docx")).to_be_visible(timeout=PATIENCE)


@pytest.mark.long
def test_the_chooser_says_why_something_is_not_to_be_had(page: Page, tmp_path: Path):
    (row,) = add(page, note(tmp_path)).all()
    row.get_by_role("button", name="Convert notes.md to").click()
    page.keyboard.type("mp3")
    expect(page.get_by_role("option", name="MP3")).to_contain_text("It holds no sound")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row.get_by_role("button", name="Convert notes.md to")).to_be_focused()


@pytest.mark.long
def test_several_files_start_with_one_key_press(page: Page, tmp_path: Path):
    rows = add(page, note(tmp_path, "one.md"), note(tmp_path, "two.md"))
    expect(page.get_by_role("button", name="Convert all", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows.get_by_role("link", name="Download")).to_have_count(2, timeout=PATIENCE)
    expect(page).to_have_title("All done · Filewright")


def test_a_refused_file_says_why_in_its_row(page: Page, tmp_path: Path):
    (tmp_path / "empty.docx").write_bytes(b"")
    (row,) = add(page, tmp_path / "empty.docx").all()
    expect(row).to_contain_text("The file is empty", timeout=PATIENCE)


@pytest.mark.long
def test_the_page_speaks_another_direction(page: Page):
    page.goto("/?lang=qps-rtl")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.get_by_role("heading", level=1)).to_contain_text("⟦")


@pytest.mark.long
def test_the_colours_can_be_chosen_and_stay(page: Page):
    page.get_by_role("button", name="Colours: as the system").click()
    page.get_by_role("button", name="Colours: light").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
