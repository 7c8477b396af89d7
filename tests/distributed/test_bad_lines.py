"""Between the processes and what they stand on, lines that cut, lie, trickle or fall silent: nothing is lost or wrong.

The faults are on the lines of an API process and a worker that stand beside the stack; the stack's own workers are
frozen, so that no other line can help.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import psycopg
import pytest
from chaoskit import clients, files
from chaoskit.clients import Client, Crowd
from chaoskit.journal import Accepted, Fetched, Journal, Refused
from distkit.extras import READY, Extra, Extras, Lines, lines
from distkit.shape import Shape, eventually

from filewright.chassis.testing.faulty_proxy import Fault

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.redis,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
MILD = {(503, "storage_unavailable"), (503, "overloaded"), (503, ""), (409, "conflict")}
WAITING = "database_waited_for"


@dataclass
class Fragile:
    """An API process and a worker whose lines can be made bad. For clients it is a server."""

    shape: Shape
    lines: Lines
    api: Extra
    worker: Extra
    url: str

    @property
    def up(self):
        return self.shape.up


@pytest.fixture
def fragile(shape: Shape, extras: Extras) -> Iterator[Fragile]:
    with lines(shape) as all_lines, ExitStack() as ending:
        api = ending.enter_context(extras.api(more=all_lines.settings))
        ending.enter_context(shape.frozen(*shape.names("worker")))
        worker = ending.enter_context(extras.worker(more=all_lines.settings))
        yield Fragile(shape, all_lines, api, worker, api.url)


def settled(shape: Shape, journal: Journal) -> list[object]:
    """What does not hold, once the stack's own workers help again."""
    for name in shape.names("worker"):
        shape.thaw(name)
    return list(shape.breaches(journal))


@pytest.mark.requirement("F2")
def test_a_worker_that_begins_while_the_database_is_away_waits_for_it(shape: Shape, extras: Extras) -> None:
    with lines(shape) as ways:
        ways.database.cut_off()
        with extras.worker(more=ways.settings, until=WAITING) as worker:
            ways.database.reconnect()
            eventually(lambda: worker.said(READY))
            assert "Traceback" not in worker.words()
            assert worker.stop() == 0


def test_a_worker_that_waits_for_its_database_ends_when_it_is_told_to(shape: Shape, extras: Extras) -> None:
    with lines(shape) as ways:
        ways.database.cut_off()
        with extras.worker(more=ways.settings, until=WAITING) as worker:
            assert worker.stop() == 0
            assert "Traceback" not in worker.words()


def harsh(journal: Journal) -> set[tuple[int, str]]:
    return {(entry.status, entry.code) for entry in journal.all(Refused)} - MILD


def attempts(shape: Shape, job: str) -> list[str]:
    return [row["outcome"] for row in shape.rows("SELECT outcome FROM attempts WHERE job_id = %s ORDER BY number", job)]


# --- the database ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F12")
def test_an_order_whose_commit_was_answered_to_nobody_is_one_job(fragile: Fragile, journal: Journal) -> None:
    sample = files.markdown(12)
    with Client(fragile, journal, "f12-accept") as client:
        upload = client.upload(sample)
        fragile.lines.database.arm(Fault(lose_answer_to=(b"INSERT INTO jobs", b"COMMIT")), times=8)
        body = {"inputs": [{"upload": upload}], "to": sample.to, "tag": "f12-accept"}
        first = client.http.post("/v1/jobs", json=body, headers={"Idempotency-Key": "f12-accept"})
        assert (first.status_code, first.json()["code"]) == (503, "storage_unavailable")
        assert fragile.lines.database.lost == 1
        fragile.lines.database.heal()
        assert client.follow(client.order(sample, upload))["status"] == "succeeded"
    assert len(fragile.shape.rows("SELECT id FROM jobs WHERE tag = 'f12-accept'")) == 1
    assert settled(fragile.shape, journal) == []


