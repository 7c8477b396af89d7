"""Names and contents of strangers: text, wherever they are shown; nothing of them ever runs or leaves.

That nothing ran is seen by each visit at its end: a script of a stranger would open a dialog, write to the console,
break the policy or ask another host.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from openpyxl import load_workbook
from playwright.sync_api import expect

Files = Callable[[str], Path]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
RAN = "ran();alert(1)"
ELSEWHERE = "http://elsewhere.example"
NAMES = [
    f"<img src=x onerror={RAN}>.md",
    "\u202etxt.exe.md",
    "n" * 120 + "ä" * 66 + ".md",  # 255 bytes
    "one\ntwo\r\nthree.md",
    "' onmouseover='ran()' x='.md",
    "{{ran()}} ${ran()} %00.md",
    "..\\..\\evil.md",
]


def test_the_policy_of_the_page_is_exactly_this(served):
    answer = httpx.get(served.url, timeout=60)
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", NAMES, ids=["mark-up", "override", "long", "lines", "quotes", "templates", "path"])
@pytest.mark.sampled(3)
def test_a_hostile_name_is_only_a_name(visit, tmp_path: Path, name: str):
    visit.pick({"name": name, "mimeType": "text/markdown", "buffer": b"# It is quiet\n"})
    row = visit.rows
    assert row.locator(".name .halves").evaluate("(name) => name.textContent") == name
    expect(row.and_(visit.page.locator("[data-phase=ready]"))).to_be_visible()
    row.locator(".target").click()
    expect(visit.page.get_by_role("dialog")).to_be_visible()
    visit.page.keyboard.press("Escape")
    row.get_by_role("button", name="as curl").click()
    command = visit.page.get_by_role("dialog").locator("code").inner_text()
    assert "It is quiet" not in command
    visit.page.keyboard.press("Escape")
    row.locator(".actions .button").first.click()
    expect(row.and_(visit.page.locator("[data-phase=succeeded]"))).to_be_visible()
    assert visit.page.locator("main img, main script, main [onerror], main [onmouseover]").count() == 0
    with visit.page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    kept = download.value.suggested_filename
    assert kept.endswith(".html")
    assert not set(kept) & set("\n\r\0/\\")
    assert "It is quiet" in Path(download.value.path()).read_text()
    row.get_by_role("button", name="Preview").click()
    expect(visit.page.locator(".preview-stage[aria-busy]")).to_have_count(0)
    visit.page.reload()
    visit.ready()
    assert visit.rows.locator(".name .halves").evaluate("(name) => name.textContent") == name


SVG = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60" onload="{RAN}"><script>{RAN}</script>'
    f'<image href="{ELSEWHERE}/x.png" width="9" height="9"/><foreignObject width="80" height="60">'
    f'<body xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="{RAN}"/></body></foreignObject>'
    '<rect width="80" height="60" fill="#36c"/></svg>'
)
HTML = (
    f'<!DOCTYPE html><title>x</title><h1>Quiet</h1><script>{RAN}</script><img src="{ELSEWHERE}/p.png" onerror="{RAN}">'
    f'<iframe src="javascript:{RAN}"></iframe><a href="javascript:{RAN}">link</a>'
    f'<meta http-equiv="refresh" content="0;{ELSEWHERE}">'
)
MARKDOWN = (
    f'# Quiet\n\n<script>{RAN}</script>\n\n<img src="{ELSEWHERE}/p.png" onerror="{RAN}">\n\n[link](javascript:{RAN})\n'
)


@pytest.mark.parametrize(
    ("name", "content", "target"),
    [
        ("drawing.svg", SVG, "png"), ("drawing.svg", SVG, "pdf"), ("page.html", HTML, "md"), ("page.html", HTML, "pdf"),
        ("notes.md", MARKDOWN, "html"), ("notes.md", MARKDOWN, "epub"), ("notes.md", MARKDOWN, "docx"),
    ],
)  # fmt: skip
@pytest.mark.sampled(3)
def test_scripts_in_contents_and_results_never_run(visit, tmp_path: Path, name: str, content: str, target: str):
    (tmp_path / name).write_text(content)
    visit.pick(tmp_path / name)
    visit.convert(visit.until(name, "ready"), target)
    row = visit.until(name, "succeeded", "failed")
    if row.get_by_role("button", name="Preview").is_visible():
        row.get_by_role("button", name="Preview").click()
        expect(visit.page.get_by_role("dialog")).to_be_visible()
        expect(visit.page.locator(".preview-stage[aria-busy]")).to_have_count(0)
        assert visit.page.locator("dialog :is(script, iframe, object, embed, [onerror], [onload])").count() == 0


def test_a_result_that_is_opened_by_itself_is_a_download_in_a_sandbox(visit, served, tmp_path: Path):
    (tmp_path / "notes.md").write_text(MARKDOWN)
    visit.pick(tmp_path / "notes.md")
    visit.convert(visit.until("notes.md", "ready"), "html")
    address = visit.until("notes.md", "succeeded").get_by_role("link", name="Download").get_attribute("href")
    headers = httpx.get(f"{served.url}{address}", timeout=60).headers
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    other = visit.context.new_page()
    with other.expect_download():
        other.evaluate("(address) => { location.href = address; }", f"{served.url}{address}")


@pytest.mark.long
def test_formulas_of_strangers_are_shown_as_they_are_written(visit, files: Files):
    visit.pick(files("people.csv"))
    visit.convert(visit.until("people.csv", "ready"), "xlsx")
    row = visit.until("people.csv", "succeeded")
    with files("people.csv").open(newline="") as source:
        written = list(csv.reader(source))[-1]
    sheet = load_workbook(io.BytesIO(visit.fetch(row.get_by_role("link", name="Download")))).active
    assert sheet is not None
    last = [sheet.cell(sheet.max_row, column).value for column in (2, 3)]
    assert last == written[1:3]
    assert sheet.cell(sheet.max_row, 2).data_type != "f"


@pytest.mark.long
def test_a_name_that_is_cut_for_the_eye_is_whole_for_ear_and_clipboard(visit, tmp_path: Path):
    name = f"{'A name that nobody reads to its end, ' * 3}lakeside.md"
    (tmp_path / name).write_text("# x\n")
    visit.pick(tmp_path / name)
    shown = visit.until(name, "ready").locator(".name")
    assert f"- paragraph: {name}\n" in visit.rows.first.aria_snapshot()
    shown.click(click_count=3, position={"x": 20, "y": 12})
    assert visit.page.evaluate("getSelection().toString().trim()") == name


def test_a_refusal_speaks_to_people_not_to_programmers(visit, tmp_path: Path):
    (tmp_path / "what.xyz").write_bytes(b"\x01\x02\x03\x00")
    visit.pick(tmp_path / "what.xyz")
    row = visit.until("what.xyz", "failed")
    expect(row).to_contain_text("See the list of formats")
    expect(row).not_to_contain_text("from=")
