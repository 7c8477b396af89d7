"""What a look at the caches costs, in CPU time of the process that looks: `python benchmarks/cache.py [--out FILE]`.

Times are CPU time, because the machine may be busy with other things; of five rounds the best counts, which is the
least disturbed one. Redis and PostgreSQL are private servers; their own CPU time is not in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.port import Cache, Kind, Make, Shared, Uncached
from filewright.chassis.cache.redis_level import RedisLevel
from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.testing.servers.postgres import PrivatePostgres
from filewright.chassis.testing.servers.redis import PrivateRedis
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.endpoints.answers import job_response
from filewright.converter.jobs.models import JobInputRow, JobOutputRow, JobRow
from filewright.converter.jobs.service import Jobs
from filewright.converter.migrations import LOCATION
from filewright.converter.tiers import LOCAL, Caller

ROUNDS = 5
CALLER = Caller("me", LOCAL)
VALUE = os.urandom(2_000)
NEAR = Kind[bytes]("near", 1, len, seconds=3600)
FAR = Kind[bytes]("far", 1, len, seconds=0, shared=Shared(bytes, bytes))
READERS, COST, LASTS = 500, 0.05, 2.0


async def cpu(look: Callable[[], Awaitable[Any]], times: int) -> float:
    """Microseconds of CPU for one look."""
    best = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            await look()
        best.append((time.process_time() - began) / times)
    return round(min(best) * 1e6, 1)


async def made() -> bytes:
    return VALUE


async def levels(server: PrivateRedis) -> dict[str, float]:
    cache = MemoryCache(SystemClock(), far=RedisLevel(server.url(), b"s" * 32, SystemClock(), answer_seconds=5))
    found = {}
    await cache.get(NEAR, "a", made)
    found["near hit"] = await cpu(lambda: cache.get(NEAR, "a", made), 20_000)
    found["near peek"] = await _peek(cache)
    await cache.get(FAR, "a", made)
    found["far hit"] = await cpu(lambda: cache.get(FAR, "a", made), 500)
    keys = iter(range(10_000_000))
    found["made, and filled in for all"] = await cpu(lambda: cache.get(FAR, str(next(keys)), made), 300)
    server.freeze()
    gone = MemoryCache(SystemClock(), far=RedisLevel(server.url(), b"s" * 32, SystemClock()))
    began = time.monotonic()
    await gone.get(FAR, "first", made)
    found["the first wait for a Redis that is silent, ms"] = round((time.monotonic() - began) * 1000, 1)
    found["made while Redis is not asked"] = await cpu(lambda: gone.get(FAR, "a", made), 500)
    server.thaw()
    await cache.close()
    await gone.close()
    return found


async def _peek(cache: MemoryCache) -> float:
    async def look() -> bytes | None:
        return cache.peek(NEAR, "a")

    return await cpu(look, 20_000)


async def crowd(server: PrivateRedis) -> dict[str, float]:
    """What 500 readers in one process wait, of a value that does not end and of one that ends all the time."""
    found = {}
    for name, lasts in (("warm", 3600.0), ("ends every 2 s", LASTS)):
        kind = Kind[bytes](name, 1, len, seconds=1.0, shared=Shared(bytes, bytes, seconds=lasts))
        cache = MemoryCache(SystemClock(), far=RedisLevel(server.url(), b"s" * 32, SystemClock(), answer_seconds=5))
        makings = 0
        waits: list[float] = []

        async def make() -> bytes:
            nonlocal makings
            makings += 1
            await asyncio.sleep(COST)
            return VALUE

        await cache.get(kind, "hot", make)
        end = time.monotonic() + 5

        readers = (_read(cache, kind, make, waits, end, n / READERS) for n in range(READERS))
        await asyncio.gather(*readers)
        await cache.close()
        cuts = statistics.quantiles(waits, n=1000)
        found |= {
            f"{name}: p50, us": round(cuts[499] * 1e6, 1),
            f"{name}: p99, us": round(cuts[989] * 1e6, 1),
            f"{name}: the longest, ms": round(max(waits) * 1000, 1),
            f"{name}: looks": len(waits),
            f"{name}: made": makings,
        }
    return found


async def _read(
    cache: MemoryCache, kind: Kind[bytes], make: Make[bytes], waits: list[float], end: float, late: float
) -> None:
    """Not in step with the others."""
    await asyncio.sleep(0.05 * late)
    while time.monotonic() < end:
        began = time.perf_counter()
        await cache.get(kind, "hot", make)
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(0.05)


async def jobs(database_url: str) -> dict[str, float]:
    """A job that is over, from the database to the bytes that are sent."""
    database, clock = Database(database_url), SystemClock()
    await database.migrate(LOCATION)
    job_id = await _a_finished_job(database, RandomIds(clock).new("job"))
    found = {}
    for name, cache in (("from the database", Uncached()), ("kept", MemoryCache(clock))):
        service = _service(database, cache)

        async def look(service: Jobs = service) -> bytes:
            return bytes(job_response(await service.get(CALLER, job_id)).body)

        found[name] = await cpu(look, 300)
    await database.close()
    return found


def _service(database: Database, cache: Cache) -> Jobs:
    unused: Any = None
    return Jobs(
        database=database, sources=unused, files=unused, planner=unused, notifier=unused, ids=unused, sealer=unused,
        erase_files=unused, cache=cache,
    )  # fmt: skip


async def _a_finished_job(database: Database, job_id: str) -> str:
    now = datetime.now(UTC)
    hop = {"engine": "libreoffice", "engine_version": "7.4", "from": "docx", "to": "pdf", "lossy": False}
    async with database.write() as session:
        session.add(
            JobRow(
                id=job_id, tenant="me", state="succeeded", operation="convert", source_format="docx", revision=6,
                target_format="pdf", options={}, route=[hop], limits={}, lane="standard", attempt=1, progress=100,
                not_before=now, deadline_at=now, hint_at=now, created_at=now, queued_at=now, finished_at=now,
            )
        )  # fmt: skip
        for name in ("art_in", "art_out"):
            facts = {"format": "docx", "media_type": "application/pdf", "bytes": 1000, "sha256": "0" * 64}
            session.add(ArtifactRow(id=name, tenant="me", filename="report.docx", parts=[], created_at=now, **facts))
        await session.flush()
        session.add(JobInputRow(job_id=job_id, n=0, tenant="me", artifact_id="art_in", upload_id="upl_x"))
        session.add(JobOutputRow(job_id=job_id, n=0, tenant="me", artifact_id="art_out", pages=3))
    return job_id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("cache.json"))
    out = parser.parse_args().out
    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        redis, postgres = PrivateRedis(), PrivatePostgres()
        closing.callback(redis.stop)
        closing.callback(postgres.stop)
        postgres.execute("CREATE DATABASE bench")
        found = {
            "load average at the start": round(os.getloadavg()[0], 1),
            "python": sys.version.split()[0],
            "levels, us of CPU": asyncio.run(levels(redis)),
            "500 readers": asyncio.run(crowd(redis)),
            "a job that is over, us of CPU, SQLite": asyncio.run(jobs(f"sqlite:///{folder}/bench.db")),
            "a job that is over, us of CPU, PostgreSQL": asyncio.run(jobs(postgres.url("bench"))),
            "load average at the end": round(os.getloadavg()[0], 1),
        }
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
