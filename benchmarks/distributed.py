"""The distributed shape, measured on one machine: what a status read and an order cost, how many small files a minute
go through, what another worker adds, who waits under overload, and what is lost when Redis is.

    python benchmarks/distributed.py                   all, about fifteen minutes
    python benchmarks/distributed.py status orders     one or several of: status, orders, account, burst, workers,
                                                       lanes, redis

Starts a stack of its own on free ports (`filewright stack up`), with one API process, two workers of one slot and one
beat, and takes it down again. Requests come from a generator in a process of its own; in the open runs a latency counts
from the moment at which the request was due, so a server that falls behind cannot hide it. CPU is the kernel's count of
user and system time of each process of the stack and its children. Variants that are compared take turns.

Writes `benchmarks/distributed.json`, one entry per part, and the table in `docs/scaling.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import platform
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM, signal
from typing import Any

import httpx
import psutil
import psycopg
from PIL import Image

from filewright.chassis.clock import SystemClock
from filewright.chassis.coordination.redis_notifier import RedisNotifier
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.queue.port import PREMIUM, STANDARD
from filewright.chassis.sandbox.absent import NoSandbox
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.rules import JobRules
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.service import Jobs
from filewright.converter.tiers import LOCAL, Caller
from filewright.stack.layout import Layout
from filewright.stack.operations import Stack
from filewright.stack.state import read_state

OUT = Path(__file__).with_name("distributed.json")
PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
BEGIN, END = "<!-- benchmarks/distributed.py: begin -->", "<!-- benchmarks/distributed.py: end -->"
CONNECTIONS = 32
Point = Mapping[str, float]


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


# --- the generator, in a process of its own --------------------------------------------------------------------------


@dataclass
class Load:
    """Requests to one address, all alike but for what `vary` puts in."""

    host: str
    port: int
    heads: Sequence[bytes]
    rate: float | None
    total: int

    async def run(self) -> dict[str, Any]:
        """With a rate: each is due at its time, whether the one before has been answered or not."""
        self.next, self.latencies, self.statuses = 0, [], {}
        self.began = time.perf_counter() + 0.2
        cpu = time.process_time()
        await asyncio.gather(*(self.connection() for _ in range(CONNECTIONS)))
        seconds = time.perf_counter() - self.began
        return {
            "asked_per_second": self.rate,
            "per_second": round(self.total / seconds, 1),
            "seconds": round(seconds, 2),
            "statuses": self.statuses,
            "p50_ms": round(1000 * percentile(self.latencies, 0.5), 1),
            "p95_ms": round(1000 * percentile(self.latencies, 0.95), 1),
            "p99_ms": round(1000 * percentile(self.latencies, 0.99), 1),
            "generator_core_share": round((time.process_time() - cpu) / seconds, 2),
        }

    async def connection(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        while (number := self.next) < self.total:
            self.next += 1
            due = self.began if self.rate is None else self.began + number / self.rate
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            elif self.rate is None:
                due = time.perf_counter()
            writer.write(self.heads[number % len(self.heads)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            await reader.readexactly(length)
            self.latencies.append(time.perf_counter() - due)
            status = head[9:12].decode()
            self.statuses[status] = self.statuses.get(status, 0) + 1
        writer.close()


def get(path: str, owner: Mapping[str, str]) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in owner.items())
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{head}\r\n".encode()


@dataclass(frozen=True)
class Order:
    """A job that somebody may order, again and again."""

    address: str
    upload: str
    to: str

    def request(self, tag: str) -> bytes:
        return post_job(self.upload, self.to, tag, {"X-Forwarded-For": self.address})


def post_job(upload: str, to: str, tag: str, more: Mapping[str, str]) -> bytes:
    body = json.dumps({"inputs": [{"upload": upload}], "to": to, "tag": tag}).encode()
    known = {"Content-Type": "application/json", "Content-Length": str(len(body)), **more}
    head = "".join(f"{name}: {value}\r\n" for name, value in known.items())
    return f"POST /v1/jobs HTTP/1.1\r\nHost: bench\r\n{head}\r\n".encode() + body


def generate(port: int, heads: Sequence[bytes], *, total: int, rate: float | None = None) -> dict[str, Any]:
    """Run the generator and wait for what it saw."""
    order = {"port": port, "heads": [head.decode() for head in heads], "total": total, "rate": rate}
    done = subprocess.run(
        [sys.executable, __file__, "--generate"], input=json.dumps(order), capture_output=True, text=True, check=True
    )
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def be_the_generator() -> None:
    order = json.loads(sys.stdin.read())
    load = Load("127.0.0.1", order["port"], [head.encode() for head in order["heads"]], order["rate"], order["total"])
    print(json.dumps(asyncio.run(load.run())))


# --- the stack -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def limits_out_of_the_way() -> Iterator[None]:
    """The stack takes these tiers from its caller and keeps them: rates are counted, and never reached. What is ordered
    again is worked on again.
    """
    chosen = {
        "FILEWRIGHT_TIERS_FILE": str(Path(__file__).with_name("tiers.yaml").resolve()),
        "FILEWRIGHT_RESULT_CACHE": "false",
    }
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name in chosen:
            del os.environ[name]


class Shape:
    """A running stack, from out here."""

    def __init__(self, data: Path) -> None:
        self.layout = Layout(data)
        self.stack = Stack(data)

    @contextlib.contextmanager
    def up(self) -> Iterator[Shape]:
        with limits_out_of_the_way():
            self.stack.up({"api": 1, "worker": 2, "beat": 1}, slots=1)
        try:
            self.make_samples()
            yield self
        finally:
            self.stack.down(erase=True)

    # --- its processes -----------------------------------------------------------------------------------------------

    @property
    def pids(self) -> dict[str, int]:
        known = read_state(self.layout).processes
        return {name: process.identity.pid for name, process in known.items() if process.identity is not None}

    def cpu(self) -> dict[str, float]:
        """Seconds used until now by each service, its children included."""
        return {name: tree_cpu(pid) for name, pid in self.pids.items()}

    @contextlib.contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        pids = [pid for name, pid in self.pids.items() if name in names]
        for pid in pids:
            os.kill(pid, SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, SIGCONT)

    @property
    def api(self) -> int:
        return self.layout.memory().ports["api-1"]

    # --- its database ------------------------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        port, password = self.layout.memory().ports["postgres"], self.layout.secrets().database
        url = f"postgresql://filewright:{password}@127.0.0.1:{port}/filewright"
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type] # our own queries

    @property
    def settings(self) -> dict[str, str]:
        lines = self.layout.settings_file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def wait_until_idle(self) -> None:
        live = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running', 'retry_wait', 'cancelling')"
        while self.rows(live)[0][0]:
            time.sleep(0.2)

    # --- work --------------------------------------------------------------------------------------------------------

    def make_samples(self) -> None:
        """Half tables, a third photos, the rest drawings: small files, as most are."""
        photo, drawing = io.BytesIO(), io.BytesIO()
        Image.effect_mandelbrot((320, 240), (-3, -2.5, 2, 2.5), 60).convert("RGB").save(photo, "JPEG")
        Image.radial_gradient("L").resize((200, 200)).save(drawing, "PNG")
        table = "id,name,amount\n" + "".join(f"{n},name {n},{n * 1.5}\n" for n in range(100))
        files = (
            ("table.csv", table.encode(), "json"),
            ("photo.jpg", photo.getvalue(), "webp"),
            ("d.png", drawing.getvalue(), "jpg"),
        )
        table_file, photo_file, drawing_file = files
        self.files = (table_file, photo_file, table_file, drawing_file, table_file, photo_file)
        self.mix: list[Order] = []

    def people(self, count: int) -> Sequence[Order]:
        """So many callers, each behind an address of its own and with a file of its own: one may only have 20 jobs."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self.api}", timeout=60) as client:
            while len(self.mix) < count:
                number = len(self.mix)
                name, data, to = self.files[number % len(self.files)]
                client.headers["X-Forwarded-For"] = address = f"10.1.{number // 250}.{number % 250 + 1}"
                announced = client.post("/v1/uploads", json={"filename": name, "bytes": len(data)}).raise_for_status()
                path = f"/v1/uploads/{announced.json()['id']}"
                client.put(path, content=data).raise_for_status()
                upload = client.post(f"{path}/complete").raise_for_status().json()["id"]
                self.mix.append(Order(address, upload, to))
        return self.mix[:count]

    def keyholder(self) -> tuple[Mapping[str, str], list[str]]:
        """Somebody with an account and an API key, and jobs of theirs that are over."""
        word = secrets.token_hex(8)
        who = {"email": f"bench.{word}@example.com", "password": f"rather long and unheard of {word}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{self.api}", timeout=60) as client:
            client.post("/v1/auth/register", json=who).raise_for_status()
            token = client.post("/v1/auth/login", json=who).raise_for_status().json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            scopes = ["jobs:read", "jobs:write", "uploads:write"]
            made = client.post("/v1/api-keys", json={"scopes": scopes}).raise_for_status().json()
            client.headers["Authorization"] = f"Bearer {made['key']}"
            jobs = []
            for name, data, to in self.files:
                answer = client.post("/v1/convert", files={"file": (name, data)}, data={"to": to}).raise_for_status()
                jobs.append(answer.headers["link"].partition(">")[0].rpartition("/")[2])
            return {"Authorization": client.headers["Authorization"]}, jobs

    def upload(self, owner: Mapping[str, str]) -> str:
        """A small table of theirs."""
        name, data, _ = self.files[0]
        with httpx.Client(base_url=f"http://127.0.0.1:{self.api}", timeout=60, headers=dict(owner)) as client:
            announced = client.post("/v1/uploads", json={"filename": name, "bytes": len(data)}).raise_for_status()
            path = f"/v1/uploads/{announced.json()['id']}"
            client.put(path, content=data).raise_for_status()
            return str(client.post(f"{path}/complete").raise_for_status().json()["id"])

    @contextlib.contextmanager
    def apart(self) -> Iterator[bool]:
        """The API process has a core to itself, and all others, the generator too, share what is left."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            yield False
            return
        first, rest = cores[:1], cores[1:]
        try:
            os.sched_setaffinity(0, rest)  # the generator inherits it
            for name, pid in self.pids.items():
                pin(pid, first if name == "api-1" else rest)
            yield True
        finally:
            os.sched_setaffinity(0, cores)
            for pid in self.pids.values():
                pin(pid, cores)

    def order(self, total: int, *, rate: float | None = None, tag: str = "bench") -> dict[str, Any]:
        """So many jobs of the mix."""
        asked = [item.request(tag) for item in self.people(max(len(self.files), -(-total // 15)))]
        return generate(self.api, asked, total=total, rate=rate)

    def worked(self, tag: str) -> dict[str, Any]:
        """What became of the jobs with that tag."""
        counted = "SELECT count(*), count(*) FILTER (WHERE state = 'succeeded'), min(started_at), max(finished_at)"
        count, succeeded, first, last = self.rows(f"{counted} FROM jobs WHERE tag = %s", tag)[0]
        seconds = (last - first).total_seconds()
        waits = [
            row[0]
            for row in self.rows(
                "SELECT extract(epoch FROM started_at - created_at)::float FROM jobs WHERE tag = %s", tag
            )
        ]
        return {
            "jobs": count,
            "succeeded": succeeded,
            "seconds": round(seconds, 1),
            "per_minute": round(60 * count / seconds),
            "start_p50_s": round(percentile(waits, 0.5), 3),
            "start_p95_s": round(percentile(waits, 0.95), 3),
        }

    def pace(self, tag: str) -> int:
        """Jobs a minute with that tag, from the end of the first eighth to the end of the seventh.

        At either edge not all workers are at work: one has to find out first, one has nothing left.
        """
        found = self.rows("SELECT finished_at FROM jobs WHERE tag = %s ORDER BY finished_at", tag)
        edge = len(found) // 8
        first, last = found[edge][0], found[-edge - 1][0]
        return round(60 * (len(found) - 2 * edge - 1) / (last - first).total_seconds())


def tree_cpu(pid: int) -> float:
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def pin(pid: int, cores: Sequence[int]) -> None:
    """The process, its threads and its children run there and nowhere else."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                for thread in process.threads():
                    os.sched_setaffinity(thread.id, cores)