@pytest.mark.requirement("F12")
def test_a_result_whose_commit_was_answered_to_nobody_is_one_result(fragile: Fragile, journal: Journal) -> None:
    """The worker reads its own attempt's row, and neither drops the result nor does the work again."""
    with Client(fragile, journal, "f12-commit") as client:
        upload = client.upload(files.markdown(13))
        fragile.lines.database.arm(Fault(lose_answer_to=(b"INSERT INTO usage", b"COMMIT")))
        job = client.order(files.markdown(13), upload)
        eventually(lambda: fragile.lines.database.lost)
        fragile.lines.database.heal()
        assert client.follow(job)["status"] == "succeeded"
        client.fetch(job)
    assert attempts(fragile.shape, job) == ["succeeded"]
    assert settled(fragile.shape, journal) == []


@pytest.mark.requirement("F14")
def test_the_victim_of_a_deadlock_tries_again(shape: Shape, journal: Journal) -> None:
    """Somebody locks what a worker's commit needs, in the other order, until the database has to choose a victim."""
    deadlocks = lambda: shape.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = 'filewright'")[0]  # noqa: E731
    before = deadlocks()["deadlocks"]
    with Crowd(shape, journal, at_once=4) as crowd, psycopg.connect(shape.database_url) as rival:
        deadline = time.monotonic() + 90
        n = 0
        while deadlocks()["deadlocks"] < before + 2:
            assert time.monotonic() < deadline, "the rival never met a commit"
            crowd.send(f"f14-{n}", clients.plain(files.table(n)))
            cross(rival)
            n += 1
        crowd.all_done()
    assert harsh(journal) == set()
    assert shape.breaches(journal) == []


def cross(rival: psycopg.Connection[tuple[object, ...]]) -> None:
    """Lock the attempt first and then its job: a commit does it the other way."""
    held = eventually(
        lambda: (
            rival.execute("SELECT job_id FROM attempts WHERE outcome IS NULL FOR UPDATE SKIP LOCKED").fetchall()
            or rival.rollback()
        )
    )
    try:
        jobs = [row[0] for row in held]
        eventually(
            lambda: rival.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'filewright'"
            ).fetchone(),
            3,
        )
        rival.execute("SELECT id FROM jobs WHERE id = ANY(%s) FOR UPDATE", (jobs,))
    except (psycopg.errors.DeadlockDetected, AssertionError):
        pass  # chosen itself, or nobody came
    finally:
        rival.rollback()


# --- the store -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F15")
def test_a_store_that_refuses_a_few_times_is_asked_again(fragile: Fragile, journal: Journal) -> None:
    store = fragile.lines.store
    with Client(fragile, journal, "f15") as client:
        store.arm(Fault(status=503), times=2)
        upload = client.upload(files.picture(15))
        assert store.met == 2
        store.arm(Fault(status=503), times=2)
        job = client.order(files.picture(15), upload)
        assert client.follow(job)["status"] == "succeeded"
        assert store.met == 2
        store.arm(Fault(status=503), times=2)
        client.fetch(job)
        assert store.met == 2
        store.arm(Fault(status=503), times=2)
        client.delete(job)
    assert harsh(journal) == set()
    assert settled(fragile.shape, journal) == []


@pytest.mark.requirement("F16")
def test_a_store_that_is_away_pauses_claims_and_burns_no_attempts(fragile: Fragile, journal: Journal) -> None:
    store = fragile.lines.store
    with Crowd(fragile.shape, journal, at_once=6) as crowd:
        store.cut_off()
        for n in range(6):
            crowd.send(f"f16-{n}", clients.plain(files.markdown(n)))  # through the stack's own API, whose line is good
        eventually(lambda: len(journal.all(Accepted)) == 6)
        eventually(lambda: fragile.worker.said("claims_paused"))
        time.sleep(10)  # what would have been tried and failed in this time is what must not be
        rows = fragile.shape.rows("SELECT attempt, transient_count, state FROM jobs WHERE tag LIKE 'f16-%%'")
        assert sum(row["attempt"] for row in rows) <= 2
        assert {row["state"] for row in rows} <= {"queued", "retry_wait"}
        store.reconnect()
        crowd.all_done()
    assert {row["outcome"] for row in fragile.shape.rows("SELECT outcome FROM attempts")} >= {"succeeded"}
    assert len(journal.all(Fetched)) == 6
    assert settled(fragile.shape, journal) == []


