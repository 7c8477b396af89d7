"""Measure the page in a browser beside a server of its own, and write what came out into `page.json`.

    start     a cold browser, a server that was just started: first paint, largest paint, until a file can be chosen
    drop      from the event to a row that says what the file is and what it can become
    frames    two hundred files at work: when the browser's frames come, and what each costs its main thread; once
              beside a service that works elsewhere (`paced.py`: jobs get on by the clock, all at once), and once beside
              one whose engines convert on the same processors as fast as they can
    weight    what is sent for the first visit

Chromium has no graphics hardware here, so everything is painted by the processor, which a server and its engines use
at the same time. What does not depend on the machine (weight, stillness, what is touched) is in `tests/e2e/page`.

Examples:

  python benchmarks/page.py                 about three minutes; nothing else should run
  python benchmarks/page.py --only here     a part of it: start (and drop), elsewhere or here
  python benchmarks/page.py --rows 50       fewer rows for the frames
  python benchmarks/page.py --no-write      only tell
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from frames import Watch, traced
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
TARGETS = {"first_paint_ms": 1000, "interactive_ms": 1500, "drop_ms": 300, "bytes": 60_000}
STARTS, DROPS = 7, 12
WATCHED, TRACED = 20, 5
"""Seconds."""
SERVE = ("-m", "filewright", "serve", "--port", "0")
PACED = (str(Path(__file__).with_name("paced.py")),)
PATIENCE = 300_000

_INTERACTIVE = """
// From the start of the visit until the button for files does something.
new MutationObserver((_, observer) => {
    if (!document.querySelector('#tools select')) return;
    observer.disconnect();
    window.interactive = performance.now();
}).observe(document, {childList: true, subtree: true});
"""
_PAINTS = """() => new Promise((resolve) => {
    new PerformanceObserver((list) => resolve({
        first: performance.getEntriesByName('first-contentful-paint')[0].startTime,
        largest: list.getEntries().at(-1).startTime,
        interactive: window.interactive,
        bytes: performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
            .reduce((sum, entry) => sum + entry.encodedBodySize, 0),
    })).observe({type: 'largest-contentful-paint', buffered: true});
})"""
_DROPPED = """() => {
    window.dropped = undefined;
    window.useful = undefined;
    addEventListener('drop', () => { window.dropped = performance.now(); }, {capture: true, once: true});
    const before = document.querySelectorAll('ol.rows > li').length;
    new MutationObserver((_, observer) => {
        const row = document.querySelectorAll('ol.rows > li')[before];
        // What it is, and what it can become.
        if (!row?.querySelector('.about')?.textContent || !row.querySelector('.target strong')?.textContent) return;
        observer.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => { window.useful = performance.now(); })); // painted
    }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


@contextmanager
def server(*program: str) -> Iterator[str]:
    """On an empty data directory."""
    with tempfile.TemporaryDirectory() as data, (Path(data) / "log").open("w") as log:
        command = [sys.executable, *program, "--data", data]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found, (Path(data) / "log").read_text()
        try:
            yield found.group(0)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def first_moments(browser: Browser, url: str, folder: Path, _: int) -> dict[str, Any]:
    return starts(browser, url) | drops(browser, url, folder)


def starts(browser: Browser, url: str) -> dict[str, Any]:
    """Each in a new profile: nothing is kept from the one before."""
    seen = []
    for _ in range(STARTS):
        context = browser.new_context(bypass_csp=True, viewport={"width": 1100, "height": 720})
        page = context.new_page()
        page.add_init_script(_INTERACTIVE)
        page.goto(url)
        page.wait_for_function("window.interactive")
        seen.append(page.evaluate(_PAINTS))
        context.close()
    middle = {name: statistics.median(one[name] for one in seen) for name in seen[0]}
    return {
        "first_paint_ms": round(middle["first"]),
        "largest_paint_ms": round(middle["largest"]),
        "interactive_ms": round(middle["interactive"]),
        "slowest_interactive_ms": round(max(one["interactive"] for one in seen)),
        "bytes": middle["bytes"],
    }