def own_cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def milliseconds_each(before: Mapping[str, float], after: Mapping[str, float], count: int) -> dict[str, float]:
    used = {name: 1000 * (after[name] - before.get(name, 0.0)) / count for name in after}
    return {name: round(value, 2) for name, value in sorted(used.items()) if value >= 0.01}


# --- the parts -------------------------------------------------------------------------------------------------------


def status(shape: Shape) -> dict[str, Any]:
    """`GET /v1/jobs/{id}` of jobs that are over, by an API key: at 1,000 a second, and as fast as it goes.

    The API process has one core, the generator and all else the others. What the kernel counted for the API process is
    beside each rate: where the others have too little, that says what its core would have done.
    """
    owner, jobs = shape.keyholder()
    heads = [get(f"/v1/jobs/{job}", owner) for job in jobs]
    pid = shape.pids["api-1"]
    rounds = []
    with shape.apart() as apart:
        generate(shape.api, heads, total=1_000)
        for rate in (1000.0, None, 1000.0, None):
            all_before, before, total = shape.cpu(), own_cpu(pid), 8_000
            seen = generate(shape.api, heads, total=total, rate=rate)
            rounds.append({**seen, **_spent(shape, pid, before, all_before, total)})
    return {"core_of_its_own": apart, **_per_core(rounds, "request"), "rounds": rounds}


