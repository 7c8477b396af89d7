"""What encryption costs: CPU seconds per MiB of the same store with and without it, in one process.

    .venv/bin/python benchmarks/encryption.py [MiB]

CPU and not wall time, so that it says the same on a busy machine. `out` is a whole object read back, `ranges` are reads
of 64 KiB at random places.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from filewright.chassis.clock import SystemClock
from filewright.chassis.storage.encryption.master import MasterKeyFile
from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.storage.port import ObjectStore

MIB = 1 << 20
SMALL_BYTES, SMALL_COUNT = 20_000, 300
RANGES = 300


async def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "master.key").write_bytes(base64.b64encode(os.urandom(48)))
        keys = TenantKeys(root / "tenants", MasterKeyFile(root / "master.key"), SystemClock())
        plain = await figures(LocalStore(root / "plain"), size)
        sealed = await figures(EncryptedStore(LocalStore(root / "sealed"), keys), size)
    json.dump({"mib": size, "plain": plain, "encrypted": sealed}, sys.stdout, indent=2)


async def figures(store: ObjectStore, size: int) -> dict[str, float]:
    block = os.urandom(MIB)

    async def blocks():
        for _ in range(size):
            yield block

    async def read(start: int = 0, end: int | None = None, key: str = "big") -> None:
        async for _ in store.get(key, start, end):
            pass

    async def small() -> None:
        for n in range(SMALL_COUNT):
            await store.put(f"small/{n}", block[:SMALL_BYTES], owner="tenant")
            await read(key=f"small/{n}")

    async def ranges() -> None:
        at = random.Random(1)
        for _ in range(RANGES):
            start = at.randrange(size * MIB - 65536)
            await read(start, start + 65536)

    await store.put("warm", block, owner="tenant")
    return {
        "in_ms_per_mib": await cpu(lambda: store.put("big", blocks(), owner="tenant")) / size,
        "out_ms_per_mib": await cpu(read) / size,
        "small_in_and_out_ms": await cpu(small) / SMALL_COUNT,
        "range_ms": await cpu(ranges) / RANGES,
    }


async def cpu(work: Callable[[], Awaitable[object]]) -> float:
    began = time.process_time()
    await work()
    return round(1000 * (time.process_time() - began), 3)


if __name__ == "__main__":
    asyncio.run(main())
