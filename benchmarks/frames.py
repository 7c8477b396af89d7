"""What the browser's frames cost while a page works: from its own trace, from its counters, and from the kernel.

A frame that comes late may be the page's fault or that of whoever else uses the processors. So both are told: when
frames came, by the page's own clock, and what each cost the page's main thread in time on a processor, which waiting
for one does not change. A page that stays within the budget is late only where the machine is.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

BUDGET = 1000 / 60
CATEGORIES = ["-*", "toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "blink"]
_START = """() => {
    window.frames = [];
    let last = performance.now();
    const tick = (now) => {
        window.frames?.push(now - last);
        last = now;
        if (window.frames) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
}"""
_STOP = "() => { const {frames} = window; window.frames = undefined; return frames; }"
_WORK = {
    "style": {"Document::recalcStyle", "Document::updateStyleInvalidationIfNeeded", "UpdateLayoutTree"},
    "layout": {"Layout", "LocalFrameView::performLayout", "LocalFrameView::UpdateStyleAndLayout"},
    "paint": {
        *("PrePaint", "Paint", "Layerize", "Commit", "CullRectUpdate", "PaintArtifactCompositor::Update"),
        *("Blink.PrePaint.UpdateTime", "Blink.Paint.UpdateTime", "Blink.CompositingInputs.UpdateTime"),
    },
    "scripts": {"FunctionCall", "EvaluateScript", "RunMicrotasks", "FireAnimationFrame", "TimerFire", "EventDispatch"},
}
"""What events of the trace are for, by their names; the rest is the browser's own house-keeping."""


@dataclass(frozen=True)
class Event:
    """A piece of work of one thread, in microseconds."""

    name: str
    begin: float
    end: float
    cpu: float


class Watch:
    """Watches one page, from `begin` to `end`; then tells."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self._page = page
        self._root = browser.new_browser_cdp_session()
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._news = 0
        self._session.on("Network.eventSourceMessageReceived", lambda _: self._hear())

    def begin(self) -> None:
        self._pids = {item["id"] for item in self._root.send("SystemInfo.getProcessInfo")["processInfo"]}
        self._page.evaluate(_START)
        self._counters, self._cpu, self._heard = counters(self._session), cpu_of(self._pids), self._news

    def end(self) -> dict[str, Any]:
        now, cpu, news = counters(self._session), cpu_of(self._pids), self._news - self._heard
        times = self._page.evaluate(_STOP)
        seconds = sum(times) / 1000
        spent = {name: now[name] - self._counters[name] for name in now}
        return {
            **pace(times),
            "news_a_second": round(news / seconds, 1),
            "main_thread_cpu_ms_per_frame": round(1000 * spent["TaskDuration"] / len(times), 2),
            "styles_a_second": round(spent["RecalcStyleCount"] / seconds, 1),
            "layouts_a_second": round(spent["LayoutCount"] / seconds, 1),
            "browser_cpu_ms_a_second": round((cpu - self._cpu) / seconds),
        }

    def _hear(self) -> None:
        self._news += 1


def pace(times: Sequence[float]) -> dict[str, Any]:
    """When frames came. A timer's own error is no late frame."""
    return {
        "frames": len(times),
        "frames_a_second": round(1000 * len(times) / sum(times), 1),
        "frames_in_time_percent": round(100 * sum(time <= BUDGET + 1 for time in times) / len(times), 1),
        "frames_within_two_percent": round(100 * sum(time <= 2 * BUDGET + 1 for time in times) / len(times), 1),
        "slowest_frame_ms": round(max(times)),
    }


def counters(session: CDPSession) -> Mapping[str, float]:
    """Times are those of the main thread on a processor."""
    return {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}


def cpu_of(pids: Iterable[int]) -> float:
    """Milliseconds on a processor of all threads of these processes."""
    spent = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e6


def traced(browser: Browser, page: Page, seconds: float) -> dict[str, Any]:
    """What each frame costs the main thread, and what for; the trace itself costs a good part of it."""
    page.evaluate(_START)
    browser.start_tracing(page=page, categories=CATEGORIES)
    page.wait_for_timeout(1000 * seconds)
    events = list(main_thread(json.loads(browser.stop_tracing())["traceEvents"]))
    page.evaluate(_STOP)
    costs = sorted(per_frame(events))
    for_what = purposes(events)
    whole = sum(for_what.values())
    return {
        "traced_frames": len(costs),
        "traced_median_ms": round(costs[len(costs) // 2], 2),
        "traced_99th_percentile_ms": round(costs[math.ceil(0.99 * len(costs)) - 1], 2),
        "traced_costliest_ms": round(costs[-1], 2),
        "traced_over_budget": sum(cost > BUDGET for cost in costs),
        "traced_share_percent": {name: round(100 * spent / whole) for name, spent in for_what.most_common()},
    }


def main_thread(raw: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    """The work of the page's main thread, by beginning, what is within something after it."""
    names = {(one["pid"], one["tid"]): one["args"]["name"] for one in raw if one["name"] == "thread_name"}
    works: dict[tuple[int, int], list[Event]] = {}
    for one in raw:
        thread = one["pid"], one["tid"]
        if one["ph"] == "X" and names.get(thread) == "CrRendererMain":
            event = Event(one["name"], one["ts"], one["ts"] + one["dur"], one.get("tdur", one["dur"]))
            works.setdefault(thread, []).append(event)
    yield from sorted(max(works.values(), key=len), key=lambda event: (event.begin, -event.end))


def per_frame(events: Sequence[Event]) -> Iterator[float]:
    """Milliseconds on a processor from the beginning of one frame to that of the next.

    A frame is a task in which scripts drew; what ran between two is counted to the one before.
    """
    drawn = [event.begin for event in events if event.name == "FireAnimationFrame"]
    cost, last, outer = 0.0, None, -math.inf
    for event in events:
        if event.begin < outer:
            continue
        outer = event.end
        found = bisect_left(drawn, event.begin)
        if found < bisect_left(drawn, event.end):
            if last is not None:
                yield cost / 1000
            cost, last = 0.0, event
        cost += event.cpu


def purposes(events: Iterable[Event]) -> Counter[str]:
    """Microseconds by purpose, each counted once: what is within something is no more that one's own."""
    spent: Counter[str] = Counter()
    around: list[tuple[float, str]] = []
    for event in events:
        while around and around[-1][0] <= event.begin:
            around.pop()
        purpose = next((name for name, names in _WORK.items() if event.name in names), "rest")
        if around:
            spent[around[-1][1]] -= event.cpu
        spent[purpose] += event.cpu
        around.append((event.end, purpose))
    return spent