def _spent(shape: Shape, pid: int, before: float, all_before: Mapping[str, float], total: int) -> dict[str, Any]:
    used = 1e6 * (own_cpu(pid) - before) / total
    return {"cpu_us": round(used), "stack_ms_each": milliseconds_each(all_before, shape.cpu(), total)}


def _per_core(rounds: Sequence[Mapping[str, Any]], what: str) -> dict[str, Any]:
    """By the processor time; and what was seen where nothing but the service set the pace."""
    cpu = statistics.median(found["cpu_us"] for found in rounds)
    seen = [found["per_second"] for found in rounds if found["asked_per_second"] is None]
    return {
        f"cpu_us_per_{what}": cpu,
        f"{what}s_per_second_and_core": round(1e6 / cpu),
        f"{what}s_per_second_seen": round(statistics.median(seen)),
    }


def orders(shape: Shape) -> dict[str, Any]:
    """`POST /v1/jobs`, each durable before it is answered, while no worker takes any; cores as in `status`."""
    pid, rounds, total = shape.pids["api-1"], [], 500
    shape.people(-(-total // 15))
    for number in range(3):
        with shape.frozen("worker-1", "worker-2"), shape.apart() as apart:
            all_before, before = shape.cpu(), own_cpu(pid)
            seen = shape.order(total, tag=f"orders {number}")
            rounds.append({**seen, **_spent(shape, pid, before, all_before, total)})
        worked_before = shape.cpu()
        shape.wait_until_idle()
        rounds[-1]["worked"] = {
            **shape.worked(f"orders {number}"),
            "stack_ms_each": milliseconds_each(worked_before, shape.cpu(), total),
        }
    return {
        "core_of_its_own": apart,
        "conversions_per_minute": statistics.median(found["worked"]["per_minute"] for found in rounds),
        **_per_core(rounds, "order"),
        "rounds": rounds,
    }


def account(shape: Shape, total: int = 500) -> dict[str, Any]:
    """`POST /v1/jobs` of one file by one account's API key, without and with an `Idempotency-Key`, in turns; else as
    `orders`.
    """
    pid, (owner, _) = shape.pids["api-1"], shape.keyholder()
    upload = shape.upload(owner)
    rounds: dict[str, list[dict[str, Any]]] = {"plain": [], "keyed": []}
    for number in range(6):
        kind = ("plain", "keyed")[number % 2]
        asked = [
            post_job(upload, "json", f"account {number}", {**owner, **(_fresh_key() if kind == "keyed" else {})})
            for _ in range(total)
        ]
        with shape.frozen("worker-1", "worker-2"), shape.apart():
            all_before, before = shape.cpu(), own_cpu(pid)
            seen = generate(shape.api, asked, total=total)
            rounds[kind].append({**seen, **_spent(shape, pid, before, all_before, total)})
        shape.wait_until_idle()
    return {kind: {**_per_core(found, "order"), "rounds": found} for kind, found in rounds.items()}


def _fresh_key() -> Mapping[str, str]:
    return {"Idempotency-Key": secrets.token_hex(12)}


def burst(shape: Shape, total: int = 5_000) -> dict[str, Any]:
    """So many accepted at once; all of them finish, as fast as this machine can."""
    before = shape.cpu()
    seen = shape.order(total, tag="burst")
    shape.wait_until_idle()
    return {"accepted": seen, **shape.worked("burst"), "stack_ms_each": milliseconds_each(before, shape.cpu(), total)}


def workers(shape: Shape, jobs: int = 80, turns: int = 4) -> dict[str, Any]:
    """A backlog with one worker, and twice that with two, in turns; after one turn of each that does not count.

    Here PostgreSQL, the API and the store live on the cores that a second worker would need. So each worker gets a
    share of a core and no more, small enough that cores last for both and all the rest. What a job cost, of the workers
    and of each of the others, is beside it: a second worker that makes jobs dearer is the product's fault; one that has
    to wait for the others' answers, the machine's.
    """
    found: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    with limited(shape.pids, "worker-1", "worker-2", share=_SHARE) as share:
        for number in range(2 * turns + 2):
            count = number % 2 + 1
            seen = _backlog(shape, count, jobs * count, tag=f"workers {number}")
            if number > 1:
                found[count].append(seen)
    one, two = (statistics.median(seen["per_minute"] for seen in found[count]) for count in (1, 2))
    return {
        "share_of_a_core_each": share,
        "one_per_minute": one,
        "two_per_minute": two,
        "linear": round(two / one / 2, 3),
        "rounds": {str(count): seen for count, seen in found.items()},
    }


def _backlog(shape: Shape, count: int, jobs: int, *, tag: str) -> dict[str, Any]:
    """So many jobs, which wait before so many workers begin."""
    idle = ("worker-2",) if count == 1 else ()
    with shape.frozen("worker-1", "worker-2"):
        shape.order(jobs, tag=tag)
    with shape.frozen(*idle):
        before = shape.cpu()
        shape.wait_until_idle()
        cost = milliseconds_each(before, shape.cpu(), jobs)
    workers = sum(value for name, value in cost.items() if name.startswith("worker"))
    return {"per_minute": shape.pace(tag), "workers_ms_each": round(workers, 2), "stack_ms_each": cost}


_SHARE = 0.3
_PERIOD = 200_000
"""Microseconds in which a share is given. What a worker spends waiting for others must find room in the rest of it."""
_CPU_GROUPS = Path("/sys/fs/cgroup/cpu")


@contextlib.contextmanager
def limited(pids: Mapping[str, int], *names: str, share: float) -> Iterator[float | None]:
    """Each of these, with all its children, gets that share of a core; None where control groups cannot do it."""
    groups = [_CPU_GROUPS / f"filewright-bench-{os.getpid()}-{name}" for name in names]
    try:
        for group in groups:
            group.mkdir()
    except OSError:
        yield None
        return
    try:
        for name, group in zip(names, groups, strict=True):
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(int(_PERIOD * share)))
            root = psutil.Process(pids[name])
            for process in (root, *root.children(recursive=True)):
                (group / "cgroup.procs").write_text(str(process.pid))
        yield share
    finally:
        for group in groups:
            for pid in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):  # it has just ended
                    (_CPU_GROUPS / "cgroup.procs").write_text(pid)
            with contextlib.suppress(OSError):  # a child that ends in this moment still holds it
                group.rmdir()


