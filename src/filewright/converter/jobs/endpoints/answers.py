"""Jobs and their outputs as HTTP answers: JSON with an entity tag, bytes, a ZIP of all, or the problem of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from stat import S_IFREG

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from stream_zip import ZIP_AUTO, Method, async_stream_zip, stream_zip

from filewright.chassis.db import acting
from filewright.chassis.tasks import together
from filewright.chassis.web.downloads import DOWNLOAD_HEADERS, Download, content_disposition, safe_name
from filewright.chassis.web.headers import header, headers
from filewright.chassis.web.preferences import etag_matches, opaque
from filewright.chassis.web.problems import PROBLEM_JSON, Conflict, request_id_of
from filewright.converter.jobs.orders import Reuse
from filewright.converter.jobs.schemas import Job, OpenedOutput, Output
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.states import PublicStatus
from filewright.converter.tiers import Caller

_STORED_WELL = ("image/", "audio/", "video/", "application/zip", "application/gzip", "application/epub")
_ZIP_BYTES = 256 << 10
"""That are sent at once: each costs a thread's time."""
_SMALL_BYTES = 8 << 20
_READ_AT_ONCE = 4
_Head = tuple[str, datetime, int, Method]
"""Of a member of a ZIP: its name, time, mode and method."""
_LOOK_AGAIN = "1"
REUSE_MEANING = (
    "With `Cache-Control: no-cache` it is worked on whatever is there; with `no-store`, its result does not answer "
    "later orders either."
)


@dataclass(frozen=True)
class OutputFiles:
    """The bytes of jobs' outputs."""

    jobs: Jobs

    def one(self, caller: Caller, job_id: str, n: int, output: Output) -> Download:
        """An output to be served."""

        async def read(start: int, end: int) -> AsyncIterator[bytes]:
            with acting.as_tenant(caller.tenant):  # an invoice is the house's own, and its customer may read it
                opened = await self.jobs.open_output(caller, job_id, n, start, end)
            async for chunk in opened.chunks:
                yield chunk

        return Download(output.name, output.media_type, output.bytes, output.sha256, read)

    def all(self, caller: Caller, job: Job, more: Mapping[str, str] | None = None) -> Response:
        """All outputs as one ZIP, made while it is sent."""
        headers = {
            **DOWNLOAD_HEADERS,
            "Content-Disposition": content_disposition(_archive_name(job)),
            **(more or {}),
        }
        if sum(output.bytes for output in job.outputs) <= _SMALL_BYTES:
            chunks = self._made_at_once(caller, job)
        else:
            chunks = async_stream_zip(self._members(caller, job), chunk_size=_ZIP_BYTES)
        return StreamingResponse(chunks, headers=headers, media_type="application/zip")

    async def _members(self, caller: Caller, job: Job) -> AsyncIterator[tuple[*_Head, AsyncIterator[bytes]]]:
        opened = await self.jobs.open_outputs(caller, job.id)
        for head, item in zip(_heads(job), opened, strict=True):
            yield *head, item.chunks

    async def _made_at_once(self, caller: Caller, job: Job) -> AsyncIterator[bytes]:
        """In one turn of a thread: file by file, the turns would take longer than the work."""
        turn = asyncio.Semaphore(_READ_AT_ONCE)

        async def read(item: OpenedOutput) -> list[bytes]:
            async with turn:
                return [chunk async for chunk in item.chunks]

        contents = await together(read(item) for item in await self.jobs.open_outputs(caller, job.id))
        members = [(*head, content) for head, content in zip(_heads(job), contents, strict=True)]
        for chunk in await asyncio.to_thread(lambda: [*stream_zip(members, chunk_size=_ZIP_BYTES)]):
            yield chunk


def job_response(job: Job, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The job as JSON, with its entity tag."""
    return _json(job.text, status, {"ETag": job.entity_tag, **(headers or {})})


def accepted_response(job: Job) -> Response:
    """202: the job, where it is, and when to look again."""
    return job_response(
        job,
        status=202,
        headers={"Location": f"/v1/jobs/{job.id}", "Retry-After": _LOOK_AGAIN, "Link": job_link(job.id)},
    )


def conditional_response(request: Request, job: Job) -> Response:
    """The job, or 304 when the client has exactly this already."""
    if etag_matches(header(request.scope, b"if-none-match"), job.entity_tag):
        return Response(status_code=304, headers={"ETag": job.entity_tag})
    return job_response(job)


def revision_seen(request: Request) -> int | None:
    """The revision of the job that the client's `If-None-Match` came with, when it is a tag of ours."""
    revision, dash, _ = opaque(request.headers.get("if-none-match", "").strip()).partition("-")
    return int(revision) if dash and revision.isascii() and revision.isdigit() and len(revision) < 10 else None


def reuse_asked(request: Request) -> Reuse:
    """What `Cache-Control` of an order says about results that are there already."""
    said = ",".join(headers(request.scope, b"cache-control")).lower()
    words = {word.strip() for word in said.split(",")} if said else frozenset()
    return Reuse.NONE if "no-store" in words else Reuse.FRESH if "no-cache" in words else Reuse.ANY


def failure_response(request: Request, job: Job) -> Response:
    """The problem that ended the job, as this request's own."""
    problem = job.error
    if problem is None:
        raise Conflict("The job is over and has no result.")
    body = problem.model_dump(mode="json") | {"request_id": request_id_of(request.scope)}
    return Response(orjson.dumps(body), problem.status, headers={"Link": job_link(job.id)}, media_type=PROBLEM_JSON)


def model_response(model: BaseModel) -> Response:
    """Any other wire shape."""
    return _json(_bytes(model), 200, {})


def job_link(job_id: str) -> str:
    return f'</v1/jobs/{job_id}>; rel="job"'


def is_over(job: Job) -> bool:
    return job.status not in {PublicStatus.QUEUED, PublicStatus.RUNNING}


def _bytes(model: BaseModel) -> bytes:
    return model.model_dump_json(by_alias=True).encode()


def _json(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    return Response(body, status_code=status, headers=dict(headers), media_type="application/json")


def _heads(job: Job) -> Iterator[_Head]:
    moment = job.finished_at or datetime(1980, 1, 1, tzinfo=UTC)
    for output, name in zip(job.outputs, _unique(job.outputs), strict=True):
        # What is compressed already gains nothing from a second time, and costs CPU.
        level = 0 if output.media_type.startswith(_STORED_WELL) else 6
        yield name, moment, S_IFREG | 0o644, ZIP_AUTO(output.bytes, level=level)


def _archive_name(job: Job) -> str:
    first = job.inputs[0].name if job.inputs else None
    stem = PurePosixPath(safe_name(first or "files")).stem
    return f"{stem}-{job.target_format}.zip" if job.target_format else f"{stem}.zip"


def _unique(outputs: Iterable[Output]) -> list[str]:
    """Names to unpack under: no folders, none twice, not even for a file system that ignores case."""
    taken: set[str] = set()
    names: list[str] = []
    for output in outputs:
        name = safe_name(output.name)
        path, n = PurePosixPath(name), 1
        while name.lower() in taken:
            n += 1
            name = f"{path.stem} ({n}){path.suffix}"
        taken.add(name.lower())
        names.append(name)
    return names
