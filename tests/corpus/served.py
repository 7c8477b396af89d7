"""The same bench over HTTP: files go to a running service, as any caller sends them, and products come from it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from corpus.bench import SECONDS, TOO_SLOW, Ending, failure

_POLL = 10


@dataclass(frozen=True)
class Target:
    """As much of a route as a caller is told."""

    target: str


class ServedBench:
    """A service with engines, and a directory for what comes from it."""

    def __init__(self, http: httpx.AsyncClient, targets: Mapping[str, Sequence[Target]], folder: Path) -> None:
        self._http = http
        self._targets = targets
        self._folder = folder

    async def format_of(self, path: Path, filename: str, password: str | None = None) -> str:
        """What the service takes the file for."""
        size = path.stat().st_size
        ticket = (await self._http.post("/v1/uploads", json={"filename": filename, "bytes": size})).raise_for_status()
        upload = f"/v1/uploads/{ticket.json()['id']}"
        data = await asyncio.to_thread(path.read_bytes)
        (await self._http.put(ticket.json()["url"], content=data)).raise_for_status()
        view = (await self._http.post(f"{upload}/complete")).raise_for_status().json()
        (await self._http.delete(upload)).raise_for_status()
        return str(view["format"])

    def promised(self, source_format: str) -> Sequence[Target]:
        """Every target that the formats page lists for a format."""
        return self._targets[source_format]

    @asynccontextmanager
    async def converting(
        self,
        path: Path,
        filename: str,
        target: str,
        *,
        password: str | None = None,
        options: Mapping[str, Any] | None = None,
        seconds: float = SECONDS,
    ) -> AsyncIterator[Ending]:
        """Convert; the products live as long as the context."""
        started = time.monotonic()
        form = {"to": target}
        form |= {"password": password} if password is not None else {}
        form |= {"options": json.dumps(options)} if options else {}
        data = await asyncio.to_thread(path.read_bytes)
        answer = await self._http.post(
            "/v1/convert", files={"file": (filename, data)}, data=form, headers={"Prefer": "respond-async"}
        )
        if answer.status_code != 202:
            yield _refusal(target, started, answer.json())
            return
        job = await self._followed(answer.json(), started + seconds)
        try:
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                yield await self._ending(job, target, started, Path(folder))
        finally:
            (await self._http.delete(f"/v1/jobs/{job['id']}")).raise_for_status()

    async def _followed(self, job: dict[str, Any], until: float) -> dict[str, Any]:
        while job["status"] in {"queued", "running"}:
            if time.monotonic() > until:
                await self._http.post(f"/v1/jobs/{job['id']}/cancel")
                return job
            answer = await self._http.get(f"/v1/jobs/{job['id']}", params={"wait": _POLL})
            job = answer.raise_for_status().json()
        return job

    async def _ending(self, job: Mapping[str, Any], target: str, started: float, folder: Path) -> Ending:
        if job["status"] == "failed":
            return _refusal(target, started, job["error"])
        if job["status"] != "succeeded":
            return failure(target, started, TOO_SLOW, "still at work when patience ran out")
        products = []
        for n, output in enumerate(job["outputs"]):
            data = (await self._http.get(output["url"])).raise_for_status().content
            if (len(data), hashlib.sha256(data).hexdigest()) != (output["bytes"], output["sha256"]) or not data:
                return failure(target, started, "defect", f"{output['name']} is not what the service said")
            place = folder / str(n)
            place.mkdir()
            products.append(place / output["name"])
            await asyncio.to_thread(products[-1].write_bytes, data)
        return Ending(
            target=target,
            seconds=time.monotonic() - started,
            source_format=job["source_format"],
            engines=tuple(hop["engine"] for hop in job["route"]),
            products=tuple(products),
            fidelity=job.get("fidelity"),
        )


@asynccontextmanager
async def open_served_bench(url: str, folder: Path) -> AsyncIterator[ServedBench]:
    """On the service at this address."""
    async with httpx.AsyncClient(base_url=url, timeout=120) as http:
        listed = (await http.get("/v1/formats")).raise_for_status().json()["data"]
        targets = {known["id"]: [Target(target) for target in known["targets"]] for known in listed}
        yield ServedBench(http, targets, folder)


def _refusal(target: str, started: float, problem: Mapping[str, Any]) -> Ending:
    return failure(target, started, str(problem["code"]), str(problem["detail"] or problem["title"]))
