"""A result is looked at without downloading it: shown as what it is, by keyboard, with nothing run and nothing left."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from docx import Document
from openpyxl import Workbook
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

PATIENCE = 90_000
COLOURS = ("red", "lime", "blue", "yellow", "cyan", "magenta")
_OPEN = """async ({job, name, latin, type}) => {
    const [{createApi, createCatalogue}, {openPreview}] =
        await Promise.all([import('/static/api.js'), import('/static/preview.js')]);
    const api = createApi();
    const catalogue = createCatalogue(api);
    await catalogue.ready;
    const bytes = latin === null ? null : Uint8Array.from(latin, (letter) => letter.charCodeAt(0));
    const file = bytes && new File([bytes], name, {type});
    openPreview({row: {name, file, format: job.source_format, job}, api, catalogue});
}"""
_THUMBNAIL = """async ({name, latin, type, format}) => {
    const [{createApi}, {thumbnail}] = await Promise.all([import('/static/api.js'), import('/static/thumbnail.js')]);
    const file = new File([Uint8Array.from(latin, (letter) => letter.charCodeAt(0))], name, {type});
    const url = await thumbnail({file, format}, {api: createApi()});
    if (!url) return null;
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const {naturalWidth: width, naturalHeight: height} = picture;
    const canvas = Object.assign(document.createElement('canvas'), {width, height});
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0);
    const middle = [...context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
    return {width: canvas.width, height: canvas.height, middle};
}"""
_MIDDLE = """async (picture) => {
    await picture.decode();
    const canvas = Object.assign(document.createElement('canvas'), {width: 3, height: 3});
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0, 3, 3);
    return [...context.getImageData(1, 1, 1, 1).data].slice(0, 3);
}"""


class Desk:
    """A page of the service, and what a person does there."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.asked: list[Request] = []
        self.said: list[str] = []
        page.on("request", self._note)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("dialog", lambda dialog: (self.said.append("a script ran"), dialog.dismiss()))
        page.goto(url)

    def _note(self, request: Request) -> None:
        self.asked.append(request)

    def convert(self, file: Path, to: str, **options: Any) -> dict[str, Any]:
        with file.open("rb") as content:
            form = {"to": to, "options": json.dumps(options)}
            answer = httpx.post(
                f"{self.url}/v1/convert",
                files={"file": (file.name, content)},
                data=form,
                headers={"Prefer": "respond-async"},
                timeout=60,
            )
        job = answer.raise_for_status().json()
        while job["status"] in {"queued", "running"}:
            job = httpx.get(f"{self.url}/v1/jobs/{job['id']}", params={"wait": 20}, timeout=60).json()
        assert job["status"] == "succeeded", job
        return dict(job)

    def open(self, job: dict[str, Any], file: Path | None = None, media_type: str = "") -> Locator:
        """The dialog, once it has shown what there is to show first."""
        dialog = self.begin(job, file, media_type)
        self.wait()
        return dialog

    def begin(self, job: dict[str, Any], file: Path | None = None, media_type: str = "") -> Locator:
        """The dialog as it opens."""
        latin = file.read_bytes().decode("latin-1") if file else None
        name = file.name if file else "a file"
        self.page.evaluate(_OPEN, {"job": job, "name": name, "latin": latin, "type": media_type})
        return self.page.get_by_role("dialog")

    def wait(self) -> None:
        busy = self.page.locator(".preview-stage[aria-busy]")
        expect(busy).to_have_count(0, timeout=PATIENCE)

    def show(self, file: Path, to: str, **options: Any) -> Locator:
        return self.open(self.convert(file, to, **options), file)

    def looks(self) -> dict[str, str]:
        """The jobs that were made only to look, and how each stands."""
        found = httpx.get(f"{self.url}/v1/jobs", params={"tag": "preview", "limit": 100}, timeout=60).json()["data"]
        return {job["id"]: job["status"] for job in found}

    def erased(self, before: dict[str, str]) -> bool:
        """Whether all looks since then are. (Those of a window that was closed over them wait for their end.)"""
        return all(status == "expired" for look, status in self.looks().items() if look not in before)

    def thumbnail(self, file: Path, media_type: str, format_id: str) -> dict[str, Any] | None:
        asked = {
            "name": file.name,
            "latin": file.read_bytes().decode("latin-1"),
            "type": media_type,
            "format": format_id,
        }
        found = self.page.evaluate(_THUMBNAIL, asked)
        return dict(found) if found else None