def lanes(shape: Shape, seconds: float = 30.0) -> dict[str, Any]:
    """Both classes at 120 % of what the workers manage, a quarter of it premium; how long each waits to be started."""
    with shape.frozen("worker-1", "worker-2"):
        shape.order(120, tag="capacity")
    shape.wait_until_idle()
    capacity = shape.worked("capacity")["per_minute"] / 60
    asyncio.run(_order_in_lanes(shape, 1.2 * capacity, seconds))
    began, over = shape.rows("SELECT min(created_at), max(created_at) FROM jobs WHERE tag = 'lanes'")[0]
    shape.wait_until_idle()
    answer: dict[str, Any] = {
        "capacity_per_minute": round(60 * capacity),
        "asked_per_minute": round(72 * capacity),
        "seconds": (over - began).total_seconds(),
    }
    for lane in (PREMIUM, STANDARD):
        wanted = "SELECT extract(epoch FROM started_at - created_at)::float, finished_at <= %s FROM jobs"
        rows = shape.rows(f"{wanted} WHERE tag = 'lanes' AND lane = %s", over, lane)
        waits = [row[0] for row in rows]
        answer[lane] = {
            "jobs": len(rows),
            "p50_s": round(percentile(waits, 0.5), 2),
            "p95_s": round(percentile(waits, 0.95), 2),
            "finished_meanwhile": sum(row[1] for row in rows),
        }
    answer["premium_share_of_standard_p95"] = round(answer[PREMIUM]["p95_s"] / answer[STANDARD]["p95_s"], 3)
    return answer


