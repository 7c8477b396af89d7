"""What encryption costs: of the store alone, and of whole conversions.

    .venv/bin/python benchmarks/encryption.py [--mib 256]        the same store with and without it, in one process
    .venv/bin/python benchmarks/encryption.py --end-to-end [--rounds 12]

CPU and not wall time is compared, so that it says the same on a busy machine. `out` is a whole object read back,
`ranges` are reads of 64 KiB at random places. End to end, two services run side by side, one of them with
`FILEWRIGHT_MASTER_KEY_FILE`, and are given the same mix of files in turns; what is counted is the processor time of all
processes of each, engines included, and how many conversions a minute one caller gets.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from product import Form, Product
from samples import make_samples

from filewright.chassis.clock import SystemClock
from filewright.chassis.storage.encryption.master import MasterKeyFile
from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.storage.port import ObjectStore

MIB = 1 << 20
SMALL_BYTES, SMALL_COUNT = 20_000, 300
RANGES = 300


MIX = {("md", "html"): 4, ("jpg", "webp"): 2, ("docx", "pdf"): 1, ("csv", "parquet"): 1}
"""How many of each in a round: 15 kB, 320 kB, 40 kB, 10 MB."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--mib", type=int, default=256)
    options.add_argument("--end-to-end", action="store_true")
    options.add_argument("--rounds", type=int, default=12)
    chosen = options.parse_args()
    if chosen.end_to_end:
        json.dump(end_to_end(chosen.rounds), sys.stdout, indent=2)
    else:
        asyncio.run(of_the_store(chosen.mib))


def end_to_end(rounds: int) -> dict[str, object]:
    """Rounds of the mix, one service after the other, the first one changing."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "master.key").write_bytes(base64.b64encode(os.urandom(48)))
        samples = make_samples(root, {source for source, _ in MIX}, quick=False)
        forms = [Form(samples[source].path, target) for (source, target), count in MIX.items() for _ in range(count)]
        with (
            Product(root / "plain") as plain,
            Product(root / "sealed", {"MASTER_KEY_FILE": str(root / "master.key")}) as sealed,
        ):
            services = {"plain": plain, "encrypted": sealed}
            for service in services.values():
                a_round(service, forms)  # so that engines are warm
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in services}
            for number in range(rounds):
                for name in sorted(services, reverse=bool(number % 2)):
                    taken[name].append(a_round(services[name], forms))
    cpu = {name: sum(seconds for seconds, _ in times) for name, times in taken.items()}
    wall = {name: sum(seconds for _, seconds in times) for name, times in taken.items()}
    each = [mine / theirs for (mine, _), (theirs, _) in zip(taken["encrypted"], taken["plain"], strict=True)]
    done = rounds * len(forms)
    return {
        "conversions": done,
        "mix": {f"{source} to {target}": count for (source, target), count in MIX.items()},
        "cpu_seconds_per_conversion": {name: round(seconds / done, 4) for name, seconds in cpu.items()},
        "conversions_per_minute": {name: round(60 * done / seconds, 1) for name, seconds in wall.items()},
        "cpu_more_percent": round(100 * (cpu["encrypted"] / cpu["plain"] - 1), 2),
        "cpu_more_percent_median_of_rounds": round(100 * (statistics.median(each) - 1), 2),
    }


def a_round(service: Product, forms: list[Form]) -> tuple[float, float]:
    """Processor seconds of the service, and seconds, that it took."""
    client = service.client()
    before, began = service.cpu_seconds(), time.perf_counter()
    for form in forms:
        client.convert(form)
    seconds = time.perf_counter() - began
    client.close()
    return service.cpu_seconds() - before, seconds


async def of_the_store(size: int) -> None:
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
    main()
