"""What is kept is what would be made; reports are the operator's; a cache that dies is noticed by nobody."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpkit import distributed
from httpkit.live import Live

from filewright.chassis.testing.servers.redis import PrivateRedis
from filewright.converter.reports.service import CONVERSIONS

LOOPBACK = "127.0.0.1/32"
PATIENCE = 60.0


@pytest.mark.requirement("G3")
def test_the_report_tells_what_was_converted(
    live: Live, http: httpx.Client, finished: Callable[..., dict[str, Any]]
) -> None:
    async def refresh() -> None:
        async with live.world.database.write() as session:
            await live.world.reports.refreshing().effect(session)
        await live.world.cache.drop(CONVERSIONS, "all")

    def told() -> tuple[Counter[str], Counter[str]]:
        """Of each target, how many succeeded and how many ended; other tests order here too."""
        live.call(refresh)
        found = http.get("/reports/conversions", params={"days": 1}).raise_for_status().json()
        assert found["as_of"].endswith("Z")
        assert all(line["success_share"] == round(line["succeeded"] / line["conversions"], 4) for line in found["data"])
        lines = [line for line in found["data"] if line["family"] == "markup"]
        good = Counter({line["target"]: line["succeeded"] for line in lines})
        return good, Counter({line["target"]: line["conversions"] for line in lines})

    good_before, all_before = told()
    for _ in range(2):
        assert finished(to="md")["status"] == "succeeded"
    assert finished(b"!fail", to="html")["status"] == "failed"
    good, every = told()
    assert good - good_before == {"md": 2}
    assert every - all_before == {"md": 2, "html": 1}


@pytest.mark.parametrize("days", ["0", "91", "many"])
def test_a_report_of_no_days_or_of_too_many_is_refused(http: httpx.Client, days: str) -> None:
    assert http.get("/reports/conversions", params={"days": days}).status_code == 400


def test_a_report_is_for_the_operators_networks(serve: Callable[..., Any], tmp_path: Path) -> None:
    with serve(tmp_path, trusted=(LOOPBACK,)) as service, service.client_inside() as http:
        assert http.get("/reports/conversions").status_code == 200
        stranger = http.get("/reports/conversions", headers={"X-Forwarded-For": "203.0.113.9"})
    assert stranger.status_code == 403
    assert stranger.json()["code"] == "forbidden"


@pytest.mark.requirement("G4", "G5")
def test_all_processes_give_the_list_of_formats_one_entity_tag(live: Live) -> None:
    answers = [httpx.get(f"{url}/v1/formats", timeout=30) for url in live.replicas for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) == 1
    tag = {"If-None-Match": answers[0].headers["etag"]}
    again = [httpx.get(f"{url}/v1/formats", headers=tag, timeout=30).status_code for url in live.replicas]
    assert set(again) == {304}


@pytest.mark.requirement("G4", "G5")
def test_who_changed_a_job_sees_the_change_at_every_process(
    live: Live, http: httpx.Client, order: Callable[..., dict[str, Any]], finished: Callable[..., dict[str, Any]]
) -> None:
    def shown(job_id: str) -> set[str]:
        return {httpx.get(f"{url}/v1/jobs/{job_id}", timeout=30).json()["status"] for url in live.replicas}

    done = finished()["id"]
    failed = finished(b"!fail", to="html")["id"]
    for _ in range(3):
        assert shown(done) == {"succeeded"}
        assert shown(failed) == {"failed"}
    assert httpx.delete(f"{live.replicas[0]}/v1/jobs/{done}", timeout=30).status_code == 204
    assert shown(done) == {"expired"}
    held = order(b"!wait")["id"]
    assert httpx.post(f"{live.replicas[-1]}/v1/jobs/{held}/cancel", timeout=30).status_code == 200
    deadline = time.monotonic() + PATIENCE
    while shown(held) != {"cancelled"}:
        assert time.monotonic() < deadline
    assert shown(held) == {"cancelled"}
    assert httpx.post(f"{live.replicas[0]}/v1/jobs/{held}/retry", timeout=30).status_code == 202
    assert shown(held) <= {"queued", "running"}
    assert httpx.post(f"{live.replicas[0]}/v1/jobs/{held}/cancel", timeout=30).status_code == 200


@pytest.fixture
def cached(ground: distributed.Ground, mortal_redis: PrivateRedis, tmp_path: Path) -> Iterator[Live]:
    """Many processes, with a Redis to kill that keeps what can be made again."""
    settings = {"cache_url": mortal_redis.url(), "redis_answer_seconds": 1.0}
    with distributed.serving(ground, tmp_path, settings=settings) as service:
        yield service


@pytest.mark.long
@pytest.mark.redis
@pytest.mark.postgres
@pytest.mark.s3
@pytest.mark.requirement("G2", "G5")
def test_no_request_fails_when_the_cache_is_killed_frozen_and_flushed_under_load(
    cached: Live, mortal_redis: PrivateRedis
) -> None:
    with cached.client() as http:
        sent = http.post(
            "/v1/convert",
            files={"file": ("a.txt", b"hello")},
            data={"to": "md"},
            headers={"Prefer": "respond-async"},
        ).raise_for_status()
        job = sent.json()["id"]
        http.get(f"/v1/jobs/{job}", params={"wait": 20}).raise_for_status()
    paths = ("/v1/formats", f"/v1/jobs/{job}", "/reports/conversions", "/readyz")
    answers: Counter[tuple[str, int | str]] = Counter()
    stop = threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as http:
            while not stop.is_set():
                for path in paths:
                    try:
                        outcome: int | str = http.get(path).status_code
                    except httpx.HTTPError as error:
                        outcome = type(error).__name__
                    answers[path, outcome] += 1

    def some_more(count: int = 100) -> None:
        wanted, deadline = answers.total() + count, time.monotonic() + PATIENCE
        while answers.total() < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def forget() -> None:
        """Near, in every process: what one drops, all who hear it forget; so Redis is asked again."""
        cached.call(lambda: cached.world.cache.drop(CONVERSIONS, "all"))

    threads = [threading.Thread(target=ask, args=(url,)) for url in cached.replicas for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        some_more()
        for harm, mend in (
            (lambda: mortal_redis.signal(signal.SIGKILL), mortal_redis.restart),
            (mortal_redis.freeze, mortal_redis.thaw),
            (lambda: mortal_redis.do("FLUSHALL"), lambda: None),
        ):
            harm()
            for _ in range(5):
                forget()
                some_more()
            mend()
            forget()
            some_more()
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    failed = {what: count for what, count in answers.items() if what[1] != 200}
    assert failed == {}
    assert min(answers[path, 200] for path in paths) > 100
