"""Full disks, wrong clocks, dead engines, callers who hang up or change their minds, a schema that changes, a backlog:
days on which nobody is killed and much can go wrong.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest
from chaoskit import clients, files
from chaoskit.clients import Client, Crowd
from chaoskit.journal import Accepted, Journal, Refused, Unknown
from chaoskit.processes import running_program
from distkit.extras import Extras
from distkit.shape import Shape, eventually
from distkit.world import World

from filewright.chassis.testing.fixtures import missing
from filewright.chassis.testing.servers.postgres import PrivatePostgres
from filewright.chassis.testing.servers.process import ServerMissing
from filewright.chassis.testing.servers.redis import PrivateSentinel

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.redis,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
MILD = {(503, "storage_unavailable"), (503, "overloaded"), (503, ""), (409, "conflict")}
OFFICE = "soffice.bin"


def harsh(journal: Journal) -> set[tuple[int, str]]:
    return {(entry.status, entry.code) for entry in journal.all(Refused)} - MILD


def attempts(shape: Shape, job: str) -> list[str]:
    return [row["outcome"] for row in shape.rows("SELECT outcome FROM attempts WHERE job_id = %s ORDER BY number", job)]


@pytest.fixture
def small_disk(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of its own, where any user finds it; the test says how large by the parameter."""
    if os.geteuid() != 0:
        missing(request.config, "a small disk is made by mounting one, which root may")
    where = Path(tempfile.mkdtemp(prefix="filewright-disk-"))
    where.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param},mode=755", "tmpfs", where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)
        where.rmdir()


def fill(disk: Path, leave: int = 0) -> Path:
    """A file that takes all but so many bytes."""
    ballast = disk / "ballast"
    left = shutil.disk_usage(disk).free - leave
    with ballast.open("wb") as out, suppress(OSError):
        os.posix_fallocate(out.fileno(), 0, max(1, left))
    return ballast


# --- engines and scratch ---------------------------------------------------------------------------------------------


@pytest.mark.requirement("F3")
def test_an_engine_that_is_killed_costs_one_attempt(shape: Shape, journal: Journal) -> None:
    """Into a form that only this engine writes."""
    sample = replace(files.letter(3), to="fodt")
    with Client(shape, journal, "f3") as client:
        job = client.order(sample, client.upload(sample))
        os.kill(eventually(lambda: the_office(shape)), signal.SIGKILL)
        killed = time.monotonic()
        eventually(lambda: attempts(shape, job)[0] is not None)
        noticed = time.monotonic() - killed
        assert client.follow(job)["status"] == "succeeded"
        client.fetch(job)
    assert attempts(shape, job) == ["retry_wait", "succeeded"]
    assert noticed < shape.lease_seconds, "who watches the engine said so, not the end of a lease"
    assert shape.breaches(journal) == []


def the_office(shape: Shape) -> int | None:
    pids = (running_program(shape.identity(name).pid, OFFICE) for name in shape.names("worker"))
    return next((pid for pid in pids if pid), None)


@pytest.mark.requirement("F19")
@pytest.mark.parametrize("small_disk", ["16m"], indirect=True)
def test_a_worker_whose_disk_is_full_leaves_the_work_to_others(
    shape: Shape, extras: Extras, journal: Journal, small_disk: Path
) -> None:
    frozen = shape.frozen(*shape.names("worker"))
    with Client(shape, journal, "f19") as client, frozen, extras.worker(data=small_disk / "data") as cramped:
        ballast = fill(small_disk, leave=1 << 20)  # enough to begin, and not for the file
        large = files.picture(19, side=900)
        job = client.order(large, client.upload(large))
        eventually(lambda: attempts(shape, job)[:1] not in ([], [None]))
        assert attempts(shape, job)[0] == "retry_wait"
        eventually(lambda: not list((small_disk / "data" / "work").glob("*")))
        ballast.unlink()
        fill(small_disk)
        eventually(lambda: cramped.said("claims_paused"))
        tried = len(attempts(shape, job))
        for name in shape.names("worker"):
            shape.thaw(name)
        assert client.follow(job)["status"] == "succeeded"
        assert len(attempts(shape, job)) == tried + 1, "who has no room does not try"
        client.fetch(job)
    assert shape.breaches(journal) == []