async def _order_in_lanes(shape: Shape, rate: float, seconds: float) -> None:
    """Straight at the service: no address gives a class of its own yet."""
    settings, chance, clock = shape.settings, random.Random(11), SystemClock()
    database = Database(settings["FILEWRIGHT_DATABASE_URL"])
    notifier = RedisNotifier(settings["FILEWRIGHT_REDIS_URL"])
    planner = Converter(Registry(standard_engines()), NoSandbox())

    class Known:
        """Uploads of the mix, which are complete."""

        async def artifact_of_upload(self, session: Any, tenant: str, upload_id: str) -> Any:
            from filewright.converter.artifacts.models import artifact_of
            from filewright.converter.uploads import statements

            (row,) = await session.ask(statements.UPLOAD, of_upload=upload_id, of_tenant=tenant)
            return artifact_of(row, "its_")

        def remembered(self, tenant: str, upload_id: str) -> Any:
            return None

    async def nothing(_job: str) -> None:
        return

    jobs = {
        lane: Jobs(
            database=database, sources=Known(), files=None, planner=planner, notifier=notifier, ids=RandomIds(clock),
            sealer=Sealer(secrets.token_bytes(32)), erase_files=nothing, rules=JobRules(lane=lane),
        )  # type: ignore[arg-type] # no file is read here
        for lane in (PREMIUM, STANDARD)
    }  # fmt: skip
    due, number = time.perf_counter(), 0
    over = due + seconds
    while due < over:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        order = shape.mix[number % len(shape.mix)]
        lane = PREMIUM if chance.random() < 0.25 else STANDARD
        caller = Caller(f"ip:{order.address}", LOCAL)
        await jobs[lane].submit(caller, JobOrder((JobInput(upload=order.upload),), to=order.to, tag="lanes"))
        due += chance.expovariate(rate)
        number += 1
    await notifier.close()
    await database.close()


