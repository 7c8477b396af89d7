"""What many files at work may cost the browser: counted in what it is made to do, not in how long this machine takes.

The service is real but for its engines, which get on by the clock, all at once (`benchmarks/paced.py`, where the time
that frames take is measured, too).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

PATIENCE = 120_000
"""Milliseconds. Nothing here takes so long; a machine with other work may."""
ROWS = 40
NEWS = 150
BEAT = 250
NEAR = 200
"""Pixels around the window within which rows are kept up to date."""
_WATCH = """() => {
    const rows = [...document.querySelectorAll('ol.rows > li')];
    const seen = window.seen = {began: performance.now(), turns: 0, rows: new Set()};
    window.watch = new MutationObserver((changes) => {
        seen.turns += 1;
        for (const {target} of changes) {
            const row = (target instanceof Element ? target : target.parentElement)?.closest('li');
            if (row) seen.rows.add(rows.indexOf(row));
        }
    });
    window.watch.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
}"""
_SEEN = """(margin) => {
    window.watch.disconnect();
    const isNear = (box) => box.bottom > -margin && box.top < innerHeight + margin;
    const near = [...document.querySelectorAll('ol.rows > li')].flatMap((row, n) =>
        isNear(row.getBoundingClientRect()) ? [n] : []);
    const {began, turns, rows} = window.seen;
    return {near, turns, touched: [...rows], time: performance.now() - began, moving: document.getAnimations().length};
}"""


@dataclass(frozen=True)
class Seen:
    """What happened on the page while so many pieces of news of its jobs came in."""

    page: Page
    url: str
    news: int
    near: set[int]
    touched: set[int]
    turns: int
    time: float
    moving: int
    layouts: int
    styles: int


@pytest.fixture(scope="module")
def seen(browser: Browser, paced: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Forty rows at work, of which some are far below the window; watched for a while."""
    folder = tmp_path_factory.mktemp("tables")
    tables = [folder / f"table {n}.csv" for n in range(ROWS)]
    for n, table in enumerate(tables):
        table.write_text(f"a,b\n{n},2\n")
    context = browser.new_context(bypass_csp=True, viewport={"width": 1100, "height": 720}, locale="en-GB")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(paced)
    expect(page.locator("#tools select")).to_be_visible(timeout=PATIENCE)
    page.locator("input[type=file][multiple]").set_input_files(tables)
    expect(page.locator("li[data-phase=ready]")).to_have_count(ROWS, timeout=PATIENCE)
    page.get_by_role("button", name="Convert all", exact=True).click()
    expect(page.locator("li[data-phase=running]")).to_have_count(ROWS, timeout=PATIENCE)
    yield _watched(page, paced)
    context.close()


def _watched(page: Page, url: str) -> Seen:
    session = page.context.new_cdp_session(page)
    news: list[Any] = []
    session.on("Network.eventSourceMessageReceived", lambda one: news.append(one))  # noqa: PLW0108 - it is marked
    session.send("Network.enable")
    session.send("Performance.enable")
    page.wait_for_timeout(2 * BEAT)  # what the last row's start brought about is over
    before, began = _metrics(session), len(news)
    page.evaluate(_WATCH)
    for _ in range(PATIENCE // BEAT):
        page.wait_for_timeout(BEAT)
        if len(news) - began >= NEWS:
            break
    found = page.evaluate(_SEEN, NEAR)
    after = _metrics(session)
    return Seen(
        page=page,
        url=url,
        news=len(news) - began,
        near=set(found["near"]),
        touched=set(found["touched"]),
        turns=found["turns"],
        time=found["time"],
        moving=found["moving"],
        layouts=after["LayoutCount"] - before["LayoutCount"],
        styles=after["RecalcStyleCount"] - before["RecalcStyleCount"],
    )


def _metrics(session: Any) -> dict[str, int]:
    return {item["name"]: int(item["value"]) for item in session.send("Performance.getMetrics")["metrics"]}


@pytest.mark.long
def test_rows_far_from_the_window_are_not_touched_while_they_get_on(seen: Seen):
    assert len(seen.near) < ROWS / 2
    assert seen.news >= NEWS
    assert seen.touched
    assert seen.touched <= seen.near


@pytest.mark.long
def test_news_is_shown_in_beats_however_much_of_it_there_is(seen: Seen):
    beats = seen.time / BEAT + 2
    assert seen.turns <= beats < seen.news
    assert seen.styles <= beats + 2, "styles are reckoned once a beat, and nobody asks in between"
    assert seen.layouts <= beats + 2


@pytest.mark.long
def test_nothing_runs_between_two_beats(seen: Seen):
    assert seen.moving == 0


@pytest.mark.long
def test_a_row_that_comes_near_shows_how_far_it_is(seen: Seen):
    jobs = httpx.get(f"{seen.url}/v1/jobs", params={"limit": ROWS}, timeout=60).json()["data"]
    last = seen.page.locator("ol.rows > li").last
    told = min(job["progress"] for job in jobs)
    shown = last.get_by_role("progressbar")
    assert int(shown.get_attribute("aria-valuenow") or 0) < told, "nobody saw it"
    last.scroll_into_view_if_needed()
    seen.page.wait_for_function("([bar, told]) => bar.ariaValueNow >= told", arg=[shown.element_handle(), told])
