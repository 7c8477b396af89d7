"""Measure the page in a browser beside a server of its own, and write what came out into `page.json`.

    start     a cold browser, a server that was just started: first paint, largest paint, until a file can be chosen
    drop      from the event to a row that says what the file is and what it can become
    frames    two hundred files on the page, converting: how long each frame of the browser takes
    weight    what is sent for the first visit

Chromium has no graphics hardware here, so everything is painted by the processor, which the server and its engines use
at the same time. What does not depend on the machine (weight, stillness) is in `tests/e2e/page`.

Examples:

  python benchmarks/page.py                 about two minutes; nothing else should run
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
TARGETS = {"first_paint_ms": 1000, "interactive_ms": 1500, "drop_ms": 300, "bytes": 60_000}
FRAME = 1000 / 60
STARTS, DROPS = 7, 12
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
_FRAMES = """() => {
    window.frames = [];
    let last = performance.now();
    const tick = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
}"""


@contextmanager
def server() -> Iterator[str]:
    """A `filewright serve` on an empty data directory."""
    with tempfile.TemporaryDirectory() as data, (Path(data) / "log").open("w") as log:
        command = [sys.executable, "-m", "filewright", "serve", "--port", "0", "--data", data]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found, (Path(data) / "log").read_text()
        try:
            yield found.group(0)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


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


def frames(browser: Browser, url: str, folder: Path, count: int) -> dict[str, Any]:
    page = opened(browser, url)
    paths = [folder / f"row {n}.csv" for n in range(count)]
    for n, path in enumerate(paths):
        path.write_text("a,b\n" + f"{n},2\n" * 500)
    page.locator("input[type=file][multiple]").set_input_files(paths)
    page.wait_for_function(f"document.querySelectorAll('li[data-phase=ready]').length === {count}", timeout=PATIENCE)
    page.evaluate(_FRAMES)
    page.locator(".bar .button:not(.absent)", has_text="Convert all").click()
    over = "document.querySelectorAll('li[data-phase=succeeded], li[data-phase=failed]').length"
    page.wait_for_function(f"{over} === {count}", timeout=PATIENCE)
    taken = sorted(page.evaluate("window.frames"))
    page.context.close()
    return {
        "rows": count,
        "frames": len(taken),
        "frames_a_second": round(1000 * len(taken) / sum(taken), 1),
        # A timer's own error is no late frame.
        "frames_in_time_percent": round(100 * sum(time <= FRAME + 1 for time in taken) / len(taken), 1),
        "frames_within_two_percent": round(100 * sum(time <= 2 * FRAME + 1 for time in taken) / len(taken), 1),
        "slowest_frame_ms": round(taken[-1]),
    }


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_context(bypass_csp=True, viewport={"width": 1100, "height": 720}).new_page()
    page.goto(url)
    page.wait_for_selector("#tools select")
    return page


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.platform()}, load {os.getloadavg()[0]:.1f} at the start"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"machine": machine()}
    with server() as url, sync_playwright() as playwright, tempfile.TemporaryDirectory() as place:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        found |= {"browser": f"Chromium {browser.version}, headless"}
        found |= starts(browser, url)
        found |= drops(browser, url, Path(place))
        found |= frames(browser, url, Path(place), arguments.rows)
        browser.close()
    for name, value in found.items():
        wanted = TARGETS.get(name)
        print(f"{name:28} {value}" + (f"   (wanted: {wanted} at most)" if wanted else ""))
    if not arguments.no_write:
        Path(__file__).with_name("page.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
