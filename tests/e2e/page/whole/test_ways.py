"""From files in to results out, as a person goes: every way in, the choice, the waiting, and what is taken away."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

Files = Callable[[str], Path]
PATIENCE = 60_000


def text_of(pdf: Path) -> str:
    return subprocess.run(("pdftotext", str(pdf), "-"), check=True, capture_output=True, text=True).stdout


def size_of(picture: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(picture)).size


# --- in ---------------------------------------------------------------------------------------------------------------


def test_a_dropped_file_is_done_after_one_key_press_and_fetched_after_two(visit, files: Files):
    visit.drop(files("report.docx"))
    expect(visit.page.get_by_role("button", name="Convert report.docx", exact=True)).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("link", name="Download report.pdf")).to_be_focused()
    with visit.page.expect_download() as download:
        visit.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "report.pdf"
    assert "Die Brücke führt über den Fluss" in text_of(Path(download.value.path()))


def test_several_picked_files_start_together_and_come_in_one(visit, files: Files, tmp_path: Path):
    (tmp_path / "again").mkdir()
    twin = tmp_path / "again" / "lakeside.md"
    twin.write_text("# By the sea, Grüße\n")
    visit.pick(*map(files, ("photo.jpg", "lakeside.md")), twin)
    expect(visit.page.get_by_role("button", name="Convert all", exact=True)).to_be_focused()
    visit.page.keyboard.press("Enter")
    visit.until_all("succeeded")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Download all", exact=True).click()
    assert download.value.suggested_filename == "filewright.zip"
    with zipfile.ZipFile(download.value.path()) as bundle:
        assert bundle.testzip() is None
        fetched = {name: bundle.read(name) for name in bundle.namelist()}
    assert set(fetched) == {"photo.png", "lakeside.html", "lakeside (2).html"}
    assert size_of(fetched["photo.png"]) == (960, 640)
    assert b"By the lake" in fetched["lakeside.html"]
    assert "By the sea, Grüße" in fetched["lakeside (2).html"].decode()


@pytest.mark.long
def test_results_keep_their_folders_and_the_pages_of_one_file_their_own(visit, files: Files, tmp_path: Path):
    (tmp_path / "Reise" / "Tagebücher").mkdir(parents=True)
    (tmp_path / "Reise" / "Tagebücher" / "eins.md").write_text("# Eins\n")
    (tmp_path / "Reise" / "Karten.pdf").write_bytes(files("two-pages.pdf").read_bytes())
    visit.drop(tmp_path / "Reise")
    expect(visit.rows).to_have_count(2)
    visit.until_all("ready")
    visit.convert(visit.row("Reise/Karten.pdf"), "png")
    visit.convert(visit.row("Reise/Tagebücher/eins.md"), "html")
    visit.until_all("succeeded")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Download all", exact=True).click()
    with zipfile.ZipFile(download.value.path()) as bundle:
        assert bundle.testzip() is None
        listed = bundle.namelist()
    pages = [name for name in listed if name.startswith("Reise/Karten/")]
    assert len(pages) == len(set(pages)) == 2
    assert set(listed) - set(pages) == {"Reise/Tagebücher/eins.html"}


@pytest.mark.long
def test_a_folder_keeps_its_paths(visit, tmp_path: Path):
    (tmp_path / "trip" / "days").mkdir(parents=True)
    (tmp_path / "trip" / "plan.md").write_text("# Plan\n")
    (tmp_path / "trip" / "days" / "one.csv").write_text("a,b\n1,2\n")
    visit.drop(tmp_path / "trip")
    expect(visit.rows).to_have_count(2)
    expect(visit.row("trip/days/one.csv")).to_contain_text("trip/days")
    with visit.page.expect_file_chooser() as chooser:
        visit.page.locator("#folder").click()
    chooser.value.set_files(tmp_path / "trip")
    expect(visit.rows).to_have_count(4)
    visit.until_all("ready")


@pytest.mark.long
def test_what_is_pasted_becomes_files(visit, files: Files):
    visit.paste("text/plain", b"# Notes\n\nfrom somewhere\n")
    visit.paste("image/jpeg", files("photo.jpg").read_bytes(), "image.jpeg")
    visit.paste("text/csv", b"a,b\n1,2\n", "table.csv")
    expect(visit.rows).to_have_count(3)
    visit.until_all("ready")
    expect(visit.row("pasted.txt")).to_contain_text("24 bytes")
    expect(visit.row("pasted.jpeg")).to_contain_text("JPEG")
    expect(visit.row("table.csv")).to_contain_text("Comma")
    visit.convert(visit.row("pasted.jpeg"), "png")
    done = visit.until("pasted.jpeg", "succeeded")
    assert size_of(visit.fetch(done.get_by_role("link", name="Download"))) == (960, 640)


@pytest.mark.slow
@pytest.mark.long
def test_thirty_mixed_files_at_once(visit, mixture: Sequence[Path]):
    visit.pick(*mixture)
    assert len(mixture) == 30
    visit.until_all("ready", "failed")
    expect(visit.page.locator("li[data-phase=failed]")).to_have_count(0)
    assert visit.page.evaluate(
        "Array.from(document.querySelectorAll('.thumb'), (thumb) => thumb.childElementCount).every(Boolean)"
    )
    visit.page.get_by_role("button", name="Convert all", exact=True).click()
    visit.until_all("succeeded", patience=4 * PATIENCE)
    expect(visit.page.locator(".bar")).to_contain_text("30 of 30 done")
    expect(visit.page).to_have_title("All done · Filewright")
    visit.page.get_by_role("button", name="Clear").click()
    expect(visit.rows).to_have_count(0)
    expect(visit.page.get_by_role("heading", level=1)).to_be_visible()


# --- the choice -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said", "wanted"),
    [("lakeside.md", "word", "DOCX"), ("photo.jpg", "web image", "WEBP"), ("report.docx", "old word", "DOC")],
)
@pytest.mark.sampled(3)
def test_a_target_by_keyboard_alone(visit, files: Files, name: str, said: str, wanted: str):
    """From the button that has the focus after a drop: back to the target, search, Enter, Enter."""
    visit.drop(files(name))
    visit.until(name, "ready")
    target = visit.row(name).locator(".target")
    for _ in range(3):  # the options lie between, where there are any
        visit.page.keyboard.press("Shift+Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            break
    expect(target).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(visit.search).to_be_focused()
    visit.page.keyboard.type(said)
    expect(visit.marked).to_contain_text(wanted)
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("button", name=f"Convert {name}", exact=True)).to_be_focused()
    visit.page.keyboard.press("Enter")
    link = visit.until(name, "succeeded").get_by_role("link", name="Download")
    assert visit.fetch(link)


@pytest.mark.long
def test_the_arrows_walk_through_the_targets_and_escape_changes_nothing(visit, files: Files):
    visit.drop(files("photo.jpg"))
    row = visit.until("photo.jpg", "ready")
    before = row.locator(".target").inner_text()
    row.locator(".target").press("Enter")
    marked = visit.marked
    seen = []
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowDown", "ArrowDown"):
        visit.page.keyboard.press(key)
        seen.append(marked.inner_text())
    assert len(set(seen)) == 5
    visit.page.keyboard.press("Escape")
    expect(row.locator(".target")).to_be_focused()
    assert row.locator(".target").inner_text() == before


@pytest.mark.long
def test_a_choice_for_all_of_a_kind_and_its_options(visit, files: Files, tmp_path: Path):
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_bytes(files("photo.jpg").read_bytes())
    visit.pick(tmp_path / "one.jpg", tmp_path / "two.jpg", files("lakeside.md"))
    visit.until_all("ready")
    row = visit.row("one.jpg")
    row.locator(".target").click()
    visit.page.get_by_label("Also for the 1 other").check()
    visit.search.fill("webp")
    visit.page.keyboard.press("Enter")
    expect(visit.row("two.jpg").locator(".target")).to_contain_text("WEBP")
    expect(visit.row("lakeside.md").locator(".target")).not_to_contain_text("WEBP")
    row.get_by_role("button", name="Options for one.jpg").click()
    visit.page.get_by_label("Width").fill("120")
    visit.page.get_by_role("button", name="Done").click()
    expect(row.get_by_role("button", name="Options for one.jpg, changed")).to_be_focused()
    visit.page.get_by_role("button", name="Convert all", exact=True).click()
    visit.until_all("succeeded")
    links = [visit.row(name).get_by_role("link", name="Download") for name in ("one.jpg", "two.jpg")]
    assert [size_of(visit.fetch(link)) for link in links] == [(120, 80), (960, 640)]


def test_several_results_come_as_one_archive(visit, files: Files):
    visit.pick(files("two-pages.pdf"))
    visit.convert(visit.until("two-pages.pdf", "ready"), "png")
    done = visit.until("two-pages.pdf", "succeeded")
    fetched = visit.fetch(done.get_by_role("link", name="Download all files made of"))
    with zipfile.ZipFile(io.BytesIO(fetched)) as archive:
        assert archive.testzip() is None
        pages = [Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    assert [page.format for page in pages] == ["PNG", "PNG"]
    assert all(page.width * 11 == pytest.approx(page.height * 8.5, rel=0.01) for page in pages)


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_work_is_stopped_and_done_after_all(visit, files: Files):
    visit.pick(files("long film.mp4"))
    visit.convert(visit.until("long film.mp4", "ready"), "webm")
    visit.until("long film.mp4", "running").get_by_role("button", name="Cancel long film.mp4").click()
    row = visit.until("long film.mp4", "cancelled")
    expect(row.get_by_role("button", name="Try long film.mp4 again")).to_be_visible()
    row.get_by_role("button", name="Try long film.mp4 again").click()
    visit.until("long film.mp4", "running")
    row.get_by_role("button", name="Cancel long film.mp4").click()
    visit.until("long film.mp4", "cancelled")
    row.get_by_role("button", name="Remove long film.mp4").click()
    expect(visit.rows).to_have_count(0)


def test_a_password_is_asked_for_in_its_row(visit, files: Files):
    visit.pick(files("locked.pdf"))
    visit.convert(visit.until("locked.pdf", "ready"), "txt")
    field = visit.page.get_by_label("Password of locked.pdf")
    expect(field).to_be_focused()
    visit.page.keyboard.type("not this")
    visit.page.keyboard.press("Enter")
    expect(visit.row("locked.pdf")).to_contain_text("The password does not open the file")
    expect(field).to_be_focused()
    visit.page.keyboard.type("opens it")
    visit.page.keyboard.press("Enter")
    done = visit.until("locked.pdf", "succeeded")
    assert b"A quiet sentence" in visit.fetch(done.get_by_role("link", name="Download"))


def test_a_file_under_a_false_name_is_converted_as_what_it_is(visit, files: Files):
    visit.pick(files("docx-named.pdf"))
    visit.until("docx-named.pdf", "ready", "failed")
    row = visit.row("docx-named.pdf")
    if row.and_(visit.page.locator("[data-phase=ready]")).count():
        visit.page.keyboard.press("Enter")
    refused = visit.until("docx-named.pdf", "failed")
    expect(refused).to_contain_text("The content is not what the name says")
    refused.get_by_role("button", name="Convert docx-named.pdf as DOCX").click()
    done = visit.until("docx-named.pdf", "succeeded")
    assert visit.fetch(done.get_by_role("link", name="Download"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("empty.docx", "The file is empty"), ("half.png", "damaged or incomplete"), ("noise.xyz", "not supported")],
)
@pytest.mark.sampled(3)
def test_a_refused_file_says_why_and_can_be_taken_away(visit, files: Files, tmp_path: Path, name: str, words: str):
    """What a scanner finds is refused in the same way; without one there is nothing to find it."""
    (tmp_path / "noise.xyz").write_bytes(bytes(range(256)) * 9)
    visit.pick(tmp_path / name if name == "noise.xyz" else files(name))
    row = visit.until(name, "ready", "failed")
    if row.get_by_role("button", name=f"Convert {name}", exact=True).is_visible():
        visit.page.keyboard.press("Enter")
    expect(visit.until(name, "failed")).to_contain_text(words)
    row.get_by_role("button", name=f"Remove {name}").click()
    expect(visit.rows).to_have_count(0)
    expect(visit.page.locator("#choose")).to_be_focused()


def test_without_a_connection_the_page_waits_and_goes_on(visit, files: Files):
    visit.context.set_offline(True)
    visit.pick(files("lakeside.md"))
    expect(visit.page.get_by_text("No connection.")).to_be_visible()
    expect(visit.row("lakeside.md")).to_contain_text("Markdown")
    visit.page.keyboard.press("Enter")
    expect(visit.row("lakeside.md")).to_contain_text("Waiting for a connection")
    visit.context.set_offline(False)
    visit.until("lakeside.md", "succeeded")
    expect(visit.page.get_by_text("No connection.")).to_be_hidden()


def test_what_happens_is_read_out(visit, files: Files):
    visit.pick(files("lakeside.md"))
    expect(visit.page.get_by_role("status")).to_have_text("1 file added")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("status")).to_have_text("lakeside.md is done")


# --- afterwards -------------------------------------------------------------------------------------------------------


def test_a_row_that_is_taken_away_takes_its_files_along(visit, served, files: Files):
    visit.pick(files("lakeside.md"))
    visit.page.keyboard.press("Enter")
    row = visit.until("lakeside.md", "succeeded")
    address = row.get_by_role("link", name="Download").get_attribute("href")
    assert httpx.get(f"{served.url}{address}", timeout=60).status_code == 200
    with visit.page.expect_response(lambda answer: answer.request.method == "DELETE" and "/v1/jobs/" in answer.url):
        row.get_by_role("button", name="Remove lakeside.md").click()
    assert httpx.get(f"{served.url}{address}", timeout=60).status_code == 410


@pytest.mark.long
def test_the_command_of_a_row_does_what_the_row_does(visit, files: Files, tmp_path: Path):
    visit.pick(files("lakeside.md"))
    row = visit.until("lakeside.md", "ready")
    row.get_by_role("button", name="lakeside.md as curl").click()
    command = visit.page.get_by_role("dialog").locator("code").inner_text()
    (tmp_path / "lakeside.md").write_bytes(files("lakeside.md").read_bytes())
    subprocess.run(("sh", "-c", command), cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert "By the lake" in (tmp_path / "lakeside.html").read_text()
