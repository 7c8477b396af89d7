"""What limits cost: CPU of a process for each request that is counted, and what a claim costs when turns are fair.

    python benchmarks/limits.py            needs redis-server; starts one of its own and ends it

Prints microseconds of CPU (user and system, of this process) for each take. Redis's own CPU is not in it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request

from filewright.chassis.cache.optional_redis import OptionalRedis
from filewright.chassis.clock import SystemClock
from filewright.chassis.quota.memory import MemoryLimiter
from filewright.chassis.quota.port import Limiter
from filewright.chassis.quota.shared import SharedLimiter
from filewright.chassis.testing.servers.redis import PrivateRedis
from filewright.converter.site.throttle import NO_THROTTLE, Throttle
from filewright.converter.tiers import ANONYMOUS, Caller

MANY = 20_000


async def cpu_of(work: Callable[[int], Awaitable[object]], *, at_once: int = 1) -> float:
    """Microseconds for each."""
    numbers = itertools.count()

    async def worker() -> None:
        while (n := next(numbers)) < MANY:
            await work(n)

    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return round((time.process_time() - began) / MANY * 1e6, 1)


def request() -> Request:
    scope = {"type": "http", "method": "GET", "path": "/v1/jobs/x", "headers": [], "client": ("203.0.113.7", 1)}
    return Request({**scope, "state": {}})


async def counted(limiter: Limiter | None, callers: int, at_once: int = 1) -> float:
    """As many callers in turn, each asking for something."""
    throttle = NO_THROTTLE if limiter is None else Throttle(limiter)
    known = [Caller(f"ip:10.{n >> 16}.{n >> 8 & 255}.{n & 255}", ANONYMOUS) for n in range(callers)]

    async def identify(asked: Request) -> Caller:
        return known[asked.scope["n"] % callers]

    paying = throttle.around(identify)

    async def one(n: int) -> None:
        asked = request()
        asked.scope["n"] = n
        try:
            await paying(asked)
        except Exception as error:
            if type(error).__name__ != "RateLimited":
                raise

    return await cpu_of(one, at_once=at_once)


async def main() -> None:
    clock, server = SystemClock(), PrivateRedis()
    try:
        shared = SharedLimiter(OptionalRedis(server.url(), clock, answer_seconds=5), clock)
        nothing = await counted(None, 1000)
        found = {
            "not counted": nothing,
            "in memory": await counted(MemoryLimiter(clock), 1000),
            "shared, one busy caller": await counted(shared, 1),
            "shared, 20 callers": await counted(shared, 20),
            "shared, every caller new, one after another": await counted(shared, MANY),
            "shared, every caller new, 50 at once": await counted(
                SharedLimiter(OptionalRedis(server.url(), clock, answer_seconds=5), clock, scope="b:"), MANY, 50
            ),
        }
        print(
            json.dumps(
                {name: round(cost - (nothing if name != "not counted" else 0), 1) for name, cost in found.items()},
                indent=1,
            )
        )
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
