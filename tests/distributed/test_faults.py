"""Any process and any dependency dies, stops or forgets, while clients order: nothing is lost, doubled or stuck.

Each test ends with the books: what clients were told against every row and every object.
"""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGCONT, SIGQUIT, SIGSTOP

import httpx
import pytest
from chaoskit import clients, files
from chaoskit.clients import Client, Crowd
from chaoskit.journal import Accepted, Journal, Refused, Unknown
from distkit.extras import Extras, Moving
from distkit.shape import Shape, eventually

from filewright.stack.state import read_state

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.redis,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

WORKER_POINTS = (
    "jobs.claim.after", "jobs.fetch.before", "jobs.fetch.after", "jobs.convert.before", "jobs.convert.after",
    "jobs.store.after", "jobs.commit.inside", "jobs.commit.after",
)  # fmt: skip
API_POINTS = ("uploads.create.committed", "uploads.complete.before", "jobs.submit.accepted", "db.commit.after")
HITS = {"db.commit.after": 2}
MILD = {(503, "storage_unavailable"), (503, "overloaded"), (503, ""), (409, "conflict")}
"""What clients may be told while something is away: to ask again. The answer to a HEAD has no body and so no code."""


@contextmanager
def orders(shape: Shape, journal: Journal, name: str, rounds: int = 4) -> Iterator[Crowd]:
    """A crowd that is at it when the block begins; all of it has been served when the block ends."""
    with Crowd(shape, journal, at_once=8) as crowd:
        for n in range(rounds):
            crowd.send(f"{name}-{n}-a", clients.plain(files.GOOD[n % len(files.GOOD)](n)))
            crowd.send(f"{name}-{n}-b", clients.in_pieces(files.markdown(n)))
            crowd.send(f"{name}-{n}-c", clients.in_one_call(files.picture(n)))
        eventually(lambda: journal.all(Accepted))
        yield crowd
        crowd.all_done()


def harsh(journal: Journal) -> set[tuple[int, str]]:
    """Refusals that say more than: ask again."""
    return {(entry.status, entry.code) for entry in journal.all(Refused)} - MILD


def attempts(shape: Shape, job: str) -> list[str]:
    return [row["outcome"] for row in shape.rows("SELECT outcome FROM attempts WHERE job_id = %s ORDER BY number", job)]


# --- processes of the product ----------------------------------------------------------------------------------------


@pytest.mark.requirement("F1")
def test_an_api_process_that_is_killed_at_any_point_of_an_order_leaves_one_job(
    shape: Shape, extras: Extras, journal: Journal
) -> None:
    """A client that got no answer asks another process, with the same key."""
    with ExitStack() as ending:
        dying = [ending.enter_context(extras.api(f"{point}=sigkill@{HITS.get(point, 1)}")) for point in API_POINTS]
        with Crowd(shape, journal) as crowd:
            for n, api in enumerate(dying):
                crowd.send(f"accept-{n}", moved(api.url, shape.url, clients.plain(files.markdown(n))))
            crowd.all_done()
        assert [api.exit_code() for api in dying] == [-9] * len(dying)
    assert all(api.said(f"failpoint {point}: sigkill") for api, point in zip(dying, API_POINTS, strict=True))
    assert shape.breaches(journal) == []


def moved(first: str, then: str, errand: clients.Errand) -> clients.Errand:
    """The errand, begun at one address and carried on at another when that one dies."""

    def run(client: Client) -> None:
        client.http = httpx.Client(base_url=first, timeout=60, transport=Moving(first, then))
        errand(client)

    return run


@pytest.mark.requirement("F1")
def test_an_api_process_that_is_killed_under_load_is_hardly_noticed(shape: Shape, journal: Journal) -> None:
    with orders(shape, journal, "f1"):
        shape.wait_for_successor(shape.kill("api-1"))
        shape.wait_for_successor(shape.kill("api-2"))
    assert harsh(journal) == set()
    assert shape.breaches(journal) == []


@pytest.mark.requirement("F2")
def test_a_worker_that_is_killed_at_any_point_of_a_job_is_followed_by_another(
    shape: Shape, extras: Extras, journal: Journal
) -> None:
    with Crowd(shape, journal) as crowd, ExitStack() as ending:
        with shape.frozen(*shape.names("worker")):
            dying = [ending.enter_context(extras.worker(f"{point}=sigkill")) for point in WORKER_POINTS]
            for n, point in enumerate(WORKER_POINTS):
                crowd.send(f"f2-{point}", clients.plain(files.picture(n)))
            assert [worker.exit_code() for worker in dying] == [-9] * len(dying)
        crowd.all_done()
    said = zip(dying, WORKER_POINTS, strict=True)
    assert all(worker.said(f"failpoint {point}: sigkill") for worker, point in said)
    assert shape.breaches(journal) == []


