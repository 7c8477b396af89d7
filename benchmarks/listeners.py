"""Hold many event streams open on one API process of a stack while jobs run, and write what came out into
`listeners.json`.

    opening    listeners come, so many a second, each with its first look at the jobs of its address
    quiet      nothing happens but comments: what a listener costs that waits
    at work    jobs are ordered from some of the addresses and run: how long after its end a job's listeners know it

Each listener is a socket of its own from a loopback address of its own network (127.x.y.z), `--each` of them per
address, and hears `GET /v1/jobs/events` through the front. It is alive when bytes came within 20 s (a comment comes
every 15 s). Times are of one machine's clock: from `finished_at` of the job, set by the database, to the arrival.

Examples:

  python benchmarks/listeners.py                     10,000 through the front; about four minutes
  python benchmarks/listeners.py --count 1000 --no-write
  python benchmarks/listeners.py --direct            past the front
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import re
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import uvloop

from filewright.stack.layout import Layout
from filewright.stack.operations import Stack
from filewright.stack.state import read_state

RESULT = Path(__file__).with_name("listeners.json")
ALIVE_SECONDS = 20.0
_FINISHED = re.compile(rb'"finished_at":"([^"]+)"')
_SUCCEEDED = b'"status":"succeeded"'
_TICKS = os.sysconf("SC_CLK_TCK")
_CSV = b"name,number\n" + b"a,1\n" * 50


@dataclass
class Tally:
    """What all listeners heard."""

    lags: list[float] = field(default_factory=list)
    lost: int = 0
    refused: int = 0


class Listener(asyncio.Protocol):
    """One open stream. Keeps nothing but the end of what it heard last."""

    __slots__ = ("_head", "_rest", "_tally", "address", "heard", "opened", "transport")

    def __init__(self, head: bytes, tally: Tally, address: str) -> None:
        self._head = head
        self._tally = tally
        self._rest = b""
        self.address = address
        self.heard = 0.0
        self.opened = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        self.heard = time.monotonic()
        if not self.opened:
            self.opened = b" 200 " in data[:20]
            self._tally.refused += not self.opened
        if b"finished_at" not in data and not self._rest:
            return
        whole = self._rest + data
        *events, self._rest = whole.split(b"\n\n")
        self._rest = self._rest if b"event: job" in self._rest or b"id: " in self._rest else b""
        now = time.time()
        for event in events:
            found = _FINISHED.search(event) if _SUCCEEDED in event else None
            if found is not None:
                self._tally.lags.append(now - datetime.fromisoformat(found[1].decode()).timestamp())

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.lost += self.transport is not None
        self.transport = None

    @property
    def is_alive(self) -> bool:
        return self.transport is not None and self.opened and time.monotonic() - self.heard < ALIVE_SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=5, help="listeners per address")
    parser.add_argument("--rate", type=float, default=100.0, help="new listeners a second")
    parser.add_argument("--jobs", type=int, default=150)
    parser.add_argument("--job-rate", type=float, default=2.0, help="jobs ordered a second")
    parser.add_argument("--quiet", type=float, default=60.0)
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    asked = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(hard, 65_536)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="listeners-") as folder:
        stack = Stack(Path(folder) / "stack", report=print)
        try:
            os.environ["FILEWRIGHT_TIERS_FILE"] = str(Path(__file__).with_name("tiers.yaml").resolve())
            stack.up({"api": 1, "worker": 1, "beat": 1}, slots=1)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                result = runner.run(measure(stack, asked))
        finally:
            stack.down(erase=True)
    print(json.dumps(result, indent=1))
    if not asked.no_write:
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


async def measure(stack: Stack, asked: argparse.Namespace) -> dict[str, Any]:
    layout = Layout(stack.data.absolute())
    plan = layout.plan()
    assert plan is not None
    api = read_state(layout).processes["api-1"].pid
    front = read_state(layout).processes["nginx"].pid
    assert api is not None
    assert front is not None
    url = f"http://127.0.0.1:{layout.memory().ports['api-1']}" if asked.direct else plan.url
    tally = Tally()
    empty = _memory(api)
    began, cpu = time.monotonic(), _cpu(api)
    listeners = await _open(url, asked, tally)
    opening = {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_ms_each": _per(1000 * (_cpu(api) - cpu), asked.count),
    }
    print(f"open: {sum(one.is_alive for one in listeners)} {opening}")
    await asyncio.sleep(ALIVE_SECONDS)
    full = _memory(api)
    cpu, front_cpu = _cpu(api), _front_cpu(front)
    await asyncio.sleep(asked.quiet)
    quiet = {
        "alive": sum(one.is_alive for one in listeners),
        "kib_each": _per((full - empty) / 1024, asked.count),
        "api_mib": round(full / 2**20),
        "api_core_percent": _per(100 * (_cpu(api) - cpu), asked.quiet),
        "front_core_percent": _per(100 * (_front_cpu(front) - front_cpu), asked.quiet),
    }
    print(f"quiet: {quiet}")
    cpu, began = _cpu(api), time.monotonic()
    ordered = await _order(url, listeners, asked)
    took = time.monotonic() - began
    expected = ordered * asked.each
    deadline = time.monotonic() + 120
    while len(tally.lags) < expected and time.monotonic() < deadline:  # noqa: ASYNC110 - others say when
        await asyncio.sleep(0.2)
    work = {
        "jobs": ordered,
        "jobs_per_second": _per(ordered, took),
        "ends_heard": len(tally.lags),
        "ends_expected": expected,
        **_quantiles(tally.lags),
        "api_core_percent": _per(100 * (_cpu(api) - cpu), time.monotonic() - began),
        "alive": sum(one.is_alive for one in listeners),
        "lost": tally.lost,
        "refused": tally.refused,
        "api_mib": round(_memory(api) / 2**20),
    }
    for one in listeners:
        if one.transport is not None:
            one.transport.abort()
    return {
        "listeners": asked.count,
        "addresses": asked.count // asked.each,
        "through": "API process" if asked.direct else "front",
        "opening": opening,
        "quiet": quiet,
        "work": work,
        "machine": {
            "cores": os.cpu_count(),
            "load_average": round(os.getloadavg()[0], 2),
            "kernel": platform.release(),
        },
    }


async def _open(url: str, asked: argparse.Namespace, tally: Tally) -> Sequence[Listener]:
    address = urlsplit(url)
    assert address.hostname is not None
    head = f"GET /v1/jobs/events HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: text/event-stream\r\n"
    if asked.direct:  # as the front says it
        head += "X-Forwarded-For: @\r\nX-Forwarded-Proto: http\r\n"
    loop = asyncio.get_running_loop()
    listeners: list[Listener] = []
    next_at = time.monotonic()
    for n, source in enumerate(_addresses(asked.count, asked.each)):
        text = f"{head}\r\n".replace("@", source).encode()
        _, listener = await loop.create_connection(
            lambda text=text, source=source: Listener(text, tally, source),  # type: ignore[misc]
            address.hostname,
            address.port,
            local_addr=None if asked.direct else (source, 0),
        )
        listeners.append(listener)
        next_at += 1 / asked.rate
        await asyncio.sleep(max(0.0, next_at - time.monotonic()))
        if n % 1000 == 999:
            print(f"{n + 1} asked, {sum(one.opened for one in listeners)} open", flush=True)
    deadline = time.monotonic() + 120
    while not all(one.opened for one in listeners) and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.1)
    return listeners


def _addresses(count: int, each: int) -> Iterator[str]:
    for n in range(count):
        who = n // each
        yield f"127.{1 + who // 62_500}.{who // 250 % 250}.{1 + who % 250}"


async def _order(url: str, listeners: Sequence[Listener], asked: argparse.Namespace) -> int:
    """Jobs of addresses that are listened to, one after another, at a steady rate."""
    addresses = list(dict.fromkeys(one.address for one in listeners))
    step = max(1, len(addresses) // asked.jobs)
    ordered = 0
    next_at = time.monotonic()
    for source in addresses[::step][: asked.jobs]:
        headers = {"Prefer": "respond-async", **({"X-Forwarded-For": source} if asked.direct else {})}
        transport = httpx.AsyncHTTPTransport(local_address=None if asked.direct else source)
        async with httpx.AsyncClient(base_url=url, transport=transport, timeout=60) as client:
            answer = await client.post(
                "/v1/convert", headers=headers, data={"to": "json"}, files={"file": ("a.csv", _CSV, "text/csv")}
            )
            ordered += answer.status_code == 202
            if answer.status_code != 202:
                print(answer.status_code, answer.text[:300])
        next_at += 1 / asked.job_rate
        await asyncio.sleep(max(0.0, next_at - time.monotonic()))
    return ordered


def _quantiles(lags: Sequence[float]) -> dict[str, float]:
    if len(lags) < 2:
        return {}
    cuts = statistics.quantiles(lags, n=100)
    return {f"lag_p{p}_ms": round(1000 * cuts[p - 1], 1) for p in (50, 95, 99)} | {
        "lag_max_ms": round(1000 * max(lags), 1)
    }


def _memory(pid: int) -> int:
    """Resident bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu(pid: int) -> float:
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _front_cpu(master: int) -> float:
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return sum(_cpu(int(child)) for child in children)


def _per(amount: float, of: float) -> float:
    return round(amount / of, 2) if of else 0.0


if __name__ == "__main__":
    main()