def redis(shape: Shape, seconds: float = 12.0) -> dict[str, Any]:
    """Orders at two thirds of capacity with Redis and without, in turns: what is finished, and how soon it starts."""
    with shape.frozen("worker-1", "worker-2"):
        shape.order(100, tag="capacity for redis")
    shape.wait_until_idle()
    rate = shape.worked("capacity for redis")["per_minute"] / 90
    rounds: dict[str, list[dict[str, Any]]] = {"there": [], "gone": []}
    for number in range(4):
        kind = ("there", "gone")[number % 2]
        tag = f"redis {kind} {number}"
        away = (
            [name for name in shape.pids if name.startswith("redis") and "cache" not in name] if kind == "gone" else []
        )
        with shape.frozen(*away):
            seen = shape.order(int(rate * seconds), rate=rate, tag=tag)
            shape.wait_until_idle()
        rounds[kind].append({"accepted": seen["statuses"], **shape.worked(tag)})
        time.sleep(3)
    there, gone = (statistics.median(item["per_minute"] for item in rounds[kind]) for kind in ("there", "gone"))
    start = max(item["start_p95_s"] for item in rounds["gone"])
    return {"throughput_share": round(gone / there, 3), "start_p95_s_without": start, "rounds": rounds}


PARTS: Mapping[str, Callable[[Shape], dict[str, Any]]] = {
    "status": status,
    "orders": orders,
    "account": account,
    "workers": workers,
    "redis": redis,
    "lanes": lanes,
    "burst": burst,
}


# --- the report ------------------------------------------------------------------------------------------------------


