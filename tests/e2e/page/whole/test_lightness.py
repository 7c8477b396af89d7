"""What the page weighs, and that nothing in it moves by itself. `benchmarks/page.py` has what the machine decides."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from importlib.resources import files as resources
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

Files = Callable[[str], Path]
BUDGET = 60_000
_SHIFTS = """() => {
    window.shifts = [];
    const place = ({left, top, width, height}) => [left, top, width, height].map(Math.round).join(' ');
    new PerformanceObserver((list) => {
        for (const {sources} of list.getEntries()) {
            window.shifts.push(...sources.map(({node, previousRect, currentRect}) =>
              `${node?.parentElement?.className} ${node?.textContent}: ${place(previousRect)}; ${place(currentRect)}`));
        }
    }).observe({type: 'layout-shift'});
}"""


def wire_size(url: str) -> int:
    """What a browser is sent: the compressed body."""
    with httpx.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status_code == 200
        raw = b"".join(answer.iter_raw())
        body = gzip.decompress(raw) if answer.headers.get("content-encoding") == "gzip" else raw
    assert body
    return len(raw)


def test_all_of_the_pages_own_code_is_at_most_60_kilobytes(served):
    """Markup, style, every module (those that come later, too), icons, and the texts of one language."""
    folder = resources("filewright.converter.site").joinpath("static")
    names = [item.name for item in folder.iterdir() if item.is_file()] + ["texts/en.js"]
    sizes = {name: wire_size(f"{served.url}/static/{name}") for name in names}
    sizes["/"] = wire_size(served.url)
    assert len(sizes) > 20
    assert sum(sizes.values()) <= BUDGET, dict(sorted(sizes.items(), key=lambda item: -item[1]))


def test_no_language_but_the_one_that_is_spoken_is_fetched(visit):
    asked = [request.url.rpartition("/static/")[2] for request in visit.asked]
    assert [name for name in asked if "texts/" in name and not name.endswith("texts/en.js")] == []


def test_a_second_visit_asks_for_no_script_again(visit):
    visit.page.reload()
    visit.ready()
    again = visit.page.evaluate(
        "performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/static/'))"
    )
    assert again
    assert [entry["name"] for entry in again if entry["transferSize"] > 0] == []


@pytest.mark.long
def test_nothing_moves_while_rows_change(visit, files: Files, tmp_path: Path):
    """From the moment rows are there: recognised, uploaded, converted, one refused, one locked."""
    names = [tmp_path / f"note {n}.md" for n in range(6)]
    for name in names:
        name.write_text("# x\n")
    visit.pick(*names, *map(files, ("photo.jpg", "two-pages.pdf", "locked.pdf", "empty.docx")))
    visit.page.evaluate(_SHIFTS)
    visit.until_all("ready", "failed")
    visit.page.get_by_role("button", name="Convert all", exact=True).click()
    visit.until_all("succeeded", "failed")
    expect(visit.page.locator(".bar")).to_contain_text("done")
    assert visit.page.evaluate("window.shifts") == []


@pytest.mark.long
def test_motion_stays_still_for_who_asks_for_that(visits, served, files: Files):
    visit = visits(served.url, reduced_motion="reduce").open()
    visit.pick(files("long film.mp4"))
    visit.convert(visit.until("long film.mp4", "ready"), "webm")
    visit.until("long film.mp4", "running")
    moving = "() => document.getAnimations().filter((one) => one.effect.getComputedTiming().duration > 1).length"
    assert visit.page.evaluate(moving) == 0
    visit.row("long film.mp4").get_by_role("button", name="Cancel long film.mp4").click()
    visit.until("long film.mp4", "cancelled")
