"""The data tier, measured: stale reads with replay stopped at random, 1,000 clients on 25 connections, the price of
writing requests down.

    python benchmarks/data_tier.py             all, about three minutes
    python benchmarks/data_tier.py replicas    one of: replicas, pooler, requests, contents

Private servers on free loopback ports; nothing of the machine's own is touched. Writes `benchmarks/data_tier.json`, and
with all four known, the section of `docs/scaling.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text, update
from sqlalchemy.exc import NoResultFound

from filewright.chassis.clock import SystemClock
from filewright.chassis.db import horizon
from filewright.chassis.db.database import Database, ReadSession
from filewright.chassis.db.horizon import Horizon
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.conformance.database import Note, SuiteBase
from filewright.chassis.testing.servers.postgres import PrivatePgBouncer, PrivatePostgres, PrivateReplica
from filewright.chassis.web.request_log import Recorded, RequestLog
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.maintenance.partitions import Partitions, partitioned
from filewright.converter.migrations import LOCATION
from filewright.converter.tiers import LOCAL, Caller
from filewright.converter.uploads.service import Uploads

OUT = Path(__file__).with_name("data_tier.json")
PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
BEGIN, END = "<!-- data tier -->", "<!-- end of data tier -->"


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def milliseconds(values: list[float]) -> dict[str, float]:
    return {
        name: round(1000 * percentile(values, share), 2) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


# --- replicas --------------------------------------------------------------------------------------------------------


class Client:
    """Sends back the greatest token it has got. `naive`: believes any replica, as a router without positions does."""

    def __init__(self, database: Database, *, naive: bool) -> None:
        self.database = database
        self.naive = naive
        self.token = 0

    async def write(self, key: str, value: int) -> None:
        with horizon.within(Horizon()) as seeing:
            async with self.database.write() as session:
                await session.execute(update(Note).where(Note.id == key).values(seq=value))
            await self.keep(seeing)

    async def look(self, key: str) -> int:
        with horizon.within(Horizon(0 if self.naive else self.token)) as seeing:

            async def work(session: ReadSession) -> int:
                return (await session.get_one(Note, key)).seq

            found = await self.database.look(work)
            await self.keep(seeing)
            return found

    async def keep(self, seeing: Horizon) -> None:
        position = max(seeing.reached, await self.database.position() if seeing.on_primary else 0)
        self.token = max(self.token, position)


async def storm(
    database: Database, replicas: list[PrivateReplica], *, reads: int, clients: int, naive: bool, seed: int
) -> dict[str, Any]:
    chance = random.Random(seed)
    over = asyncio.Event()
    left, stale_own, stale_seen = reads, 0, 0
    seen: dict[tuple[int, str], int] = {}
    latencies: list[float] = []
    pauses = 0

    async def disturb() -> None:
        nonlocal pauses
        while not over.is_set():
            replica = chance.choice(replicas)
            pause = chance.random() < 0.4
            pauses += pause
            await asyncio.to_thread(replica.pause if pause else replica.resume)
            await asyncio.sleep(chance.random() * 0.1)

    async def one(number: int) -> None:
        nonlocal left, stale_own, stale_seen
        client, mine, wrote = Client(database, naive=naive), f"client-{number}", 0
        while left > 0:
            left -= 1
            if chance.random() < 0.1:
                wrote += 1
                await client.write(mine, wrote)
            key = mine if chance.random() < 0.5 else f"client-{chance.randrange(clients)}"
            began = time.perf_counter()
            try:
                found = await client.look(key)
            except NoResultFound:
                found = -1
            latencies.append(time.perf_counter() - began)
            if key == mine:
                stale_own += found < wrote
            stale_seen += found < seen.get((number, key), -1)
            seen[number, key] = max(found, seen.get((number, key), -1))

    async with database.write() as session:
        await session.execute(text("DELETE FROM suite_note"))
        await session.execute(insert(Note.__table__), [{"id": f"client-{n}", "seq": 0} for n in range(clients)])
    before = [replica["answered"] for replica in database.facts()["replicas"]]
    disturbing = asyncio.create_task(disturb())
    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(clients)))
    seconds = time.perf_counter() - began
    over.set()
    await disturbing
    for replica in replicas:
        replica.resume()
    answered = sum(item["answered"] for item in database.facts()["replicas"]) - sum(before)
    return {
        "reads": len(latencies),
        "clients": clients,
        "pauses": pauses,
        "stale_own_writes": stale_own,
        "went_back_in_time": stale_seen,
        "on_replicas_percent": round(100 * answered / len(latencies), 1),
        "reads_per_second": round(len(latencies) / seconds),
        "milliseconds": milliseconds(latencies),
    }


def summed(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """What counts, over all rounds."""
    counted = ("reads", "pauses", "stale_own_writes", "went_back_in_time")
    return {
        way: {name: sum(item[way][name] for item in rounds) for name in counted}
        for way in ("with_tokens", "without_asking_positions")
    }


async def lag(database: Database, replica: PrivateReplica, writes: int = 300) -> dict[str, float]:
    """From a commit's return to the replica's having it."""
    reader = Database(replica.url("postgres"), pool_size=2)
    reached = text("SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint")
    waited = []
    for number in range(writes):
        async with database.write() as session:
            await session.execute(update(Note).where(Note.id == "client-0").values(seq=number))
        began, wanted = time.perf_counter(), await database.position()
        while True:
            async with reader.read() as session:
                if (await session.execute(reached)).scalar_one() >= wanted:
                    break
        waited.append(time.perf_counter() - began)
    await reader.close()
    return milliseconds(waited)


async def replicas(reads: int, seed: int) -> dict[str, Any]:
    primary = PrivatePostgres(max_connections="120")
    copies = []
    try:
        bare = Database(primary.url("postgres"))
        async with bare.write() as session:
            await (await session.connection()).run_sync(SuiteBase.metadata.create_all)
        await bare.close()
        copies = [PrivateReplica(primary, max_connections="120") for _ in range(2)]
        database = Database(primary.url("postgres"), pool_size=16, replicas=[copy.url("postgres") for copy in copies])
        found = {
            "with_tokens": await storm(database, copies, reads=reads, clients=32, naive=False, seed=seed),
            "without_asking_positions": await storm(
                database, copies, reads=reads // 10, clients=32, naive=True, seed=seed
            ),
            "undisturbed_lag_milliseconds": await lag(database, copies[0]),
        }
        await database.close()
        return found
    finally:
        for copy in copies:
            copy.stop()
        primary.stop()


# --- the pooler ------------------------------------------------------------------------------------------------------


async def pooler(transactions: int = 20) -> dict[str, Any]:
    postgres = PrivatePostgres()
    bouncer = None
    try:
        bouncer = PrivatePgBouncer(postgres, pool_size=25, clients=1100)
        databases = [Database(bouncer.url("postgres"), pool_size=8) for _ in range(125)]
        ready, few, errors, most = asyncio.Barrier(1000), asyncio.Semaphore(40), 0, 0
        latencies: list[float] = []

        async def client(database: Database) -> None:
            nonlocal errors
            async with AsyncExitStack() as opened:
                async with few:  # or this one process is not quick enough to answer 1,000 greetings
                    connection = await opened.enter_async_context(database._reader.connect())  # noqa: SLF001 - for all its life
                await ready.wait()
                for _ in range(transactions):
                    began = time.perf_counter()
                    try:
                        await connection.execute(text("SELECT count(*) FROM pg_class"))
                        await connection.rollback()
                    except Exception:
                        errors += 1
                    latencies.append(time.perf_counter() - began)

        async def watch() -> None:
            nonlocal most
            import psycopg

            counted = (
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            async with await psycopg.AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as connection:
                while True:
                    row = await (await connection.execute(counted)).fetchone()
                    most = max(most, row[0] if row else 0)
                    await asyncio.sleep(0.05)

        watching = asyncio.create_task(watch())
        began = time.perf_counter()
        await asyncio.gather(*(client(database) for database in databases for _ in range(8)))
        seconds = time.perf_counter() - began
        watching.cancel()
        for database in databases:
            await database.close()
        return {
            "clients": 1000,
            "transactions": len(latencies),
            "errors": errors,
            "most_server_connections": most,
            "transactions_per_second": round(len(latencies) / seconds),
            "milliseconds": milliseconds(latencies),
            "note": "1,000 clients in a closed loop in one process: what they wait for is mostly that process",
        }
    finally:
        if bouncer is not None:
            bouncer.stop()
        postgres.stop()


# --- writing requests down -------------------------------------------------------------------------------------------


async def requests(rounds: int = 20_000) -> dict[str, Any]:
    postgres = PrivatePostgres()
    try:
        database = Database(postgres.url("postgres"))
        await database.migrate(LOCATION)
        await Partitions(database, Metrics(), partitioned()).run_once()
        log = RequestLog(database, SystemClock(), Metrics(), most=rounds + 1)

        class Route:
            path = "/v1/jobs/{job_id}"

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["state"], scope["route"] = {"tenant": "ip:203.0.113.7", "request_id": "req_0123456789abcdef"}, Route
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x" * 700})

        async def send(message: Any) -> None: ...

        async def cost(application: Callable[..., Awaitable[None]]) -> float:
            headers = [
                (b"host", b"127.0.0.1"),
                (b"accept", b"*/*"),
                (b"user-agent", b"curl/8"),
                (b"authorization", b"Bearer x"),
            ]
            began = time.process_time()
            for _ in range(rounds):
                scope = {"type": "http", "method": "GET", "path": "/v1/jobs/job_1", "headers": headers}
                await application(scope, send, send)
            return 1e6 * (time.process_time() - began) / rounds

        bare = min([await cost(app) for _ in range(3)])
        began = await cost(Recorded(app, log))
        written, cpu, wall = 0, time.process_time(), time.perf_counter()
        while count := await log.write_once():
            written += count
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        async with database.read() as session:
            size = await session.scalar(
                text(
                    "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
                    "WHERE inhparent = 'api_requests'::regclass"
                )
            )
        await database.close()
        return {
            "on_the_path_cpu_microseconds": round(began - bare, 2),
            "written_cpu_microseconds_each": round(1e6 * cpu / written, 1),
            "written_per_second": round(written / wall),
            "bytes_on_disk_each": round(int(size or 0) / written),
        }
    finally:
        postgres.stop()


# --- one content, stored once ----------------------------------------------------------------------------------------


async def contents(rounds: int = 600) -> dict[str, Any]:
    """Uploads a second through the service, below HTTP, on each database: all different, all equal."""
    postgres = PrivatePostgres()
    found: dict[str, Any] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, url in (("sqlite", f"sqlite:///{folder}/a.db"), ("postgresql", postgres.url("postgres"))):
                database = Database(url, pool_size=16)
                await database.migrate(LOCATION)
                found[name] = await _uploads(database, Path(folder) / name, rounds)
                await database.close()
        return found
    finally:
        postgres.stop()


async def _uploads(database: Database, folder: Path, rounds: int) -> dict[str, Any]:
    (folder / "scratch").mkdir(parents=True)
    ids = RandomIds(SystemClock())
    store = open_store(f"file://{folder / 'objects'}")
    artifacts = Artifacts(database, store, ids)
    uploads = Uploads(database=database, store=store, artifacts=artifacts, ids=ids, scratch=folder / "scratch")
    content, caller, found = os.urandom(20_000), Caller("me", LOCAL), {}

    async def put(body: bytes) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield body

        await uploads.receive(caller, "a.bin", chunks())

    for name, bodies in (
        ("different", [content + number.to_bytes(4, "big") for number in range(rounds)]),
        ("equal", [content] * rounds),
    ):
        waiting = list(bodies)

        async def client(waiting: list[bytes] = waiting) -> None:
            while waiting:
                await put(waiting.pop())

        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(client() for _ in range(8)))
        found[f"{name}_per_second"] = round(rounds / (time.perf_counter() - wall))
        found[f"{name}_cpu_milliseconds_each"] = round(1000 * (time.process_time() - cpu) / rounds, 2)
    found["objects_for_1200_uploads"] = len([item.key async for item in store.list("uploads")])
    return found


# --- what is told ----------------------------------------------------------------------------------------------------


def section(known: dict[str, Any]) -> str:
    """The page's section, from what was measured."""
    storm, pool, log, once = (known[name] for name in ("replicas", "pooler", "requests", "contents"))
    told, naive = storm["all_rounds"]["with_tokens"], storm["all_rounds"]["without_asking_positions"]
    first = [item["with_tokens"] for item in storm["rounds"]]
    share = sum(item["on_replicas_percent"] * item["reads"] for item in first) / told["reads"]
    lags = [item["undisturbed_lag_milliseconds"] for item in storm["rounds"]]
    return f"""{BEGIN}
## The data tier

*Made by `benchmarks/data_tier.py`; {known["when"]}, {known["machine"]["cores"]} cores shared with other work, Python {known["machine"]["python"]}, PostgreSQL
15 with `fsync` off, PgBouncer 1.18, all on one machine. Counts of errors hold anywhere; times are upper bounds.*

**Reads on replicas.** 32 clients write and read their own and each other's rows through a primary and two streaming replicas, while replay is stopped and resumed at random on either; every read is compared with what
its client has written and seen before ({len(storm["rounds"])} rounds, each with its seed).

| | reads | stops of replay | own writes not seen | went back in time |
|---|---|---|---|---|
| with tokens | {told["reads"]:,} | {told["pauses"]:,} | **{told["stale_own_writes"]}** | **{told["went_back_in_time"]}** |
| the same, positions not asked (to see that the test can fail) | {naive["reads"]:,} | {naive["pauses"]:,} | {naive["stale_own_writes"]:,} | {naive["went_back_in_time"]:,} |

{share:.0f} % of the reads were answered by a replica although one or both stood still much of the time; the rest by the primary. Undisturbed, a commit was readable on a replica after {lags[0]["p50"]} ms (median) and
{max(item["p95"] for item in lags)} ms (worst p95 of the rounds).

**1,000 clients through PgBouncer** (transaction mode, `default_pool_size` 25; 125 pools of 8 as 125 processes would have them): {pool["transactions"]:,} transactions, **{pool["errors"]} errors**, never more than
**{pool["most_server_connections"]}** connections on PostgreSQL; {pool["transactions_per_second"]:,} a second, of which the one process that plays all clients is the limit.

**Writing requests down** (`api_requests`): {log["on_the_path_cpu_microseconds"]} µs of CPU on a request's path, {log["written_cpu_microseconds_each"]} µs beside it when the batch is written, {log["bytes_on_disk_each"]} bytes on disk with its indexes.

**One content, stored once**: uploads of 20 kB through the service to a local folder, 8 at a time.

| | all different | all equal | CPU each, different / equal | objects for 1,200 uploads |
|---|---|---|---|---|
| SQLite | {once["sqlite"]["different_per_second"]}/s | {once["sqlite"]["equal_per_second"]}/s | {once["sqlite"]["different_cpu_milliseconds_each"]} / {once["sqlite"]["equal_cpu_milliseconds_each"]} ms | {once["sqlite"]["objects_for_1200_uploads"]} |
| PostgreSQL | {once["postgresql"]["different_per_second"]}/s | {once["postgresql"]["equal_per_second"]}/s | {once["postgresql"]["different_cpu_milliseconds_each"]} / {once["postgresql"]["equal_cpu_milliseconds_each"]} ms | {once["postgresql"]["objects_for_1200_uploads"]} |
{END}
"""  # noqa: E501 - a page has long lines