# --- the database's disk ---------------------------------------------------------------------------------------------


@pytest.mark.requirement("F13")
@pytest.mark.parametrize("small_disk", ["220m"], indirect=True)
def test_a_database_without_room_is_told_to_callers_and_recovers_by_itself(
    request: pytest.FixtureRequest, shape: Shape, extras: Extras, journal: Journal, small_disk: Path, tmp_path: Path
) -> None:
    with postgres_on(small_disk) as server:
        world = World.beside(shape, "full", server)
        assert extras.migrate(world.settings) == 0
        with (
            extras.api(more=world.settings) as api,
            extras.worker(more=world.settings),
            extras.beat(more=world.settings),
        ):
            world.url = api.url
            with Client(world, journal, "f13-before") as client:
                job = client.order(files.markdown(1), client.upload(files.markdown(1)))
                assert client.follow(job)["status"] == "succeeded"
            ballast = fill(small_disk)
            refused = eventually(lambda: refusal(world))
            assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
            assert int(refused.headers["retry-after"]) > 0
            with Crowd(world, journal, at_once=2) as crowd:
                for n in range(4):
                    crowd.send(f"f13-{n}", clients.plain(files.markdown(n)))
                ballast.unlink()
                if not server._answers():
                    server.restart()  # what its keeper would do
                crowd.all_done()
        assert harsh(journal) == set()
        assert world.breaches(journal, tmp_path) == []


@contextmanager
def postgres_on(disk: Path) -> Iterator[PrivatePostgres]:
    before, tempfile.tempdir = tempfile.tempdir, str(disk)
    try:
        server = PrivatePostgres()
    finally:
        tempfile.tempdir = before
    try:
        yield server
    finally:
        server.stop()


def refusal(world: World) -> httpx.Response | None:
    """Uploads that are announced take room until there is none."""
    name = "long name " * 20
    answer = httpx.post(f"{world.url}/v1/uploads", json={"filename": f"{name}.txt", "bytes": 5}, timeout=60)
    return answer if answer.is_error else None


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F21")
@pytest.mark.parametrize("shift", ["+24h", "-24h"])
def test_a_clock_that_is_a_day_off_ends_nothing_early_and_loses_no_lease(
    request: pytest.FixtureRequest, shape: Shape, extras: Extras, journal: Journal, shift: str
) -> None:
    """Of the leader of the upkeep, of an API process that takes the orders, and of a worker.

    The worker's signatures are of another day, so the store refuses it: it claims nothing, and burns no attempt.
    """
    wrong, name = faked(request, shift), f"f21{shift}"
    with ExitStack() as ending:
        ending.enter_context(shape.frozen(*shape.names("beat")))
        roles = (extras.api, extras.worker, extras.beat)
        api, worker, beat = (ending.enter_context(role(more=wrong)) for role in roles)
        client = ending.enter_context(Client(shape, journal, name))
        eventually(lambda: beat.said("leader_elected"))
        eventually(lambda: worker.said("claims_paused"))
        upload = client.upload(files.letter(21))
        client.http.close()
        client.http = httpx.Client(base_url=api.url, timeout=60)
        job = client.order(files.letter(21), upload)
        assert client.follow(job)["status"] == "succeeded"
    assert attempts(shape, job) == ["succeeded"]
    today = str(shape.rows("SELECT now()::date AS today")[0]["today"])
    assert not beat.said(f'"timestamp":"{today}'), "its clock is another"
    assert harsh(journal) == set()
    assert shape.breaches(journal) == []


