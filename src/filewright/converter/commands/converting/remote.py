"""Convert on a Filewright server: upload, order, wait, fetch."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from filewright.converter.commands.converting.places import (
    STANDARD,
    Request,
    check_source,
    destinations,
    place,
    read_stdin,
    refuse_to_overwrite,
    write_stdout,
)
from filewright.converter.commands.converting.results import Output, Result
from filewright.converter.commands.converting.server import POLL_SECONDS, Server, open_server, raise_for
from filewright.converter.commands.converting.typed import typed
from filewright.converter.commands.converting.wishes import Operation, Wishes
from filewright.converter.commands.exits import RemoteProblem, UsageProblem
from filewright.converter.commands.showing import OnProgress
from filewright.converter.conversion.names import product_names, stem_of
from filewright.converter.engines.standard import standard_engines
from filewright.converter.formats.catalogue import by_name
from filewright.converter.operations.offers import merged
from filewright.converter.operations.standard import declared

_BLOCK = 1 << 20
_UPLOAD_SHARE, _CONVERT_SHARE = 0.3, 0.6
_OVER = frozenset({"succeeded", "failed", "cancelled", "expired"})


class RemoteConverter:
    """Converts one source after the other on a server."""

    def __init__(self, server: Server, scratch: Path) -> None:
        self._server = server
        self._scratch = scratch

    async def convert(self, source: str, request: Request, wishes: Wishes, on_progress: OnProgress) -> Result:
        """Raises RemoteProblem for what the server says, and when there is none."""
        check_source(source)
        if not request.to_stdout and by_name(request.to):
            names = product_names(_called(source), request.to, 1)
            refuse_to_overwrite(destinations(request, source, names), [source], force=wishes.force)
        order: dict[str, Any] = {"to": request.to}
        if wishes.settings:
            order["options"] = typed(wishes.settings, _schemas(request.to))
        with self._server.listening():
            return await self._done([source], order, request, wishes, on_progress)

    async def operate(
        self, sources: Sequence[str], operation: Operation, request: Request, wishes: Wishes, on_progress: OnProgress
    ) -> Result:
        """Raises as `convert`."""
        for source in sources:
            check_source(source)
        if request.file is not None:
            refuse_to_overwrite([request.file], sources, force=wishes.force)
        order: dict[str, Any] = {"operation": operation.name}
        if operation.to:
            order["to"] = operation.to
        if wishes.settings:
            order["options"] = typed(wishes.settings, merged(declared(operation.name)))
        with self._server.listening():
            return await self._done(sources, order, request, wishes, on_progress)

    async def _done(
        self,
        sources: Sequence[str],
        order: Mapping[str, Any],
        request: Request,
        wishes: Wishes,
        on_progress: OnProgress,
    ) -> Result:
        started = time.monotonic()
        share = _UPLOAD_SHARE / len(sources)
        uploads = []
        for n, source in enumerate(sources):
            uploads.append(await self._upload(self._given(source), _called(source), _part(on_progress, n, share)))
        job = await self._order(uploads, order, wishes)
        job = await self._finished(job, lambda f: on_progress(_UPLOAD_SHARE + _CONVERT_SHARE * f))
        with tempfile.TemporaryDirectory(dir=self._scratch) as directory:
            files = [await self._fetch(output, Path(directory) / str(n)) for n, output in enumerate(job["outputs"])]
            outputs = _deliver(job["outputs"], files, request, sources, force=wishes.force)
        on_progress(1.0)
        return Result(
            source=sources[0],
            route=job.get("route", ()),
            outputs=outputs,
            seconds=time.monotonic() - started,
            fidelity=job.get("fidelity"),
        )

    def _given(self, source: str) -> Path:
        if source != STANDARD:
            return Path(source)
        into = self._scratch / uuid4().hex
        read_stdin(into)
        return into

    async def _upload(self, path: Path, filename: str, on_progress: OnProgress) -> str:
        size, sha256 = await asyncio.to_thread(_digest, path)
        order = {"filename": filename, "bytes": size, "sha256": sha256}
        where = await self._server.post("/v1/uploads", order)
        content = _blocks(path, size, on_progress)
        headers = {**where.get("headers", {}), "Content-Length": str(size)}
        url = self._server.address_of(where["url"])
        answer = await self._server.client.request(where.get("method", "PUT"), url, content=content, headers=headers)
        raise_for(answer)
        await self._server.post(f"/v1/uploads/{where['id']}/complete", {"sha256": sha256})
        return str(where["id"])

    async def _order(self, uploads: Sequence[str], order: Mapping[str, Any], wishes: Wishes) -> dict[str, Any]:
        said = {"from": wishes.from_format} if wishes.from_format else {}
        whole: dict[str, Any] = {**order, "inputs": [{"upload": upload, **said} for upload in uploads]}
        if wishes.password:
            whole["password"] = wishes.password
        return await self._server.post("/v1/jobs", whole)

    async def _finished(self, job: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
        """Ask, each time for as long as the server lets us wait, until the job is over."""
        try:
            while job["status"] not in _OVER:
                on_progress(job.get("progress", 0) / 100)
                path, params = f"/v1/jobs/{job['id']}", {"wait": str(POLL_SECONDS)}
                job = await self._server.get(path, params) or job
        except asyncio.CancelledError:
            with contextlib.suppress(httpx.HTTPError, RemoteProblem):
                await self._server.post(f"/v1/jobs/{job['id']}/cancel", {})
            raise
        if job["status"] != "succeeded":
            error = job.get("error") or {}
            raise RemoteProblem(error.get("code", job["status"]), error.get("detail", f"The job is {job['status']}."))
        return job

    async def _fetch(self, output: Mapping[str, Any], path: Path) -> Path:
        sha256 = hashlib.sha256()
        url = self._server.address_of(output["url"])
        async with self._server.client.stream("GET", url) as answer:
            if answer.is_error:
                await answer.aread()
            raise_for(answer)
            with path.open("xb") as file:
                async for block in answer.aiter_bytes(_BLOCK):
                    sha256.update(block)
                    file.write(block)
        if sha256.hexdigest() != output["sha256"]:
            raise RemoteProblem("internal", "The result arrived damaged. Try again.")
        return path


@contextlib.asynccontextmanager
async def open_remote(url: str, key: str | None) -> AsyncIterator[RemoteConverter]:
    """A connection to the server for the length of one command."""
    with tempfile.TemporaryDirectory(prefix="filewright-") as scratch:
        async with open_server(url, key) as server:
            yield RemoteConverter(server, Path(scratch))


def _deliver(
    described: list[Mapping[str, Any]], files: list[Path], request: Request, sources: Sequence[str], *, force: bool
) -> list[Output]:
    if request.to_stdout:
        if len(files) > 1:
            raise UsageProblem(f"The result is {len(files)} files. Name a directory as the destination.")
        write_stdout(files[0])
        return [_output(described[0], STANDARD)]
    places = destinations(request, sources[0], [_harmless(str(output["name"])) for output in described])
    refuse_to_overwrite(places, sources, force=force)
    place(files, places, force=force)
    return [_output(output, str(where)) for output, where in zip(described, places, strict=True)]


def _called(source: str) -> str:
    return "stdin" if source == STANDARD else Path(source).name


def _part(on_progress: OnProgress, n: int, share: float) -> OnProgress:
    return lambda fraction: on_progress(share * (n + fraction))


def _harmless(name: str) -> str:
    """A server's word for a file is no path."""
    return stem_of(name) + Path(name).suffix if Path(name).suffix else stem_of(name)


def _output(described: Mapping[str, Any], path: str) -> Output:
    facts = {name: described[name] for name in ("pages", "width", "height", "duration") if described.get(name)}
    return Output(path, described["media_type"], described["bytes"], described["sha256"], facts)


def _schemas(target: str) -> Mapping[str, Mapping[str, Any]]:
    """Every option that our own engines have for this target: the same program runs on the other side."""
    wanted = by_name(target)
    return {
        name: schema
        for engine in standard_engines()
        for conversion in engine.conversions
        if wanted is not None and conversion.target == wanted.id
        for name, schema in conversion.options.items()
    }


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return file.seek(0, io.SEEK_END), sha256


async def _blocks(path: Path, size: int, on_progress: OnProgress) -> AsyncIterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
            sent += len(block)
            on_progress(sent / max(1, size))