def write_section(known: dict[str, Any]) -> None:
    """Put it into the page, in place of the one before."""
    page = PAGE.read_text() if PAGE.exists() else "# Scaling: figures\n\nWhat was measured, with what, and when.\n"
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2].lstrip("\n")
    PAGE.write_text(f"{before.rstrip()}\n\n{section(known)}" + (f"\n{after}" if after else ""))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["replicas", "pooler", "requests", "contents"])
    parser.add_argument("--reads", type=int, default=100_000, help="of the storm on replicas")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--add", action="store_true", help="one more round of the storm, to those in the file")
    asked = parser.parse_args()
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    known["machine"] = {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
    known["when"] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    for name in asked.what:
        print(f"{name} …", flush=True)
        run = {
            "replicas": lambda: replicas(asked.reads, asked.seed),
            "pooler": pooler,
            "requests": requests,
            "contents": contents,
        }[name]
        found = await run()
        if name == "replicas":
            rounds = [*(known.get(name, {}).get("rounds", []) if asked.add else []), {"seed": asked.seed, **found}]
            found = {"all_rounds": summed(rounds), "rounds": rounds}
        known[name] = found
        print(json.dumps(known[name], indent=1), flush=True)
        OUT.write_text(json.dumps(known, indent=1) + "\n")
    if {"replicas", "pooler", "requests", "contents"} <= known.keys():
        write_section(known)


if __name__ == "__main__":
    asyncio.run(main())
