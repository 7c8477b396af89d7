"""`POST /v1/convert`: a form with a file goes in, the converted bytes come out, in one call when there is time.

Behind it is an ordinary upload and an ordinary job, so nothing is lost when the caller does not wait long enough, when
the connection breaks, or when this process dies: the same request with the same `Idempotency-Key` finds the job again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from filewright.chassis.db.database import WriteSession
from filewright.chassis.web.downloads import whole_response
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.idempotency import Answer, Claim, idempotency_key
from filewright.chassis.web.jsonbody import parse_json
from filewright.chassis.web.multipart import FilePart, Form, read_form
from filewright.chassis.web.openapi import described, problems
from filewright.chassis.web.preferences import preference
from filewright.chassis.web.problems import NotFound, invalid
from filewright.chassis.web.scopes import needs
from filewright.converter.conversion.converter import Converter
from filewright.converter.errors import Expired, TooLarge, UnsupportedFormat
from filewright.converter.formats.catalogue import by_name
from filewright.converter.jobs.endpoints.answers import (
    REUSE_MEANING,
    OutputFiles,
    accepted_response,
    failure_response,
    is_over,
    job_link,
    reuse_asked,
)
from filewright.converter.jobs.endpoints.requests import TAG_MEANING
from filewright.converter.jobs.orders import JobInput, JobOrder, Reuse
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.states import PublicStatus
from filewright.converter.tiers import Caller
from filewright.converter.uploads.completing import Completed
from filewright.converter.uploads.service import Uploads

DEFAULT_WAIT_SECONDS = 30.0
MAX_WAIT_SECONDS = 120.0
_FIELDS: Mapping[str, int] = {"to": 256, "from": 256, "options": 64 << 10, "password": 1024, "tag": 800}


@dataclass(frozen=True)
class ConvertEndpoint:
    """The handler."""

    edge: Edge[Caller]
    uploads: Uploads
    jobs: Jobs
    converter: Converter
    files: OutputFiles

    async def convert(self, request: Request) -> Response:
        key = idempotency_key(request)  # a key that is none is refused before a byte is read
        caller = await self.edge.identify(request)
        await self.edge.admit(request, caller, 1)
        if key is None:  # with one it may be answered already, and needs no room
            await self.jobs.check_room(caller)
        arrived: list[Completed] = []
        try:
            form = await self._receive(request, caller, arrived)
            async with self.edge.once(request, caller, *_content(form)) as claim:
                if claim.resource is None:
                    job = await self._order(caller, form, claim, reuse_asked(request))
                    arrived.clear()  # the file is the job's now
                    return await self._answer(request, caller, claim, job)
                return await self._answer_again(request, caller, claim, claim.resource)
        finally:
            for unwanted in arrived:
                await self.uploads.terminate(caller, unwanted.upload.id)

    async def _receive(self, request: Request, caller: Caller, arrived: list[Completed]) -> Form[Completed]:
        async def receive_file(part: FilePart, pieces: AsyncIterator[bytes], before: Mapping[str, str]) -> Completed:
            self._refuse_early(before)
            arrived.append(await self.uploads.receive(caller, part.filename or "file", pieces))
            return arrived[-1]

        limit = caller.tier.max_input_bytes
        return await read_form(
            request,
            file_field="file",
            fields=_FIELDS,
            receive_file=receive_file,
            max_file_bytes=limit,
            too_large=TooLarge(f"The file is larger than the {limit} bytes that are allowed."),
        )

    def _refuse_early(self, fields: Mapping[str, str]) -> None:
        """Refuse before the file is stored what can be known to be impossible by then."""
        target = fields.get("to")
        if target is None:
            return
        if by_name(target) is None:
            raise _no_such_format(target)
        source = by_name(fields.get("from") or "")
        if source is not None:
            self.converter.plan(source.id, _known(target))

    async def _order(self, caller: Caller, form: Form[Completed], claim: Claim, reuse: Reuse) -> Job:
        fields, file = form.fields, form.file
        target = fields.get("to")
        if not target:
            raise invalid("/to", "Name the target in the form field `to`: a format id or an extension, such as `pdf`.")
        source = fields.get("from") or None
        order = JobOrder(
            inputs=(JobInput(upload=file.upload.id, source_format=_known(source) if source else None),),
            to=_known(target),
            options=_options(fields.get("options")),
            password=fields.get("password") or None,
            tag=fields.get("tag") or None,
            reuse=reuse,
        )

        async def bind(session: WriteSession, job: Job) -> None:
            await claim.bind(session, job.id)

        return await self.jobs.submit(caller, order, within=bind if claim.keeps else None)

    async def _answer(self, request: Request, caller: Caller, claim: Claim, job: Job) -> Response:
        """Wait as long as the caller prefers, then answer with what there is."""
        wanted = preference(request)
        if wanted.respond_async:  # also for a job that is over, which whoever began did not live to say
            return await claim.keep_now(accepted_response(job))
        seconds = min(DEFAULT_WAIT_SECONDS if wanted.wait is None else wanted.wait, MAX_WAIT_SECONDS)
        if seconds and not is_over(job):
            waiting = self.jobs.wait_until_over(caller, job.id, seconds)
            job = await self.edge.drain.unless(waiting) or job
        if not is_over(job):
            return await claim.keep_now(accepted_response(job))
        if job.status is not PublicStatus.SUCCEEDED:
            return await claim.keep_now(failure_response(request, job))
        # Only that there were bytes is kept; the job has them.
        await claim.keep_now(Response(status_code=200, headers={"Link": job_link(job.id)}))
        return self._bytes(caller, job)

    async def _answer_again(self, request: Request, caller: Caller, claim: Claim, job_id: str) -> Response:
        """The first answer again; or finish it, when whoever began has died before it gave one."""
        if claim.replay is not None and not _had_bytes(claim.replay):
            return claim.replay.response()
        try:
            job = await self.jobs.get(caller, job_id)
        except NotFound:
            raise Expired from None
        if claim.replay is None:
            return await self._answer(request, caller, claim, job)
        if job.status is not PublicStatus.SUCCEEDED:
            raise Expired("The result of this request is not kept any more; send the file with a new key.")
        return self._bytes(caller, job)

    def _bytes(self, caller: Caller, job: Job) -> Response:
        link = {"Link": job_link(job.id)}
        if len(job.outputs) == 1:
            return whole_response(self.files.one(caller, job.id, 0, job.outputs[0]), link)
        return self.files.all(caller, job, link)


def router(edge: Edge[Caller], uploads: Uploads, jobs: Jobs, converter: Converter) -> APIRouter:
    """The one address."""
    on = ConvertEndpoint(edge, uploads, jobs, converter, OutputFiles(jobs))
    routes = APIRouter(tags=["convert"])
    routes.add_api_route(
        "/v1/convert",
        on.convert,
        methods=["POST"],
        operation_id="convert",
        summary="Convert a file in one call",
        description="Waits as long as `Prefer: wait=N` says (30 seconds if it says nothing, at most 120). "
        "Finished by then: 200 with the bytes, or the problem it ended with. Else: 202 and the job. " + REUSE_MEANING,
        response_class=Response,
        responses=described(200, "The converted bytes; several files come as a ZIP.", {"*/*": _BINARY})
        | described(
            202,
            "Not finished yet; `Location` says where it is.",
            {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}},
        )
        | problems(402, 409, 410, 415, 422),
        openapi_extra=needs("jobs:write", requestBody=_FORM_SCHEMA),
    )
    return routes


_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FORM_SCHEMA: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file", "to"],
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "The file."},
                    "to": {"type": "string", "description": "Format id, extension or media type.", "examples": ["pdf"]},
                    "from": {"type": "string", "description": "What the file is, when its content does not say."},
                    "options": {"type": "string", "description": "JSON object.", "examples": ['{"dpi": 150}']},
                    "password": {"type": "string", "description": "Opens the file."},
                    "tag": {"type": "string", "maxLength": 200, "description": TAG_MEANING},
                },
            }
        }
    },
}


def _content(form: Form[Completed]) -> tuple[bytes, ...]:
    """What makes two forms the same, whatever the order of their parts and the boundary between them."""
    artifact = form.file.artifact
    fields = [f"{name}={value}".encode() for name, value in sorted(form.fields.items())]
    return (artifact.sha256.encode(), artifact.filename.encode(), *fields)


def _known(name: str) -> str:
    found = by_name(name.strip())
    if found is None:
        raise _no_such_format(name)
    return found.id


def _no_such_format(name: str) -> UnsupportedFormat:
    return UnsupportedFormat(f"There is no format called {name[:40]!r}; `GET /v1/formats` lists those there are.")


def _options(text: str | None) -> Mapping[str, Any]:
    if not text or not text.strip():
        return {}
    value = parse_json(text.encode(), "/options")
    if not isinstance(value, dict):
        raise invalid("/options", 'Give the options as a JSON object, such as {"dpi": 150}.')
    return value


def _had_bytes(answer: Answer) -> bool:
    return answer.status == 200
