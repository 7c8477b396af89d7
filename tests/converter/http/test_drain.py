"""The end of a process: what waits is told, what runs is finished, nothing hangs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest


def accepted(http):
    answer = http.post(
        "/v1/convert", files={"file": ("a.txt", b"!wait")}, data={"to": "md"}, headers={"Prefer": "respond-async"}
    )
    return answer.headers["location"]


@pytest.mark.requirement("F28")
def test_who_waits_is_answered_when_the_process_drains(serve, tmp_path):
    with serve(tmp_path) as live, live.client() as http, ThreadPoolExecutor(2) as pool:
        job = accepted(http)
        with httpx.stream("GET", f"{live.url}{job}/events", timeout=30) as events:
            lines = events.iter_lines()
            while not next(lines).startswith("event: "):
                pass
            poll = pool.submit(httpx.get, live.url + job, params={"wait": 60}, timeout=30)
            form = pool.submit(wait_for_conversion, live.url)
            until_open(live, 3 + len(live.replicas))  # and those that ask
            began = time.monotonic()
            live.stop()
            assert poll.result(timeout=10).json()["status"] in {"queued", "running"}
            assert form.result(timeout=10).status_code == 202
            list(lines)  # ends, and ends well: a cut stream would raise
        assert time.monotonic() - began < 6


def until_open(live, count):
    deadline = time.monotonic() + 20
    while live.open_requests() != count:
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def wait_for_conversion(url):
    return httpx.post(
        f"{url}/v1/convert",
        files={"file": ("b.txt", b"!wait")},
        data={"to": "md"},
        headers={"Prefer": "wait=120"},
        timeout=30,
    )


def test_a_draining_process_is_not_ready(tmp_path):
    """Asked inside, because by then no new connection is accepted."""
    import asyncio

    from filewright.chassis.clock import SystemClock
    from filewright.chassis.telemetry.metrics import Metrics
    from filewright.chassis.web.app import Site, create_web_app
    from filewright.chassis.web.drain import Drain
    from filewright.chassis.web.health import Health
    from filewright.chassis.web.proxies import NO_PROXIES

    drain, metrics = Drain(), Metrics()
    app = create_web_app(
        Site("t", "0", ""),
        routers=(),
        state_of_health=Health({}, dict, drain, metrics, NO_PROXIES),
        metrics=metrics,
        clock=SystemClock(),
    )

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            before = await http.get("/readyz")
            drain.begin()
            return before, await http.get("/readyz")

    before, after = asyncio.run(ask())
    assert (before.status_code, after.status_code) == (200, 503)
    assert after.json()["status"] == "draining"
