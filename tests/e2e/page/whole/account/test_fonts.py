"""Fonts of one's own on the account page, in a browser, against a real service."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from fontkit import font, made, wrapped

HOSTILE = "<img src=x onerror=ran()>\u202e{name}'\""
NARROWEST = 320


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With fonts of several kinds, and what is none."""
    contents = {
        "Quillmark-Bold.ttf": font("Quillmark", style="Bold"),
        "inkhorn.woff2": wrapped(made("Inkhorn"), "woff2"),
        "restricted.ttf": font("Restricted", fs_type=2),
        "notes.ttf": b"These are words.",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def part(page: Page) -> Locator:
    return page.get_by_role("region", name="Fonts", exact=True)


def choose(page: Page, *paths: Path) -> None:
    """By the keyboard, up to the system's own window, which is kept shut: a slow browser loses one that it opens."""
    expect(part(page)).to_contain_text(re.compile(r"\d of \d+ fonts"))
    chooser = part(page).locator("input[type=file]")
    chooser.evaluate(
        "it => it.addEventListener('click', event => { event.preventDefault(); it.dataset.asked = 'yes'; })"
    )
    page.get_by_role("button", name="Add fonts").focus()
    page.keyboard.press("Enter")
    expect(chooser).to_have_attribute("data-asked", "yes")
    chooser.set_input_files(paths)


def drop(page: Page, *paths: Path) -> None:
    """Over the part, as the browser's own input."""
    page.get_by_role("button", name="Add fonts").scroll_into_view_if_needed()
    box = part(page).bounding_box()
    assert box is not None
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": box["x"] + 40, "y": box["y"] + 20, "data": data}
        devtools.send("Input.dispatchDragEvent", event)


def test_fonts_are_brought_seen_and_taken_away_without_a_mouse(inside: Callable[..., object], folder: Path):
    visit = inside()
    page = visit.page
    expect(part(page)).to_contain_text("0 of 20 fonts")
    choose(page, folder / "Quillmark-Bold.ttf", folder / "inkhorn.woff2")
    fonts = part(page).get_by_role("listitem")
    expect(fonts).to_have_count(2)
    expect(fonts.first).to_contain_text("Inkhorn WOFF2")
    expect(fonts.last).to_contain_text("Quillmark TTF")
    expect(fonts.last).to_contain_text("Bold · ")
    expect(part(page)).to_contain_text("2 of 20 fonts")
    page.reload()
    expect(fonts).to_have_count(2)
    part(page).scroll_into_view_if_needed()
    visit.look("account-fonts", full=True)

    page.get_by_role("button", name="Remove Quillmark Bold").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("does not have it any more")
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).focus()
    page.keyboard.press("Enter")
    expect(fonts).to_have_count(1)
    expect(page.get_by_role("heading", name="Fonts", exact=True)).to_be_focused()
    expect(part(page)).to_contain_text("1 of 20 fonts")


def test_what_is_dropped_is_taken_and_what_cannot_be_is_told_in_words(inside, folder: Path):
    visit = inside()
    page = visit.page
    drop(page, *(folder / name for name in ("notes.ttf", "Quillmark-Bold.ttf", "restricted.ttf")))
    expect(part(page).get_by_role("listitem")).to_have_count(1)
    told = part(page).get_by_role("alert").locator("p")
    expect(told).to_have_count(2)
    expect(told.first).to_have_text("notes.ttf: A font is a TTF, OTF, TTC, WOFF or WOFF2 file.")
    expect(told.last).to_contain_text("restricted.ttf: Its maker does not allow")
    visit.look("account-fonts-refused")
    page.locator("#tools select").select_option("de")
    german = page.get_by_role("region", name="Schriften", exact=True)
    expect(german.get_by_role("alert")).to_contain_text("notes.ttf: Das ist keine Schrift.")


def test_the_names_of_a_font_are_only_text_and_fit_a_narrow_window(inside, tmp_path: Path):
    visit = inside(viewport={"width": NARROWEST, "height": 720})
    page = visit.page
    (tmp_path / "hostile.ttf").write_bytes(font(HOSTILE + "long " * 12))
    part(page).locator("input[type=file]").set_input_files(tmp_path / "hostile.ttf")
    expect(part(page).get_by_role("listitem")).to_contain_text("onerror=ran()")
    assert page.locator("#account :is(img, script), [onerror]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST
    visit.look("account-fonts-narrow", full=True)


def test_whoever_needs_no_account_has_fonts_without_one(visits, served, folder: Path):
    """On a machine of their own."""
    visit = visits(served.url).open("/account")
    page = visit.page
    expect(page.get_by_text("Nobody needs an account here")).to_be_visible()
    choose(page, folder / "Quillmark-Bold.ttf")
    expect(part(page).get_by_role("listitem")).to_contain_text("Quillmark")
    visit.look("account-fonts-local", full=True)
    page.get_by_role("button", name="Remove Quillmark Bold").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(part(page).get_by_role("listitem")).to_have_count(0)
