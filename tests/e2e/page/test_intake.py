"""Every way that files come in, in a real browser: dropped, dropped as folders, picked, pasted."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

_WATCH = """async () => {
    const {watchIntake, filesOfInput} = await import('/static/intake.js');
    window.taken = [];
    const onFiles = async (files) => {
        for (const {file, path} of files) window.taken.push({path, text: await file.text()});
        window.whole = true;
    };
    watchIntake({onFiles});
    const input = (id, type, webkitdirectory) =>
        Object.assign(document.createElement('input'), {id, type, webkitdirectory});
    document.body.replaceChildren(input('files', 'file', false), input('folder', 'file', true), input('words', 'text'));
    for (const field of document.querySelectorAll('[type=file]')) {
        field.addEventListener('change', () => onFiles(filesOfInput(field)));
    }
}"""


@pytest.fixture
def page(browser: Browser, served) -> Iterator[Page]:
    context = browser.new_context(bypass_csp=True)
    opened = context.new_page()
    opened.goto(f"{served.url}/static/intake.js")
    opened.evaluate(_WATCH)
    yield opened
    context.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder such as people have."""
    root = tmp_path / "trip"
    (root / "days" / "first").mkdir(parents=True)
    (root / "plan.md").write_text("plan")
    (root / "days" / "first" / "day.txt").write_text("day")
    (root / "days" / ".DS_Store").write_bytes(b"\0")
    for n in range(120):
        (root / "days" / f"{n:03}.txt").write_text(str(n))
    return root


def taken(page: Page) -> list[dict[str, Any]]:
    page.wait_for_function("window.whole")
    return list(page.evaluate("window.taken"))


def drag(page: Page, kind: str, *paths: Path) -> None:
    """What the mouse does, as the browser's own input."""
    page.context.new_cdp_session(page).send(
        "Input.dispatchDragEvent",
        {
            "type": kind,
            "x": 100,
            "y": 100,
            "data": {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1},
        },
    )


def paste(page: Page, kinds: dict[str, str]) -> bool:
    """Whether the page took what was pasted: texts by media type, pictures as base64."""
    return bool(
        page.evaluate(
            """(kinds) => {
                const data = new DataTransfer();
                for (const [type, content] of Object.entries(kinds)) {
                    if (!type.startsWith('image/')) data.setData(type, content);
                    else {
                        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                        data.items.add(new File([bytes], 'image.' + type.slice(6), {type}));
                    }
                }
                const event = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
                return !(document.activeElement ?? document.body).dispatchEvent(event);
            }""",
            kinds,
        )
    )


def test_files_are_dropped_anywhere_and_the_window_shows_it(page: Page, tmp_path: Path):
    (tmp_path / "a.md").write_text("first")
    (tmp_path / ".DS_Store").write_text("meant")
    drag(page, "dragEnter", tmp_path / "a.md")
    drag(page, "dragOver", tmp_path / "a.md")
    page.wait_for_selector("html[data-dropping]")
    drag(page, "drop", tmp_path / "a.md", tmp_path / ".DS_Store")
    assert [(item["path"], item["text"]) for item in taken(page)] == [("a.md", "first"), (".DS_Store", "meant")]
    assert page.locator("html[data-dropping]").count() == 0


def test_the_window_is_as_before_when_the_drag_leaves_it(page: Page, tmp_path: Path):
    (tmp_path / "a.md").write_text("first")
    drag(page, "dragEnter", tmp_path / "a.md")
    page.wait_for_selector("html[data-dropping]")
    page.evaluate("document.body.dispatchEvent(new DragEvent('dragleave', {bubbles: true}))")
    page.wait_for_selector("html:not([data-dropping])")


def test_a_dropped_folder_is_taken_whole_with_its_paths(page: Page, folder: Path):
    drag(page, "dragEnter", folder)
    drag(page, "dragOver", folder)
    drag(page, "drop", folder)
    found = {item["path"]: item["text"] for item in taken(page)}
    assert found["trip/plan.md"] == "plan"
    assert found["trip/days/first/day.txt"] == "day"
    assert {f"trip/days/{n:03}.txt" for n in range(120)} <= found.keys()
    assert len(found) == 122, "a folder is read to its end, and what systems leave in it is not meant"


@pytest.mark.long
def test_a_picked_folder_is_taken_the_same_way(page: Page, folder: Path):
    page.locator("#folder").set_input_files(folder)
    found = {item["path"] for item in taken(page)}
    assert {"trip/plan.md", "trip/days/first/day.txt"} <= found
    assert len(found) == 122


def test_the_same_file_can_be_picked_twice(page: Page, tmp_path: Path):
    (tmp_path / "a.md").write_text("first")
    for n in (1, 2):
        page.locator("#files").set_input_files(tmp_path / "a.md")
        page.wait_for_function("(n) => window.taken.length === n", arg=n)


def test_pasted_text_and_pictures_become_files(page: Page):
    assert paste(page, {"text/plain": "words"})
    assert paste(page, {"image/png": base64.b64encode(b"pixels").decode(), "text/plain": "its address"})
    page.wait_for_function("window.taken.length === 2")
    assert [(item["path"], item["text"]) for item in taken(page)] == [("pasted.txt", "words"), ("pasted.png", "pixels")]


def test_words_pasted_into_a_field_stay_there(page: Page):
    page.locator("#words").focus()
    assert not paste(page, {"text/plain": "word"})
    assert paste(page, {"image/png": base64.b64encode(b"pixels").decode()})
    assert [item["path"] for item in taken(page)] == ["pasted.png"]