@pytest.fixture
def desk(browser: Browser, served) -> Iterator[Desk]:
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    context.set_default_timeout(PATIENCE)
    made = Desk(context.new_page(), served.url)
    yield made
    context.close()
    assert "a script ran" not in made.said
    assert not [line for line in made.said if "Content Security Policy" in line]
    hosts = {request.url.split("/")[2] for request in made.asked if request.url.startswith("http")}
    assert hosts == {served.url.removeprefix("http://")}


def eventually(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < end, what


def is_colour(found: list[int], name: str) -> bool:
    wanted = Image.new("RGB", (1, 1), name).getpixel((0, 0))
    return all(abs(one - other) < 40 for one, other in zip(found, wanted, strict=False))


@pytest.fixture
def red(tmp_path: Path) -> Path:
    Image.new("RGB", (400, 300), "red").save(tmp_path / "red.png")
    return tmp_path / "red.png"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A PDF of six pages, each of a colour of its own."""
    pages = [Image.new("RGB", (300, 400), colour) for colour in COLOURS]
    pages[0].save(tmp_path / "book.pdf", save_all=True, append_images=pages[1:])
    return tmp_path / "book.pdf"


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_picture_is_shown_enlarged_and_fitted_again_by_keys(desk: Desk, red: Path):
    dialog = desk.open(desk.convert(red, "webp"))
    picture = dialog.get_by_role("img", name="red.webp")
    assert is_colour(picture.evaluate(_MIDDLE), "red")
    before = picture.bounding_box()
    desk.page.keyboard.press("+")
    desk.page.keyboard.press("+")
    expect(dialog.get_by_role("group", name="Size")).to_contain_text("150%")
    after = picture.bounding_box()
    assert before and after and after["width"] == pytest.approx(1.5 * before["width"], abs=2)
    desk.page.keyboard.press("0")
    assert picture.bounding_box() == before
    dialog.get_by_role("button", name="Larger").click()
    expect(dialog.get_by_role("group", name="Size")).to_contain_text("125%")


@pytest.mark.long
def test_an_enlarged_picture_is_moved_about_by_dragging(desk: Desk, red: Path):
    dialog = desk.open(desk.convert(red, "webp"))
    for _ in range(7):
        desk.page.keyboard.press("+")
    frame = dialog.get_by_role("group", name="red.webp")
    start = frame.evaluate("(frame) => [frame.scrollLeft, frame.scrollTop]")
    box = frame.bounding_box()
    assert box
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    desk.page.mouse.move(*middle)
    desk.page.mouse.down()
    desk.page.mouse.move(middle[0] - 60, middle[1] - 40, steps=4)
    desk.page.mouse.up()
    end = frame.evaluate("(frame) => [frame.scrollLeft, frame.scrollTop]")
    assert end == [start[0] + 60, start[1] + 40]


@pytest.mark.long
def test_before_and_after_are_compared_by_a_slider_and_its_keys(desk: Desk, red: Path):
    dialog = desk.show(red, "jpg")
    slider = dialog.get_by_role("slider", name="Compare before and after")
    expect(slider).to_have_value("50")
    slider.focus()
    desk.page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("51")
    expect(slider).to_have_attribute("aria-valuetext", "51 % before")
    desk.page.keyboard.press("End")
    border = dialog.locator(".compared").evaluate("(box) => getComputedStyle(box).getPropertyValue('--split')")
    assert border == "100%"


def test_the_border_follows_the_pointer(desk: Desk, red: Path):
    dialog = desk.show(red, "jpg")
    box = dialog.locator(".compared").bounding_box()
    assert box
    desk.page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 20)
    expect(dialog.get_by_role("slider")).to_have_value("25")


@pytest.mark.long
def test_what_the_browser_cannot_draw_is_drawn_for_it_on_both_sides(desk: Desk, tmp_path: Path):
    Image.new("RGB", (200, 100), "lime").save(tmp_path / "green.tiff")
    dialog = desk.show(tmp_path / "green.tiff", "jp2")
    assert is_colour(dialog.get_by_role("img", name="green.jp2").evaluate(_MIDDLE), "lime")
    before = dialog.locator("img.before")
    expect(before).to_have_count(1)
    assert is_colour(before.evaluate(_MIDDLE), "lime")


@pytest.mark.long
def test_one_of_several_results_follows_the_other_by_arrows(desk: Desk, book: Path):
    dialog = desk.show(book, "png", pages="1-3", width=60)
    for n, key in ((1, ""), (2, "ArrowRight"), (3, "ArrowRight"), (3, "ArrowRight"), (2, "ArrowLeft")):
        if key:
            desk.page.keyboard.press(key)
            desk.wait()
        expect(dialog.get_by_role("group", name="Results")).to_contain_text(f"{n} of 3")
        expect(dialog.get_by_role("img")).to_have_count(1)
        assert is_colour(dialog.get_by_role("img").evaluate(_MIDDLE), COLOURS[n - 1])


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_pages_of_a_pdf_are_turned_by_keys_and_by_the_strip(desk: Desk, book: Path, tmp_path: Path):
    job = desk.convert(book, "pdf") if "pdf" in targets_of(desk, "pdf") else desk.convert(pictures(tmp_path), "pdf")
    dialog = desk.open(job)
    assert shown_page(dialog, 1, 6)
    desk.page.keyboard.press("ArrowDown")
    assert shown_page(dialog, 2, 6)
    desk.page.keyboard.press("ArrowRight")
    assert shown_page(dialog, 3, 6)
    dialog.get_by_role("navigation", name="Pages").get_by_role("button", name="Page 6 of 6").click()
    assert shown_page(dialog, 6, 6)
    desk.page.keyboard.press("ArrowDown")
    assert shown_page(dialog, 6, 6)
    desk.page.keyboard.press("PageUp")
    assert shown_page(dialog, 5, 6)


def targets_of(desk: Desk, format_id: str) -> list[str]:
    [found] = [one for one in httpx.get(f"{desk.url}/v1/formats", timeout=60).json()["data"] if one["id"] == format_id]
    return list(found["targets"])


def pictures(folder: Path) -> Path:
    """The same six pages as a file of pictures."""
    pages = [Image.new("RGB", (300, 400), colour) for colour in COLOURS]
    pages[0].save(folder / "pages.tiff", save_all=True, append_images=pages[1:])
    return folder / "pages.tiff"


def shown_page(dialog: Locator, n: int, count: int) -> bool:
    picture = dialog.locator(".zoom-frame").get_by_role("img", name=f"Page {n} of {count}")
    picture.wait_for()
    return is_colour(picture.evaluate(_MIDDLE), COLOURS[n - 1])


@pytest.mark.long
def test_only_pages_that_are_about_to_be_seen_are_drawn(desk: Desk, tmp_path: Path):
    pages = [Image.new("L", (30, 400), 255 - n) for n in range(60)]
    pages[0].save(tmp_path / "long.tiff", save_all=True, append_images=pages[1:])
    dialog = desk.open(desk.convert(tmp_path / "long.tiff", "pdf"))
    dialog.get_by_role("button", name="Page 1 of 60").locator("img").wait_for()
    last = dialog.get_by_role("button", name="Page 60 of 60")
    expect(last.locator("img")).to_have_count(0)
    last.scroll_into_view_if_needed()
    last.locator("img").wait_for()
    expect(dialog.get_by_role("button", name="Page 30 of 60").locator("img")).to_have_count(0)


def test_a_document_is_shown_as_its_pages(desk: Desk, tmp_path: Path):
    document = Document()
    document.add_heading("Quarterly report", 1)
    document.add_page_break()
    document.add_paragraph("The end.")
    document.save(str(tmp_path / "report.docx"))
    held: list[Route] = []

    def hold_the_whole(route: Route) -> None:
        if json.loads(route.request.post_data or "{}").get("to") == "pdf":
            held.append(route)
        else:
            route.continue_()

    desk.page.route("**/v1/jobs", hold_the_whole)
    dialog = desk.begin(desk.convert(tmp_path / "report.docx", "odt"))
    dialog.get_by_role("img", name="report.odt").wait_for()  # its first page, while the whole is still to come
    [whole] = held
    whole.continue_()
    desk.wait()
    dialog.locator(".zoom-frame").get_by_role("img", name="Page 1 of 2").wait_for()
    expect(dialog.get_by_role("img", name="report.odt")).to_have_count(0)


# --- text and tables -------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_of_a_long_text_the_beginning_is_fetched_and_shown(desk: Desk, tmp_path: Path):
    (tmp_path / "long.md").write_text("".join(f"line {n} of many, ünï {'and more ' * 20}\n\n" for n in range(1, 2_001)))
    job = desk.convert(tmp_path / "long.md", "txt")
    dialog = desk.open(job)
    expect(dialog.get_by_role("status")).to_have_text("The first 200 lines")
    expect(dialog.get_by_role("region", name="Text").locator("code")).to_have_count(200)
    expect(dialog.get_by_role("region", name="Text")).to_contain_text("line 1 of many, ünï")
    [request] = [one for one in desk.asked if one.url.endswith(job["outputs"][0]["url"])]
    response = request.response()
    assert response is not None
    assert (response.status, int(response.headers["content-length"])) == (206, 256 << 10)


def test_a_web_page_is_shown_as_text_and_does_nothing(desk: Desk, tmp_path: Path):
    (tmp_path / "evil.md").write_text("# Hello\n\n<script>alert(1)</script><img src=x onerror=alert(2)>\n")
    dialog = desk.show(tmp_path / "evil.md", "html")
    expect(dialog.get_by_role("region", name="Text")).to_contain_text("<h1")
    expect(dialog.locator("iframe, object, embed, script, h1")).to_have_count(0)


def test_a_table_is_read_by_the_rules_and_shown_as_text(desk: Desk, tmp_path: Path):
    with (tmp_path / "table.tsv").open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t")
        rows.writerow(["name", "note"])
        rows.writerow(["<img src=x onerror=alert(1)>", 'says "hi", twice\nand more'])
        rows.writerows([f"row {n}", n] for n in range(400))
    dialog = desk.show(tmp_path / "table.tsv", "csv")
    table = dialog.get_by_role("table")
    assert table.get_by_role("columnheader").all_inner_texts() == ["name", "note"]
    expect(table.get_by_role("row")).to_have_count(201)
    cells = table.get_by_role("row").nth(1).get_by_role("cell")
    assert cells.all_text_contents() == ["<img src=x onerror=alert(1)>", 'says "hi", twice\nand more']
    expect(dialog.get_by_role("status")).to_have_text("The first 200 rows")


@pytest.mark.long
def test_a_workbook_is_shown_as_a_table(desk: Desk, tmp_path: Path):
    (tmp_path / "a.csv").write_text("fruit,count\napple,3\npear,4\n")
    dialog = desk.show(tmp_path / "a.csv", "xlsx")
    expect(dialog.get_by_role("cell", name="pear")).to_be_visible()
    expect(dialog.get_by_role("columnheader", name="count")).to_be_visible()


@pytest.mark.long
def test_columnar_data_is_shown_as_a_table(desk: Desk, tmp_path: Path):
    book = Workbook()
    book.active.append(["fruit", "count"])
    book.active.append(["apple", 3])
    book.save(tmp_path / "a.xlsx")
    dialog = desk.show(tmp_path / "a.xlsx", "parquet")
    expect(dialog.get_by_role("cell", name="apple")).to_be_visible()


# --- sound, film, and the rest ---------------------------------------------------------------------------------------


@pytest.mark.long
def test_sound_and_film_are_played_from_where_they_are(desk: Desk, film: Path):
    for target, tag in (("mp3", "audio"), ("webm", "video")):
        dialog = desk.show(film, target)
        player = dialog.locator(tag)
        player.evaluate("(player) => { player.muted = true; return player.play(); }")
        eventually(lambda player=player: player.evaluate("(player) => player.currentTime > 0"), f"the {tag} plays")
        desk.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    sources = "-f lavfi -i testsrc=size=160x120:rate=10:duration=2 -f lavfi -i sine=duration=2"
    command = f"ffmpeg -v error {sources} -shortest film.mp4"
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    return tmp_path / "film.mp4"


@pytest.mark.long
def test_what_the_browser_cannot_play_is_said_and_a_copy_is_offered(desk: Desk, film: Path):
    dialog = desk.show(film, "aiff")
    expect(dialog.get_by_text("This browser cannot play this kind of file.")).to_be_visible()
    dialog.get_by_role("button", name="Make a playable copy").click()
    player = dialog.locator("audio")
    player.wait_for()
    eventually(lambda: player.evaluate("(player) => player.readyState > 0 && player.duration > 1"), "the copy plays")


@pytest.mark.long
def test_an_archive_is_shown_as_the_list_of_its_names(desk: Desk, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/first.txt", "1")
        archive.writestr("<b>second</b>.txt", "2")
    dialog = desk.show(tmp_path / "a.zip", "tar")
    expect(dialog.get_by_role("region", name="Text")).to_contain_text("folder/first.txt")
    expect(dialog.get_by_role("region", name="Text")).to_contain_text("<b>second</b>.txt")


@pytest.mark.long
def test_of_anything_else_the_facts_are_said(desk: Desk):
    font = next(Path("/usr/share/fonts").rglob("DejaVuSans.ttf"))
    job = desk.convert(font, "woff2")
    dialog = desk.open(job)
    expect(dialog.get_by_role("definition").filter(has_text=job["outputs"][0]["sha256"])).to_be_visible()
    expect(dialog.get_by_role("definition").filter(has_text="font/woff2")).to_be_visible()


# --- strangers' content ----------------------------------------------------------------------------------------------


def test_a_script_in_a_drawing_never_runs(desk: Desk, tmp_path: Path):
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60" onload="alert(1)"><script>alert(2)</script>'
        '<rect width="90" height="60" fill="lime"/><foreignObject width="9" height="9">'
        '<img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="alert(3)"/></foreignObject></svg>'
    )
    (tmp_path / "drawing.svg").write_text(drawing)
    dialog = desk.show(tmp_path / "drawing.svg", "png")
    expect(dialog.locator("img.before")).to_have_count(1)
    (tmp_path / "small.svg").write_text(re.sub("<foreignObject.*</foreignObject>", "", drawing))
    assert desk.thumbnail(tmp_path / "small.svg", "image/svg+xml", "svg") is not None
    assert desk.thumbnail(tmp_path / "drawing.svg", "image/svg+xml", "svg") is None, "what it holds may not be read"
    expect(desk.page.locator("svg script, iframe, object, embed")).to_have_count(0)


def test_a_hostile_name_is_only_a_name(desk: Desk, red: Path):
    job = desk.convert(red, "webp")
    job["outputs"][0]["name"] = "<img src=x onerror=alert(1)>"
    dialog = desk.open(job)
    expect(dialog.get_by_role("heading")).to_have_text("<img src=x onerror=alert(1)>")
    expect(dialog.get_by_role("img")).to_have_count(1)


# --- the dialog ------------------------------------------------------------------------------------------------------


def test_escape_closes_and_the_focus_is_where_it_was(desk: Desk, red: Path):
    desk.page.evaluate("() => document.querySelector('a').focus()")
    dialog = desk.show(red, "jpg")
    assert desk.page.evaluate("document.activeElement.closest('dialog') !== null")
    desk.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(desk.page.locator("a").first).to_be_focused()


@pytest.mark.long
def test_what_was_made_to_look_is_erased_when_the_dialog_closes(desk: Desk, tmp_path: Path):
    Image.new("RGB", (200, 100), "lime").save(tmp_path / "green.tiff")
    before = desk.looks()
    job = desk.convert(tmp_path / "green.tiff", "jp2")
    desk.open(job, tmp_path / "green.tiff")
    assert len(desk.looks()) == len(before) + 2, "one for the result, one for the file it was made of"
    desk.page.keyboard.press("Escape")
    eventually(lambda: desk.erased(before), "the looks are erased")
    assert httpx.get(f"{desk.url}{job['outputs'][0]['url']}", timeout=60).status_code == 200, (
        "the result itself is kept"
    )


@pytest.mark.long
def test_closed_while_it_works_it_leaves_nothing_running(desk: Desk, tmp_path: Path):
    document = Document()
    document.add_paragraph("words")
    document.save(str(tmp_path / "a.docx"))
    job = desk.convert(tmp_path / "a.docx", "odt")
    before = desk.looks()
    with desk.page.expect_response(
        lambda response: response.url.endswith("/v1/jobs") and response.request.method == "POST"
    ):
        desk.page.evaluate(_OPEN, {"job": job, "name": "a.odt", "latin": None, "type": ""})
    desk.page.keyboard.press("Escape")
    eventually(lambda: len(desk.looks()) == len(before) + 1, "the job is there")
    eventually(lambda: desk.erased(before), "the job is erased")


@pytest.mark.long
def test_a_result_that_is_gone_is_said_in_words(desk: Desk, red: Path):
    job = desk.convert(red, "jpg")
    httpx.delete(f"{desk.url}/v1/jobs/{job['id']}", timeout=60)
    dialog = desk.open(job)
    expect(dialog.get_by_role("status")).to_have_text("There is no preview. The files were deleted")


def test_without_a_connection_that_is_said(desk: Desk, red: Path):
    job = desk.convert(red, "jpg")
    desk.page.evaluate("() => Promise.all([import('/static/preview.js'), import('/static/api.js')])")
    desk.page.context.route("**/v1/jobs/**", lambda route: route.abort())
    dialog = desk.open(job)
    expect(dialog.get_by_role("status")).to_have_text("There is no preview. No connection")


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.sampled(2)
def test_the_dialog_fits_its_window(desk: Desk, book: Path, width: int):
    desk.page.set_viewport_size({"width": width, "height": 640})
    job = desk.convert(book, "png", pages="1-2", width=60)
    dialog = desk.open(job, book)
    for part in (dialog, dialog.get_by_role("img"), dialog.get_by_role("link", name="Download")):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 640


# --- the small picture -----------------------------------------------------------------------------------------------


def test_a_picture_has_a_small_one(desk: Desk, red: Path):
    small = desk.thumbnail(red, "image/png", "png")
    assert small is not None
    assert (small["width"], small["height"]) == (96, 72)
    assert is_colour(small["middle"], "red")


def test_a_pdf_has_its_first_page_and_nothing_is_left(desk: Desk, book: Path):
    before = desk.looks()
    small = desk.thumbnail(book, "application/pdf", "pdf")
    assert small is not None
    assert is_colour(small["middle"], "red")
    assert len(desk.looks()) == len(before) + 1
    eventually(lambda: desk.erased(before), "the look is erased")


def test_a_film_has_a_frame(desk: Desk, tmp_path: Path):
    command = "ffmpeg -v error -f lavfi -i color=blue:size=160x120:rate=5:duration=1 -c:v libvpx film.webm"
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    small = desk.thumbnail(tmp_path / "film.webm", "video/webm", "webm")
    assert small is not None
    assert (small["width"], small["height"]) == (96, 72)
    assert is_colour(small["middle"], "blue")


def test_what_has_no_picture_or_a_broken_or_a_huge_one_has_none(desk: Desk, tmp_path: Path):
    Image.new("1", (20_000, 2_001)).save(tmp_path / "huge.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (tmp_path / "words.txt").write_text("words")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    for name, media_type in (("huge.png", "image/png"), ("broken.png", "image/png"), ("words.txt", "text/plain")):
        assert desk.thumbnail(tmp_path / name, media_type, name.split(".")[1]) is None
    assert desk.thumbnail(tmp_path / "broken.pdf", "application/pdf", "pdf") is None
