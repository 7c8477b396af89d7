"""Every state of the page, in light and in dark: nothing that keeps anybody out, and a picture for the documentation.

`visit.look` fails where axe-core finds a violation, rules for target sizes included. The pictures go to `.run/page/`;
`scripts/page_pictures.py` takes them from there into the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

Files = Callable[[str], Path]


def test_nothing_here_yet(visit):
    visit.look("empty")


@pytest.mark.long
def test_files_over_the_window(visit, files: Files):
    visit.drag("dragEnter", files("lakeside.md"))
    visit.drag("dragOver", files("lakeside.md"))
    visit.page.wait_for_selector("html[data-dropping]")
    visit.look("dropping")


@pytest.mark.long
def test_files_that_were_added(visit, files: Files):
    visit.pick(*map(files, ("photo.jpg", "report.docx", "people.csv", "two-pages.pdf", "tone.wav", "lakeside.md")))
    visit.until_all("ready")
    expect(visit.row("photo.jpg").locator("img")).to_be_visible()
    expect(visit.row("two-pages.pdf").locator("img")).to_be_visible()
    visit.look("ready")


@pytest.mark.long
def test_files_on_their_way(visit, files: Files, thin_line):
    visit.pick(files("photo.jpg"))
    visit.until("photo.jpg", "ready")
    with thin_line(visit, 100_000):
        visit.pick(files("long film.mp4"))
        visit.row("long film.mp4").get_by_role("button", name="Convert long film.mp4", exact=True).click()
        expect(visit.row("long film.mp4")).to_contain_text("Uploading 1")
        visit.look("uploading")
        visit.row("long film.mp4").get_by_role("button", name="Cancel").click()
        visit.until("long film.mp4", "cancelled")


@pytest.mark.long
def test_no_connection(visit, files: Files):
    visit.pick(files("photo.jpg"), files("lakeside.md"))
    visit.until_all("ready")
    visit.context.set_offline(True)
    visit.pick(files("report.docx"))
    visit.page.get_by_role("button", name="Convert all", exact=True).click()
    expect(visit.row("report.docx")).to_contain_text("Waiting for a connection")
    visit.look("offline")
    visit.context.set_offline(False)
    visit.until_all("succeeded")


@pytest.mark.long
def test_the_choice_of_a_target(visit, files: Files):
    visit.pick(files("photo.jpg"))
    row = visit.until("photo.jpg", "ready")
    row.locator(".target").click()
    expect(visit.page.locator("#told")).not_to_be_empty()
    visit.look("chooser")
    visit.page.keyboard.type("word")
    visit.look("chooser-search")
    visit.search.fill("sound")
    expect(visit.page.get_by_role("dialog").get_by_role("option").first).to_contain_text("It holds no sound")
    visit.look("chooser-refused")


@pytest.mark.long
def test_the_options_of_a_way(visit, files: Files):
    visit.pick(files("two-pages.pdf"))
    row = visit.until("two-pages.pdf", "ready")
    row.locator(".target").click()
    visit.page.keyboard.type("png")
    visit.page.keyboard.press("Enter")
    row.get_by_role("button", name="Options for").click()
    expect(visit.page.get_by_role("dialog")).to_be_visible()
    visit.look("options")


@pytest.mark.long
def test_work_under_way_and_in_the_queue(visits, paced_by_two: str, files: Files, tmp_path: Path):
    visit = visits(paced_by_two).open()
    films = [tmp_path / f"take {n}.mp4" for n in (1, 2, 3, 4)]
    for film in films:
        film.hardlink_to(files("long film.mp4"))
    visit.pick(*films)
    for film in films:
        visit.convert(visit.row(film.name), "webm")
    visit.until("take 1.mp4", "running")
    visit.until("take 2.mp4", "running")
    visit.until("take 4.mp4", "queued")
    expect(visit.row("take 1.mp4")).to_contain_text("Converting")
    visit.look("working")
    for film in films:
        visit.row(film.name).get_by_role("button", name=f"Cancel {film.name}").click()
    visit.until_all("cancelled")
    visit.look("cancelled")


def test_everything_done(visit, files: Files):
    wanted = {
        "photo.jpg": "webp",
        "report.docx": "pdf",
        "people.csv": "xlsx",
        "two-pages.pdf": "png",
        "lakeside.md": "epub",
    }
    visit.pick(*map(files, wanted))
    visit.until_all("ready")
    for name, target in wanted.items():
        visit.convert(visit.row(name), target)
    visit.until_all("succeeded")
    expect(visit.page.get_by_role("button", name="Download all", exact=True)).to_be_visible()
    visit.look("done")


def test_what_could_not_be_done(visit, files: Files, tmp_path: Path):
    (tmp_path / "shopping.xyz").write_bytes(bytes(range(256)) * 9)
    names = ("empty.docx", "half.png", "locked.pdf", "docx-named.pdf")
    visit.pick(*map(files, names), tmp_path / "shopping.xyz")
    visit.until_all("ready", "failed")
    for row in visit.rows.all():
        if row.get_attribute("data-phase") == "ready":
            visit.convert(row, "txt" if "pdf" in row.inner_text() else "webp")
    visit.until_all("failed")
    visit.look("failed")


@pytest.mark.long
def test_a_command_to_take_along(visit, files: Files):
    visit.pick(files("report.docx"))
    visit.until("report.docx", "ready").get_by_role("button", name="report.docx as curl").click()
    expect(visit.page.get_by_role("dialog")).to_be_visible()
    visit.look("curl")


@pytest.mark.parametrize(
    ("name", "target", "kind"),
    [
        ("photo.jpg", "webp", "picture"),
        ("two-pages.pdf", "docx", "pages"),
        ("people.csv", "xlsx", "table"),
        ("lakeside.md", "html", "text"),
        ("tone.wav", "mp3", "sound"),
        ("bars.mp4", "webm", "film"),
    ],
)
@pytest.mark.sampled(3)
def test_a_look_at_a_result(visit, files: Files, name: str, target: str, kind: str):
    visit.pick(files(name))
    visit.convert(visit.until(name, "ready"), target)
    visit.until(name, "succeeded").get_by_role("button", name="Preview").click()
    expect(visit.page.locator(".preview-stage")).to_be_visible()
    expect(visit.page.locator(".preview-stage[aria-busy]")).to_have_count(0)
    visit.look(f"preview-{kind}")


# --- other windows, other people --------------------------------------------------------------------------------------


def mixed(visit, files: Files) -> None:
    """Rows of several states, without work that goes on."""
    visit.pick(*map(files, ("photo.jpg", "report.docx", "empty.docx", "locked.pdf")))
    visit.until_all("ready", "failed")
    visit.convert(visit.row("photo.jpg"), "webp")
    visit.convert(visit.row("locked.pdf"), "txt")
    visit.until("photo.jpg", "succeeded")
    visit.until("locked.pdf", "failed")


def is_wider_than_its_window(visit) -> bool:
    return bool(visit.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def cut_words(visit) -> list[str]:
    """Words of buttons and names of dialogs that do not fit into their places."""
    return list(
        visit.page.evaluate(
            """() => Array.from(document.querySelectorAll('button, a, h1, h2, label, .hint, .about'))
                .filter((element) => element.checkVisibility() && element.clientWidth > 1)
                .filter((element) => element.scrollWidth > element.clientWidth + 1)
                .filter((element) => getComputedStyle(element).overflowX !== 'visible')
                .filter((element) => getComputedStyle(element).textOverflow !== 'ellipsis')
                .map((element) => element.textContent)"""
        )
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("narrow", {"viewport": {"width": 320, "height": 720}}),
        # What is left of a window of 1280 by 1024 when everything is twice as large.
        ("zoomed", {"viewport": {"width": 640, "height": 512}, "device_scale_factor": 2}),
    ],
)
@pytest.mark.sampled(2)
def test_small_windows_hold_everything(visits, served, files: Files, name: str, options: dict[str, object]):
    visit = visits(served.url, **options).open()
    visit.look(f"{name}-empty")
    assert not is_wider_than_its_window(visit)
    mixed(visit, files)
    visit.look(name, full=True)
    assert not is_wider_than_its_window(visit)
    assert cut_words(visit) == []
    visit.row("report.docx").locator(".target").click()
    visit.look(f"{name}-chooser")
    assert not is_wider_than_its_window(visit)
    visit.page.keyboard.press("Escape")
    visit.row("photo.jpg").get_by_role("button", name="Preview").click()
    expect(visit.page.locator(".preview-stage img").first).to_be_visible()
    expect(visit.page.locator(".preview-stage[aria-busy]")).to_have_count(0)
    visit.look(f"{name}-preview")
    assert not is_wider_than_its_window(visit)


@pytest.mark.parametrize(("language", "heading", "words"), [("de", "Jede Datei", "umgewandelt"), ("qps-rtl", "⟦", "⟦")])
@pytest.mark.sampled(2)
def test_other_languages_and_directions(visits, served, files: Files, language: str, heading: str, words: str):
    visit = visits(served.url).open(f"/?lang={language}")
    expect(visit.page.get_by_role("heading", level=1)).to_be_visible()
    rows = visit.page.locator("ol.rows > li")
    visit.page.locator("input[type=file][multiple]").set_input_files([files("photo.jpg"), files("empty.docx")])
    expect(rows).to_have_count(2)
    expect(visit.page.locator("li[data-phase=ready]")).to_have_count(1)
    visit.page.locator("li[data-phase=ready] .target").click()
    visit.look(f"{language}-chooser")
    visit.page.keyboard.press("Escape")
    visit.look(language)
    assert not is_wider_than_its_window(visit)
    assert cut_words(visit) == []


# --- no script at all -------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_pages_for_browsers_without_scripts(visits, served, files: Files, tmp_path: Path):
    visit = visits(served.url)
    scripts = visit.context.new_cdp_session(visit.page)

    def look(name: str) -> None:
        """It was read without scripts. axe-core needs them again; what stands for them is to stay in sight."""
        scripts.send("Emulation.setScriptExecutionDisabled", {"value": False})
        visit.page.evaluate(
            "document.querySelectorAll('noscript').forEach((one) => one.replaceWith(...one.childNodes))"
        )
        visit.look(name)
        scripts.send("Emulation.setScriptExecutionDisabled", {"value": True})

    scripts.send("Emulation.setScriptExecutionDisabled", {"value": True})
    visit.page.goto(served.url)
    expect(visit.page.get_by_label("Your file")).to_be_visible()
    look("no-script")
    with files("photo.jpg").open("rb") as content:
        form = {
            "files": {"file": ("photo.jpg", content)},
            "data": {"to": "webp"},
            "headers": {"Prefer": "respond-async"},
        }
        job = httpx.post(f"{served.url}/v1/convert", **form).json()  # type: ignore[arg-type]
    visit.page.goto(f"{served.url}/jobs/{job['id']}")
    expect(visit.page.get_by_role("heading", name="Done")).to_be_visible()
    look("no-script-done")
    visit.page.goto(served.url)
    visit.page.get_by_label("Your file").set_input_files(files("empty.docx"))
    visit.page.get_by_label("Becomes").select_option("pdf")
    visit.page.get_by_role("button", name="Convert").click()
    expect(visit.page.get_by_role("heading", name="The file is empty")).to_be_visible()
    look("no-script-refused")