@pytest.mark.requirement("F17")
@pytest.mark.parametrize(
    "fault",
    [Fault(flip_down_at=600), Fault(cut_down_after=700), Fault(end_down_after=700)],
    ids=["a flipped bit", "cut off", "too short"],
)
def test_wrong_bytes_from_the_store_are_never_a_result(fragile: Fragile, journal: Journal, fault: Fault) -> None:
    store = fragile.lines.store
    with Client(fragile, journal, f"f17-{fault.flip_down_at}-{fault.cut_down_after}") as client:
        upload = client.upload(files.picture(17))
        store.arm(fault, times=3)
        job = client.order(files.picture(17), upload)
        assert client.follow(job)["status"] == "succeeded"
        store.heal()
        good = client.fetch(job)
        store.arm(fault)
        given = download(client.http, job)
        assert given is None or given == good
        store.heal()
        assert client.fetch(job) == good
    assert harsh(journal) == set()
    assert settled(fragile.shape, journal) == []


def download(http: httpx.Client, job: str) -> bytes | None:
    """The whole of what a client takes for a result; None when it can see that it is none."""
    try:
        answer = http.get(f"/v1/jobs/{job}/outputs/0")
    except httpx.TransportError:
        return None
    return answer.content if answer.status_code == 200 else None


@pytest.mark.requirement("F18")
def test_an_object_that_was_stored_without_a_word_is_not_stored_twice(fragile: Fragile, journal: Journal) -> None:
    """The line is lost after the whole object went through and before the store could say so."""
    store = fragile.lines.store
    with Client(fragile, journal, "f18") as client:
        store.arm(Fault(lose_answer_to=(b"PUT /",)), times=2)
        upload = client.upload(files.picture(18))
        store.arm(Fault(lose_answer_to=(b"PUT /",)), times=3)
        job = client.order(files.picture(18), upload)
        assert client.follow(job)["status"] == "succeeded"
        store.heal()
        client.fetch(job)
    assert harsh(journal) == set()
    assert settled(fragile.shape, journal) == []


# --- every line ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F23")
def test_on_slow_lines_all_is_slow_and_works(fragile: Fragile, journal: Journal) -> None:
    for line in fragile.lines.all():
        line.arm(Fault(delay=0.1))
    with Client(fragile, journal, "f23-slow") as client:
        job = client.order(files.markdown(23), client.upload(files.markdown(23)))
        assert client.follow(job)["status"] == "succeeded"
        client.fetch(job)
    assert attempts(fragile.shape, job) == ["succeeded"]
    assert settled(fragile.shape, journal) == []


@pytest.mark.requirement("F23")
@pytest.mark.parametrize("name", ["database", "store", "redis"])
def test_a_line_that_falls_silent_is_given_up_and_the_next_one_taken(
    fragile: Fragile, journal: Journal, name: str
) -> None:
    """Half open: what is asked arrives, nothing comes back, nothing is closed. Then new connections are good again.

    The store is given a minute for one request: it may be a large one.
    """
    line = getattr(fragile.lines, name)
    with Client(fragile, journal, f"f23-{name}", patience=400) as client:
        upload = client.upload(files.markdown(24))
        line.arm(Fault(mute=True), times=3)
        job = client.order(files.markdown(24), upload)
        assert client.follow(job)["status"] == "succeeded"
        client.fetch(job)
        assert line.met >= 1
    assert harsh(journal) == set()
    assert settled(fragile.shape, journal) == []


@pytest.mark.requirement("F9")
def test_resets_of_redis_in_a_row_cost_nothing(fragile: Fragile, journal: Journal) -> None:
    redis = fragile.lines.redis
    with Crowd(fragile, journal, at_once=4) as crowd:
        for n in range(8):
            crowd.send(f"f9-reset-{n}", clients.plain(files.markdown(n)))
        for _ in range(20):
            redis.arm(Fault(cut_down_after=20), times=2)
            time.sleep(0.1)
        redis.heal()
        crowd.all_done()
    assert harsh(journal) == set()
    assert settled(fragile.shape, journal) == []