def drop(page: Page, paths: Sequence[Path]) -> None:
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def drops(browser: Browser, url: str, folder: Path) -> dict[str, Any]:
    page = opened(browser, url)
    times = []
    for n in range(DROPS):
        path = folder / f"drop {n}.md"
        path.write_text("# x\n")
        page.evaluate(_DROPPED)
        drop(page, [path])
        page.wait_for_function("window.useful")
        times.append(page.evaluate("window.useful - window.dropped"))
    page.context.close()
    return {"drop_ms": round(statistics.median(times)), "slowest_drop_ms": round(max(times))}


def frames_elsewhere(browser: Browser, url: str, folder: Path, count: int) -> dict[str, Any]:
    """All at work, each gaining a per cent a second, while the processors have little else to do."""
    page = filled(browser, url, folder, count)
    page.wait_for_function(f"document.querySelectorAll('li[data-phase=running]').length === {count}", timeout=PATIENCE)
    page.wait_for_timeout(1000)
    watch = Watch(browser, page)
    watch.begin()
    page.wait_for_timeout(1000 * WATCHED)
    found = {"rows": count} | watch.end() | traced(browser, page, TRACED)
    page.context.close()
    return found


def frames_here(browser: Browser, url: str, folder: Path, count: int) -> dict[str, Any]:
    """From the first job to the end of the last, with as many engines at work as there are processors."""
    page = filled(browser, url, folder, count, start=False)
    watch = Watch(browser, page)
    watch.begin()
    start_all(page)
    over = "document.querySelectorAll('li[data-phase=succeeded], li[data-phase=failed]').length"
    page.wait_for_function(f"{over} === {count}", timeout=PATIENCE)
    found = {"rows": count} | watch.end()
    page.context.close()
    return found


def filled(browser: Browser, url: str, folder: Path, count: int, *, start: bool = True) -> Page:
    """A page with so many files on it."""
    page = opened(browser, url)
    paths = [folder / f"row {n}.csv" for n in range(count)]
    for n, path in enumerate(paths):
        path.write_text("a,b\n" + f"{n},2\n" * 500)
    page.locator("input[type=file][multiple]").set_input_files(paths)
    page.wait_for_function(f"document.querySelectorAll('li[data-phase=ready]').length === {count}", timeout=PATIENCE)
    if start:
        start_all(page)
    return page


def start_all(page: Page) -> None:
    page.locator(".bar .button:not(.absent)", has_text="Convert all").click()


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_context(bypass_csp=True, viewport={"width": 1100, "height": 720}).new_page()
    page.goto(url)
    page.wait_for_selector("#tools select")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    path = Path(__file__).with_name("page.json")
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        found["machine"] = f"{os.cpu_count()} cores, {platform.platform()}"
        found["browser"] = f"Chromium {browser.version}, headless"
        for name, (program, measure) in PARTS.items():
            if arguments.only in {None, name}:
                load = {"load_at_start": round(os.getloadavg()[0], 1)}
                with server(*program) as url, tempfile.TemporaryDirectory() as folder:
                    found[name] = load | measure(browser, url, Path(folder), arguments.rows)
                print(name, json.dumps(found[name], indent=1))
        browser.close()
    for name, wanted in TARGETS.items():
        print(f"{name} {found.get('start', {}).get(name)}, wanted {wanted} at most")
    if not arguments.no_write:
        path.write_text(json.dumps(found, indent=1) + "\n")


PARTS: dict[str, tuple[Sequence[str], Callable[[Browser, str, Path, int], dict[str, Any]]]] = {
    "start": (SERVE, first_moments),
    "elsewhere": (PACED, frames_elsewhere),
    "here": (SERVE, frames_here),
}
"""What serves, and what is measured on it."""


if __name__ == "__main__":
    main()
