"""Callers of the product that come at a steady rate, whatever becomes of those before them.

Each orders a conversion, waits for its end and takes the result, from an address of its own; others look at what there
is. What any of them was refused or lost is written down. Nothing is tried again: a caller that has to is a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

CSV = b"name,number\n" + b"".join(b"n%d,%d\n" % (n, n) for n in range(200))
PATIENCE = httpx.Timeout(90)
LONGEST = 300.0
"""Seconds after which a job that has not ended is lost."""
MOST = 16
"""Callers of a kind at once: when the machine does something else meanwhile, they queue before the door."""


@dataclass
class Load:
    """One run of callers against one address."""

    url: str
    wrong: list[str] = field(default_factory=list)
    requests: int = 0
    came: int = 0
    """Callers that wanted a conversion."""
    jobs: int = 0
    seconds: list[float] = field(default_factory=list)
    """How long each took for its result."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _began: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Count from now on."""
        self.requests = self.came = self.jobs = 0
        self.seconds.clear()
        self._began = time.monotonic()

    async def capacity(self, callers: int, seconds: float) -> float:
        """Conversions a second that are made when always so many callers wait."""
        until, before = time.monotonic() + seconds, self.jobs

        async def one() -> None:
            while time.monotonic() < until:
                await self.convert()

        began = time.monotonic()
        await asyncio.gather(*(one() for _ in range(callers)))
        return (self.jobs - before) / (time.monotonic() - began)

    async def steady(self, conversions: float, looks: float, stop: asyncio.Event) -> None:
        """So many of each a second until told to stop; returns when the last has its answer."""
        await asyncio.gather(self._at(conversions, self.convert, stop), self._at(looks, self.look, stop))

    async def _at(self, rate: float, what: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        coming, room = random.Random(1), asyncio.Semaphore(MOST)
        next_at = time.monotonic()

        async def one() -> None:
            async with room:
                await what()

        async with asyncio.TaskGroup() as callers:
            while not stop.is_set():
                callers.create_task(one())
                next_at += coming.expovariate(rate)  # from the moment it was due: a late one makes no gap
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), max(0.0, next_at - time.monotonic()))

    async def convert(self) -> None:
        """Order, wait, take."""
        self.came += 1
        began = time.monotonic()
        async with self._client() as client:
            files = {"file": ("numbers.csv", CSV, "text/csv")}
            answer = await self._ask(client, "POST", "/v1/convert", data={"to": "json"}, files=files, expected=202)
            if answer is None:
                return
            job = answer.json()
            while job["status"] in {"queued", "running"}:
                if time.monotonic() > began + LONGEST:
                    self._note(f"job {job['id']}: still {job['status']} after {LONGEST:.0f} s")
                    return
                answer = await self._ask(client, "GET", f"/v1/jobs/{job['id']}?wait=20")
                if answer is None:
                    return
                job = answer.json()
            if job["status"] != "succeeded":
                self._note(f"job {job['id']}: {job['status']} {job.get('error')}")
                return
            taken = await self._ask(client, "GET", job["outputs"][0]["url"])
            if taken is not None and taken.content.count(b"number") < 200:
                self._note(f"job {job['id']}: another result")
        self.jobs += 1
        self.seconds.append(time.monotonic() - began)

    async def look(self) -> None:
        """At what there is."""
        async with self._client() as client:
            await self._ask(client, "GET", "/v1/jobs?limit=5")
            await self._ask(client, "GET", "/v1/me/limits")

    def _note(self, what: str) -> None:
        self.wrong.append(f"after {time.monotonic() - self._began:.1f} s: {what}")

    def _client(self) -> httpx.AsyncClient:
        number = next(self._numbers)
        address = f"127.{2 + number // 50_000 % 200}.{number // 250 % 200}.{1 + number % 250}"
        transport = httpx.AsyncHTTPTransport(local_address=address, verify=False)
        return httpx.AsyncClient(
            base_url=self.url, transport=transport, timeout=PATIENCE, headers={"Prefer": "respond-async"}
        )

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, *, expected: int = 200, **more: object
    ) -> httpx.Response | None:
        self.requests += 1
        try:
            answer = await client.request(method, path, **more)  # type: ignore[arg-type] # as httpx takes them
        except httpx.HTTPError as error:
            self._note(f"{method} {path}: {error!r}")
            return None
        if answer.status_code != expected:
            self._note(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        return answer


@contextlib.contextmanager
def coming(load: Load, conversions: float, looks: float) -> Iterator[None]:
    """Callers at these rates, until the block is left; then the last has its answer. What broke one is raised here."""
    stop = threading.Event()

    async def until_told() -> None:
        told = asyncio.Event()
        callers = asyncio.create_task(load.steady(conversions, looks, told))
        await asyncio.to_thread(stop.wait)
        told.set()
        await callers

    with ThreadPoolExecutor(1) as thread:
        all_of_it = thread.submit(asyncio.run, until_told())
        try:
            yield
        finally:
            stop.set()
            all_of_it.result()