@pytest.mark.requirement("F2")
def test_a_worker_that_comes_back_takes_over_what_it_held(
    shape: Shape, extras: Extras, journal: Journal, tmp_path: Path
) -> None:
    """The lease is longer than anybody would wait, so nothing else frees the job."""
    patient = {"FILEWRIGHT_LEASE_SECONDS": "600"}
    with shape.frozen(*shape.names("worker")), Client(shape, journal, "f2-back") as client:
        with extras.worker("jobs.convert.after=sigkill", patient, data=tmp_path) as dying:
            job = client.order(files.markdown(7), client.upload(files.markdown(7)))
            assert dying.exit_code() == -9
        with extras.worker("", patient, data=tmp_path) as back:
            assert client.follow(job)["status"] == "succeeded"
            assert back.stop() == 0
    assert len(attempts(shape, job)) == 2
    assert shape.breaches(journal) == []


@pytest.mark.requirement("F2", "F4")
def test_a_worker_is_killed_in_the_middle_and_with_it_who_would_notice(shape: Shape, journal: Journal) -> None:
    """The leader of the upkeep dies at the same moment: another leads, and frees the job."""
    term = shape.rows("SELECT term FROM leaders WHERE name = 'upkeep'")[0]["term"]
    leader = next(name for name in shape.names("beat") if f'"term":{term},"event":"leader_elected"' in log(shape, name))
    with Client(shape, journal, "f2-f4") as client:
        job = client.order(files.letter(24), client.upload(files.letter(24)))
        worker = eventually(lambda: shape.stage(job) == "converting" and shape.worker_at_work())
        deaths = [shape.kill(worker), shape.kill(leader)]
        leftovers = [shape.leftovers(death) for death in deaths]
        assert client.follow(job)["status"] == "succeeded"
    assert shape.rows("SELECT term FROM leaders WHERE name = 'upkeep'")[0]["term"] > term
    assert len(attempts(shape, job)) == 2
    assert shape.breaches(journal, leftovers) == []


@pytest.mark.requirement("F5")
def test_a_worker_that_wakes_after_its_lease_cannot_commit(shape: Shape, extras: Extras, journal: Journal) -> None:
    """It stands still between storing the result and writing it down; meanwhile another has done the job."""
    pause = 2 * shape.lease_seconds
    with extras.worker(f"jobs.store.after=sleep:{pause}@1-1") as sleeper, Client(shape, journal, "f5") as client:
        with shape.frozen(*shape.names("worker")):
            job = client.order(files.markdown(5), client.upload(files.markdown(5)))
            eventually(lambda: sleeper.said("failpoint jobs.store.after: sleep"))
        assert client.follow(job)["status"] == "succeeded"
        client.fetch(job)
        eventually(lambda: sleeper.said('"stale"') or sleeper.said("outcome=stale"))
        assert sleeper.stop() == 0
    assert len(attempts(shape, job)) == 2
    assert attempts(shape, job).count("succeeded") == 1
    assert attempts(shape, job)[0] != "succeeded"
    assert shape.breaches(journal) == []


@pytest.mark.requirement("F5")
def test_a_worker_that_was_stopped_while_it_converted_gives_its_job_up(shape: Shape, journal: Journal) -> None:
    with Client(shape, journal, "f5-v") as client:
        job = client.order(files.letter(55), client.upload(files.letter(55)))
        worker = eventually(lambda: shape.stage(job) == "converting" and shape.worker_at_work())
        with shape.frozen(worker):
            assert client.follow(job)["status"] == "succeeded"
    assert attempts(shape, job)[-1] == "succeeded"
    assert attempts(shape, job).count("succeeded") == 1
    assert shape.breaches(journal) == []


@pytest.mark.requirement("F28")
def test_every_process_is_replaced_under_load_and_nobody_sees_it(shape: Shape, journal: Journal) -> None:
    before = {name: shape.identity(name) for role in ("api", "worker", "beat") for name in shape.names(role)}
    over = threading.Event()
    with Crowd(shape, journal, at_once=3) as crowd:

        def keep_ordering(who: int) -> None:
            n = 0
            while not over.is_set():
                crowd.send(f"f28-{who}-{n}", clients.plain(files.GOOD[n % len(files.GOOD)](n))).result(120)
                n += 1

        callers = [threading.Thread(target=keep_ordering, args=(who,)) for who in range(2)]
        for caller in callers:
            caller.start()
        try:
            eventually(lambda: journal.all(Accepted))
            shape.stack.restart(["api", "worker", "beat"])
        finally:
            over.set()
            for caller in callers:
                caller.join()
        crowd.all_done()
    assert not {name for name, identity in before.items() if shape.identity(name) == identity}
    assert (journal.all(Refused), journal.all(Unknown)) == ([], [])
    assert shape.breaches(journal) == []
    told = {entry.job for entry in journal.all(Accepted)}
    assert {outcome for job in told for outcome in attempts(shape, job)} <= {"succeeded", "released"}


