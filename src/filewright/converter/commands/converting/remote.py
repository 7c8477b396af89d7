"""Convert on a Filewright server, through its public HTTP API and nothing else: upload, order, wait, fetch."""

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
from urllib.parse import urljoin, urlsplit
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
from filewright.converter.commands.converting.typed import typed
from filewright.converter.commands.converting.wishes import Operation, Wishes
from filewright.converter.commands.exits import RemoteProblem, UsageProblem
from filewright.converter.commands.showing import OnProgress
from filewright.converter.conversion.names import product_names, stem_of
from filewright.converter.engines.standard import standard_engines
from filewright.converter.formats.catalogue import by_name
from filewright.converter.operations.offers import merged
from filewright.converter.operations.standard import declared

_POLL_SECONDS = 20
_TIMEOUT = httpx.Timeout(30.0, read=_POLL_SECONDS + 30.0)
_BLOCK = 1 << 20
_UPLOAD_SHARE, _CONVERT_SHARE = 0.3, 0.6
_TRIES = 5
_OVER = frozenset({"succeeded", "failed", "cancelled", "expired"})


class RemoteConverter:
    """Converts one source after the other on the server behind `client`."""

    def __init__(self, client: httpx.AsyncClient, scratch: Path) -> None:
        self._client = client
        self._scratch = scratch
        self._reached = False
        """Whether the server has answered once: then it is worth waiting for when it is away."""

    async def convert(self, source: str, request: Request, wishes: Wishes, on_progress: OnProgress) -> Result:
        """Raises RemoteProblem for what the server says, and when there is none."""
        check_source(source)
        if not request.to_stdout and by_name(request.to):
            names = product_names(_called(source), request.to, 1)
            refuse_to_overwrite(destinations(request, source, names), [source], force=wishes.force)
        order: dict[str, Any] = {"to": request.to}
        if wishes.settings:
            order["options"] = typed(wishes.settings, _schemas(request.to))
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
        return await self._done(sources, order, request, wishes, on_progress)

    async def _done(
        self,
        sources: Sequence[str],
        order: Mapping[str, Any],
        request: Request,
        wishes: Wishes,
        on_progress: OnProgress,
    ) -> Result:
        try:
            return await self._carried_out(sources, order, request, wishes, on_progress)
        except httpx.TransportError as error:
            raise RemoteProblem(
                "internal", f"The server at {self._client.base_url} does not answer: {error}."
            ) from None

    async def _carried_out(
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
        where = await self._post("/v1/uploads", order)
        content = _blocks(path, size, on_progress)
        headers = {**where.get("headers", {}), "Content-Length": str(size)}
        url = urljoin(str(self._client.base_url), where["url"])
        answer = await self._client.request(where.get("method", "PUT"), url, content=content, headers=headers)
        _raise_for(answer)
        await self._post(f"/v1/uploads/{where['id']}/complete", {"sha256": sha256})
        return str(where["id"])

    async def _order(self, uploads: Sequence[str], order: Mapping[str, Any], wishes: Wishes) -> dict[str, Any]:
        said = {"from": wishes.from_format} if wishes.from_format else {}
        whole: dict[str, Any] = {**order, "inputs": [{"upload": upload, **said} for upload in uploads]}
        if wishes.password:
            whole["password"] = wishes.password
        return await self._post("/v1/jobs", whole)

    async def _finished(self, job: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
        """Ask, each time for as long as the server lets us wait, until the job is over."""
        try:
            while job["status"] not in _OVER:
                on_progress(job.get("progress", 0) / 100)
                job = await self._get(f"/v1/jobs/{job['id']}", {"wait": str(_POLL_SECONDS)}, job)
        except asyncio.CancelledError:
            with contextlib.suppress(httpx.HTTPError, RemoteProblem):
                await self._post(f"/v1/jobs/{job['id']}/cancel", {})
            raise
        if job["status"] != "succeeded":
            error = job.get("error") or {}
            raise RemoteProblem(error.get("code", job["status"]), error.get("detail", f"The job is {job['status']}."))
        return job

    async def _get(self, path: str, params: Mapping[str, str], before: dict[str, Any]) -> dict[str, Any]:
        answer = await self._sent("GET", path, params=params)
        return before if answer.status_code == httpx.codes.NOT_MODIFIED else _json(answer)

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return _json(await self._sent("POST", path, json=body, headers={"Idempotency-Key": uuid4().hex}))

    async def _sent(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Safe to repeat: reads, and POSTs that carry an idempotency key."""
        for tries_left in range(_TRIES - 1, -1, -1):
            wait = 1.0
            try:
                answer = await self._client.request(method, path, **more)
                self._reached = True
                if answer.status_code not in {429, 503} or not tries_left:
                    _raise_for(answer)
                    return answer
                wait = min(30.0, _seconds(answer.headers.get("Retry-After"), wait))
            except httpx.TransportError:
                if not (tries_left and self._reached):
                    raise
            await asyncio.sleep(wait)
        raise AssertionError

    async def _fetch(self, output: Mapping[str, Any], path: Path) -> Path:
        sha256 = hashlib.sha256()
        url = urljoin(str(self._client.base_url), output["url"])
        async with self._client.stream("GET", url) as answer:
            if answer.is_error:
                await answer.aread()
            _raise_for(answer)
            with path.open("xb") as file:
                async for block in answer.aiter_bytes(_BLOCK):
                    sha256.update(block)
                    file.write(block)
        if sha256.hexdigest() != output["sha256"]:
            raise RemoteProblem("internal", "The result arrived damaged. Try again.")
        return path


@contextlib.asynccontextmanager
async def open_remote(url: str) -> AsyncIterator[RemoteConverter]:
    """A connection to the server for the length of one command."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise UsageProblem(f"--remote takes the address of a server, as http://localhost:8000, not {url!r}.")
    with tempfile.TemporaryDirectory(prefix="filewright-") as scratch:
        async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, follow_redirects=True) as client:
            yield RemoteConverter(client, Path(scratch))


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


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RemoteProblem("internal", "The address answers, but it is no Filewright server.")
    return found


def _raise_for(answer: httpx.Response) -> None:
    if not answer.is_error:
        return
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    code = problem.get("code", "internal") if isinstance(problem, dict) else "internal"
    detail = problem.get("detail", "") if isinstance(problem, dict) else ""
    raise RemoteProblem(str(code), str(detail) or f"The server answered with status {answer.status_code}.")


def _seconds(header: str | None, otherwise: float) -> float:
    return float(header) if header is not None and header.isdigit() else otherwise


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
