"""One process that reads what is kept. Usage: reader.py <redis url> <folder> <name> <readers>

Each line on standard input is one round: `rush KEY`, everybody reads it once at the same moment; `hold KEY SECONDS`,
everybody reads it again and again for so long. Each making adds a line to the file `makings` in the folder:
`KEY VALUE began ended`, by a clock that all processes share. The answer to a round is one line of JSON.
"""

import asyncio
import json
import os
import secrets
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.port import Kind, Shared
from filewright.chassis.cache.redis_level import RedisLevel
from filewright.chassis.clock import SystemClock

URL, FOLDER, NAME, READERS = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
COST = 0.05
RUSHED = Kind[str]("rushed", 1, len, seconds=60.0, shared=Shared(str.encode, bytes.decode, lease=60, patience=60))
HELD = replace(RUSHED, name="held", seconds=0.1, shared=replace(RUSHED.shared, seconds=2.0))


def write_down(line: str) -> None:
    descriptor = os.open(FOLDER / "makings", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


async def make(key: str) -> str:
    value, began = f"{NAME}-{secrets.token_hex(4)}", time.monotonic()
    await asyncio.sleep(COST)
    write_down(f"{key} {value} {began} {time.monotonic()}\n")
    return value


async def rush(cache: MemoryCache, key: str) -> Counter[str]:
    return Counter(await asyncio.gather(*(cache.get(RUSHED, key, lambda: make(key)) for _ in range(READERS))))


async def hold(cache: MemoryCache, key: str, seconds: float) -> Counter[str]:
    seen: Counter[str] = Counter()
    end = time.monotonic() + seconds

    async def read() -> None:
        while time.monotonic() < end:
            seen[await cache.get(HELD, key, lambda: make(key))] += 1
            await asyncio.sleep(0.04)

    await asyncio.gather(*(read() for _ in range(READERS)))
    return seen


async def main() -> None:
    # A busy machine is not a Redis that does not answer: this proves what happens while it does.
    cache = MemoryCache(SystemClock(), far=RedisLevel(URL, b"s" * 32, SystemClock(), answer_seconds=30.0))
    while line := await asyncio.to_thread(sys.stdin.readline):
        match line.split():
            case ["rush", key]:
                seen = await rush(cache, key)
            case ["hold", key, seconds]:
                seen = await hold(cache, key, float(seconds))
            case ["forget"]:
                cache.hear(None)
                seen = Counter()
            case _:
                raise ValueError(line)
        sys.stdout.write(json.dumps(seen) + "\n")
        sys.stdout.flush()
    await cache.close()


asyncio.run(main())