@pytest.mark.requirement("F21")
def test_a_clock_that_is_set_while_a_job_runs_costs_an_attempt_at_most(
    request: pytest.FixtureRequest, shape: Shape, extras: Extras, journal: Journal, tmp_path: Path
) -> None:
    """Ten minutes mean nothing. With an hour the store takes nothing from this worker until its clock is right."""
    told = tmp_path / "time"
    told.write_text("+0")
    wrong = faked(request, "") | {"FAKETIME_TIMESTAMP_FILE": str(told), "FAKETIME_NO_CACHE": "1"}
    wrong.pop("FAKETIME")
    ends = {}
    with shape.frozen(*shape.names("worker")), extras.worker(more=wrong):
        for n, step in enumerate(("+10m", "-10m", "-60m")):
            told.write_text("+0")
            with Client(shape, journal, f"f21{step}") as client:
                job = client.order(files.letter(n), client.upload(files.letter(n)))
                eventually(lambda: shape.stage(job) == "converting")  # noqa: B023 - asked here and now
                told.write_text(step)
                eventually(lambda: attempts(shape, job)[0] is not None)  # noqa: B023
                told.write_text("+0")
                assert client.follow(job)["status"] == "succeeded"
                ends[step] = attempts(shape, job)
    assert ends == {"+10m": ["succeeded"], "-10m": ["succeeded"], "-60m": ["retry_wait", "succeeded"]}
    assert shape.breaches(journal) == []


def faked(request: pytest.FixtureRequest, shift: str) -> dict[str, str]:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        missing(request.config, "a wrong clock needs libfaketime: apt-get install libfaketime")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


# --- callers ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F24")
def test_callers_who_hang_up_leave_nothing_open(shape: Shape, journal: Journal) -> None:
    """In the middle of sending, of a form, of a result, and of waiting."""
    with Client(shape, journal, "f24") as client:
        job = client.order(files.letter(24), client.upload(files.letter(24)))
        client.follow(job)
    before = {name: open_files(shape, name) for name in shape.names("api")}
    address = httpx.URL(shape.url)
    for n in range(40):
        with socket.create_connection((address.host, address.port), 10) as line:
            line.sendall(half_requests(job, n))
            if n % 4 == 2:
                line.recv(100)
    eventually(lambda: all(open_files(shape, name) <= before[name] + 10 for name in before))
    assert shape.breaches(journal) == []


def half_requests(job: str, n: int) -> bytes:
    host = b"Host: filewright\r\n"
    form = b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n"
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n' + b"hello " * 300
    kinds = (
        b"POST /v1/uploads HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nContent-Length: 90\r\n\r\n{",
        b"POST /v1/convert HTTP/1.1\r\n" + host + form + b"\r\n" + part,
        b"GET /v1/jobs/%s/outputs/0 HTTP/1.1\r\n" % job.encode() + host + b"\r\n",
        b"GET /v1/jobs/%s/events HTTP/1.1\r\n" % job.encode() + host + b"\r\n",
    )
    return kinds[n % len(kinds)]


def open_files(shape: Shape, name: str) -> int:
    return len(list(Path(f"/proc/{shape.identity(name).pid}/fd").iterdir()))


@pytest.mark.requirement("F26")
def test_a_hundred_changes_of_mind_race_a_hundred_results(shape: Shape, journal: Journal) -> None:
    """Each is cancelled or has succeeded; what the caller was told then is what it stays."""
    chance = random.Random(26)

    def race(n: int) -> tuple[str, int]:
        with Client(shape, journal, f"f26-{n}") as client:
            job = client.convert(files.markdown(n))
            if n % 2:
                client.follow_until_running(job)
            time.sleep(chance.uniform(0, 0.4))
            client.cancel(job)
            return client.follow(job)["status"], n

    with ThreadPoolExecutor(8) as pool:
        ends = Counter(status for status, _ in pool.map(race, range(100)))
    assert set(ends) <= {"cancelled", "succeeded"}
    assert len(ends) == 2, "both must win now and then, or nothing raced"
    assert shape.breaches(journal) == []


# --- the schema ------------------------------------------------------------------------------------------------------

NEXT = '''"""A change as releases make them: a column and an index more, and the old rows brought up to date."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("of_the_next_version", sa.String(20), nullable=True))
    op.execute("UPDATE jobs SET of_the_next_version = 'x' WHERE of_the_next_version IS NULL")
    op.create_index("ix_jobs_of_the_next_version", "jobs", ["of_the_next_version"])


def downgrade() -> None:
    op.drop_index("ix_jobs_of_the_next_version", "jobs")
    op.drop_column("jobs", "of_the_next_version")
'''
MIGRATE = """
import asyncio, sys
from pathlib import Path
from filewright.chassis.db.database import Database

async def main():
    database = Database(sys.argv[1])
    await database.migrate(Path(sys.argv[2]))
    await database.close()

asyncio.run(main())
"""