def conditions() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "cores": os.cpu_count(),
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def keep(name: str, found: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {}
    kept[name] = {"conditions": conditions(), **found}
    OUT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    return kept


def write_page(kept: Mapping[str, Any]) -> None:
    """The section of `docs/scaling.md` between its two marks, from what was measured last."""
    lines = [BEGIN, "", "| what | found | wanted | measured |", "| --- | --- | --- | --- |"]
    for what, found, wanted, at in _findings(kept):
        lines.append(
            f"| {what} | {found} | {wanted} | {at['at'][:16].replace('T', ' ')}, load {at['load_average'][0]} |"
        )
    section = "\n".join([*lines, "", END])
    page = PAGE.read_text() if PAGE.exists() else f"# Scaling\n\n{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(before + section + rest.partition(END)[2])


def _findings(kept: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    if found := kept.get("status"):
        paced = [item for item in found["rounds"] if item["asked_per_second"]]
        p95 = statistics.median(item["p95_ms"] for item in paced)
        at = found["conditions"]
        got = statistics.median(item["per_second"] for item in paced)
        what = "`GET /v1/jobs/{id}` with an API key, CPU of the API process"
        yield what, f"{found['cpu_us_per_request']:.0f} µs", "< 700 µs", at
        yield "the same, as requests a second and core", str(found["requests_per_second_and_core"]), "≥ 1,000", at
        if "requests_per_second_seen" in found:
            yield "as many as go through, the others on one core", str(found["requests_per_second_seen"]), "", at
        yield "asked for 1,000 a second: how many it were", f"{got:.0f}", "", at
        yield "its p95 at 1,000 a second, from when each was due", f"{p95} ms", "< 200 ms", at
    if found := kept.get("orders"):
        at = found["conditions"]
        cpu = f"{found['cpu_us_per_order']:.0f} µs"
        yield "`POST /v1/jobs`, durable, CPU of the API process", cpu, "< 2,000 µs", at
        yield "the same, as orders a second and core", str(found["orders_per_second_and_core"]), "≥ 500", at
        if "orders_per_second_seen" in found:
            yield "as many as go through, all others on one core", str(found["orders_per_second_seen"]), "", at
        yield (
            "conversions of the mix a minute, two workers of one slot",
            str(found["conversions_per_minute"]),
            "≥ 1,000",
            at,
        )
    if found := kept.get("account"):
        at = found["conditions"]
        for kind, said in (("plain", ""), ("keyed", ", each with an `Idempotency-Key`")):
            cpu = f"{found[kind]['cpu_us_per_order']:.0f} µs"
            yield f"the same by one account's API key{said}", cpu, "< 2,000 µs", at
    if found := kept.get("workers"):
        what = "two workers instead of one, as a share of twice"
        if found.get("share_of_a_core_each"):
            what += f" (each held to {found['share_of_a_core_each']} of a core, so that two cores last)"
        yield what, str(found["linear"]), "≥ 0.9", found["conditions"]
    if found := kept.get("lanes"):
        share, moved = found["premium_share_of_standard_p95"], found[STANDARD]["finished_meanwhile"]
        yield "p95 of premium's wait, as a share of standard's, at 120 %", str(share), "≤ 0.25", found["conditions"]
        yield "standard jobs finished meanwhile", str(moved), "> 0", found["conditions"]
    if found := kept.get("redis"):
        yield "throughput without Redis, as a share", str(found["throughput_share"]), "≥ 0.9", found["conditions"]
        yield "p95 of the start without Redis", f"{found['start_p95_s_without']} s", "≤ 3 s", found["conditions"]
    if found := kept.get("burst"):
        done = f"{found['succeeded']} of {found['jobs']}, {found['per_minute']} a minute"
        yield "jobs accepted at once that succeeded", done, "all", found["conditions"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--data", type=Path, help="where the stack lives (a new directory)")
    parser.add_argument("--generate", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.generate:
        be_the_generator()
        return
    signal(SIGTERM, lambda *_: sys.exit(1))  # so that the stack is taken down
    with (
        tempfile.TemporaryDirectory(prefix="filewright-bench-") as folder,
        Shape(options.data or Path(folder) / "stack").up() as shape,
    ):
        for name in options.parts or PARTS:
            found = PARTS[name](shape)
            print(name, json.dumps({**found, "conditions": conditions()}, indent=1), flush=True)
            write_page(keep(name, found))


if __name__ == "__main__":
    main()