# --- Redis -----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F8")
def test_a_redis_that_forgets_everything_all_the_time_costs_nothing(shape: Shape, journal: Journal) -> None:
    over = threading.Event()

    def forget() -> None:
        with shape.redis() as redis:
            while not over.wait(0.1):
                redis.flushall()

    forgetting = threading.Thread(target=forget)
    forgetting.start()
    try:
        with orders(shape, journal, "f8"):
            pass
    finally:
        over.set()
        forgetting.join()
    assert (journal.all(Refused), journal.all(Unknown)) == ([], [])
    assert shape.breaches(journal) == []


@pytest.mark.requirement("F9")
def test_without_redis_it_is_slower_and_not_stopped(shape: Shape, journal: Journal) -> None:
    with shape.frozen("redis-broker"):
        with orders(shape, journal, "f9-stopped", 2):
            pass
        ends = shape.rows("SELECT state FROM jobs WHERE tag LIKE 'f9-stopped%%' AND state <> 'succeeded'")
        assert ends == [], "all of it was done while Redis stood still"
    with orders(shape, journal, "f9-killed", 2):
        shape.wait_for_successor(shape.kill("redis-broker"))
    assert (journal.all(Refused), journal.all(Unknown)) == ([], [])
    assert shape.breaches(journal) == []
    workers_hear_again(shape, journal)


def workers_hear_again(shape: Shape, journal: Journal) -> None:
    """Hints are consumed by the same processes as before, without a hand."""

    def nothing_waits() -> bool:
        with shape.redis() as redis:
            return not redis.llen("premium") and not redis.llen("standard")

    with Client(shape, journal, "f9-after") as client:
        assert client.follow(client.order(files.markdown(9), client.upload(files.markdown(9))))["status"] == "succeeded"
    eventually(nothing_waits)


@pytest.mark.requirement("F10")
def test_forged_messages_are_ignored(shape: Shape, journal: Journal) -> None:
    before = {name: shape.identity(name) for name in shape.names("worker")}
    with Client(shape, journal, "f10-victim") as client:
        victim = client.order(files.markdown(10), client.upload(files.markdown(10)))
        client.follow(victim)
    forged = [b"", b"\xff\xfe", b"null", b"[]", b"{}", pickle.dumps({"task": "filewright.hint"}), *envelopes(victim)]
    with shape.redis() as redis:
        for lane in ("premium", "standard"):
            for message in forged:
                redis.lpush(lane, message)
        with orders(shape, journal, "f10", 2):
            pass
        eventually(lambda: not redis.llen("premium") and not redis.llen("standard"))
    assert {name: shape.identity(name) for name in before} == before
    assert attempts(shape, victim) == ["succeeded"]
    assert shape.breaches(journal) == []


def envelopes(job: str) -> Iterator[bytes]:
    """Messages of the right form without the right signature, and one that would be run if it were unpickled."""
    headers = {"lang": "py", "task": "filewright.hint", "id": "00000000-0000-4000-8000-000000000000", "root_id": None}
    delivery = {"exchange": "", "routing_key": "standard"}
    base = {"correlation_id": "x", "delivery_mode": 2, "delivery_info": delivery, "priority": 0, "delivery_tag": "x"}
    for kind, encoding in (("application/json", "utf-8"), ("application/x-python-serialize", "binary")):
        for args in ([job], [f"job:{job}:standard:forged"], ["x" * 100_000], [], [{"a": 1}]):
            body = json.dumps([args, {}, {}])
            message = {"body": body, "content-encoding": encoding, "content-type": kind, "headers": headers}
            yield json.dumps({**message, "properties": base}).encode()
    yield json.dumps({"body": "e30=", "headers": {**headers, "task": "os.system"}, "properties": base}).encode()


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F11")
def test_a_database_that_crashes_is_waited_for(shape: Shape, journal: Journal) -> None:
    """While it is away callers are told when to ask again; then all goes on."""
    supervisor = read_state(shape.layout).supervisor
    assert supervisor is not None
    with orders(shape, journal, "f11"):
        shape.signal(supervisor, SIGSTOP)  # who would start it again
        try:
            death = shape.kill("postgres", SIGQUIT)
            refused = eventually(lambda: refusal(shape))
        finally:
            shape.signal(supervisor, SIGCONT)
        shape.wait_for_successor(death)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["code"] == "storage_unavailable"
    assert harsh(journal) == set()
    assert shape.breaches(journal) == []


def refusal(shape: Shape) -> httpx.Response | None:
    answer = httpx.post(f"{shape.url}/v1/uploads", json={"filename": "a.txt", "bytes": 5}, timeout=60)
    return answer if answer.is_error else None


def log(shape: Shape, name: str) -> str:
    return shape.layout.log(name).read_text(errors="replace")