@pytest.mark.requirement("F29")
def test_the_schema_changes_under_load_and_nobody_sees_it(shape: Shape, journal: Journal, tmp_path: Path) -> None:
    """Processes of this version go on, are replaced, and begin anew on the schema of the next."""
    import filewright.converter.migrations as current

    folder = tmp_path / "migrations"
    shutil.copytree(Path(current.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    head = shape.rows("SELECT version_num FROM alembic_version")[0]["version_num"]
    (folder / "versions" / "9999_next.py").write_text(NEXT.format(head=head))
    over = threading.Event()
    try:
        with Crowd(shape, journal, at_once=4) as crowd:

            def keep_ordering(who: int) -> None:
                n = 0
                while not over.is_set():
                    crowd.send(f"f29-{who}-{n}", clients.plain(files.markdown(n))).result(120)
                    n += 1

            callers = [threading.Thread(target=keep_ordering, args=(who,)) for who in range(3)]
            for caller in callers:
                caller.start()
            try:
                eventually(lambda: len(journal.all(Accepted)) > 5)
                subprocess.run(
                    [sys.executable, "-c", MIGRATE, shape.database_url, str(folder)], check=True, timeout=120
                )
                after = len(journal.all(Accepted))
                shape.wait_for_successor(shape.kill("worker-1"))
                eventually(lambda: len(journal.all(Accepted)) > after + 5)
            finally:
                over.set()
                for caller in callers:
                    caller.join()
            crowd.all_done()
        assert (journal.all(Refused), journal.all(Unknown)) == ([], [])
        assert shape.breaches(journal) == []
    finally:
        with psycopg.connect(shape.database_url, autocommit=True) as connection:
            connection.execute("ALTER TABLE jobs DROP COLUMN IF EXISTS of_the_next_version")
            connection.execute("UPDATE alembic_version SET version_num = %s", (head,))


# --- a backlog -------------------------------------------------------------------------------------------------------

BACKLOG = 10_000
CLAIM = """
import asyncio, json, sys, time
from datetime import timedelta
from filewright.chassis.db.database import Database
from filewright.converter.jobs import repository
import filewright.converter.migrations.tables

async def main(url, name):
    database, claimed, seconds = Database(url), [], []
    while True:
        began = time.perf_counter()
        async with database.write() as session:
            now = await database.now(session)
            job = await repository.claim(
                session, now=now, worker=name, lease_for=timedelta(minutes=9), lane="standard"
            )
            found = job and job.id
        seconds.append(time.perf_counter() - began)
        if found is None:
            break
        claimed.append(found)
    await database.close()
    print(json.dumps({"claimed": claimed, "seconds": seconds}))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.requirement("F30")
def test_of_ten_thousand_jobs_that_wait_none_is_claimed_twice(
    shape: Shape, extras: Extras, journal: Journal, postgres_server: PrivatePostgres
) -> None:
    """First one worker's claims, then four at once, as when a fleet comes back after an outage."""
    world = World.beside(shape, "backlog", postgres_server)
    assert extras.migrate(world.settings) == 0
    with extras.api(more=world.settings) as api:
        world.url = api.url
        with Client(world, journal, "seed") as client:
            seed = client.order(files.markdown(30), client.upload(files.markdown(30)))
    columns = [
        row["column_name"]
        for row in world.rows(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'jobs' AND is_generated = 'NEVER'"
        )
        if row["column_name"] not in {"id", "tag"}
    ]
    copied = ", ".join(columns)
    with psycopg.connect(world.database_url, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO jobs (id, {copied}) SELECT 'job_' || lpad(n::text, 26, '0'), {copied} "
            f"FROM jobs, generate_series(1, {BACKLOG - 1}) AS n WHERE jobs.id = '{seed}'"
        )
        connection.execute(
            "INSERT INTO job_events (job_id, seq, tenant, target, actor, attempt, progress, at) "
            f"SELECT id, 1, tenant, 'queued', 'caller', 0, 0, now() FROM jobs WHERE id <> '{seed}'"
        )
        connection.execute("ANALYZE")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, world.database_url, f"claimer-{n}"], stdout=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    answers = [json.loads(process.communicate(timeout=400)[0]) for process in processes]
    claimed = [job for answer in answers for job in answer["claimed"]]
    assert len(claimed) == len(set(claimed)) == BACKLOG
    seconds = sorted(second for answer in answers for second in answer["seconds"])
    figures = {"p50": statistics.median(seconds), "p99": seconds[int(len(seconds) * 0.99)]}
    print("claims of four at once, seconds:", figures)


# --- Redis watched by sentinels --------------------------------------------------------------------------------------


@pytest.mark.requirement("F9")
def test_when_the_master_dies_under_load_the_next_one_is_written_to_and_heard(
    request: pytest.FixtureRequest,
    shape: Shape,
    extras: Extras,
    journal: Journal,
    postgres_server: PrivatePostgres,
    tmp_path: Path,
) -> None:
    """Hints are published again within five seconds, and consumed again within ten, without a hand."""
    try:
        watched = PrivateSentinel()
    except ServerMissing as error:
        missing(request.config, str(error))
        raise
    try:
        world = World.beside(shape, "watched", postgres_server, redis_url=watched.url())
        assert extras.migrate(world.settings) == 0
        settings = world.settings
        with extras.api(more=settings) as api, extras.beat(more=settings), extras.worker(more=settings, slots=2):
            world.url = api.url
            over = threading.Event()
            with Crowd(world, journal, at_once=4) as crowd:

                def keep_ordering(who: int) -> None:
                    n = 0
                    while not over.is_set():
                        crowd.send(f"sentinel-{who}-{n}", clients.plain(files.markdown(n))).result(120)
                        n += 1

                callers = [threading.Thread(target=keep_ordering, args=(who,)) for who in range(3)]
                for caller in callers:
                    caller.start()
                try:
                    eventually(lambda: len(journal.all(Accepted)) > 10)
                    old = watched.master()
                    old.signal(signal.SIGKILL)
                    died = time.monotonic()
                    new = eventually(lambda: (found := watched.master()) is not old and found)
                    watching = commands(new)
                    eventually(lambda: commands(new)["lpush"] > watching["lpush"], 60)
                    written = time.monotonic() - died
                    eventually(lambda: commands(new)["brpop"] > watching["brpop"], 60)
                    heard = time.monotonic() - died
                    eventually(lambda: len(journal.all(Accepted)) > 40)
                finally:
                    over.set()
                    for caller in callers:
                        caller.join()
                crowd.all_done()
            figures = f"published again after {written:.1f} s, consumed again after {heard:.1f} s"
            print(figures)
            assert (written <= 5, heard <= 10) == (True, True), figures
        assert (journal.all(Refused), journal.all(Unknown)) == ([], [])
        assert world.breaches(journal, tmp_path) == []
    finally:
        watched.stop()


def commands(redis) -> dict[str, int]:
    """How often a server was told these."""
    with redis.client() as client:
        told = client.info("commandstats")
    return {name: told.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("lpush", "brpop")}


@pytest.mark.requirement("F9", "F8")
def test_without_redis_a_job_begins_within_three_seconds(shape: Shape, journal: Journal) -> None:
    """Workers that are free look for themselves; what is measured is the wait of those that meet a free one."""
    with shape.frozen("redis-broker"):
        for n in range(20):
            with Client(shape, journal, f"f9-start-{n}") as client:
                client.follow(client.order(files.markdown(n), client.upload(files.markdown(n))))
    waits = shape.rows(
        "SELECT extract(epoch FROM started_at - created_at)::float AS wait FROM jobs WHERE tag LIKE 'f9-start-%%' "
        "ORDER BY 1"
    )
    figures = [row["wait"] for row in waits]
    print(f"start without hints: p50 {figures[10]:.2f} s, p95 {figures[18]:.2f} s")
    assert figures[18] <= 3.0
    assert shape.breaches(journal) == []
