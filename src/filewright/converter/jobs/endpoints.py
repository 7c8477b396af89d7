"""HTTP for jobs. Each handler: who calls, what exactly is asked, the service, the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from filewright.chassis.ids import is_id
from filewright.chassis.web.body import read_body
from filewright.chassis.web.cursors import decode_cursor, encode_cursor
from filewright.chassis.web.downloads import download_response, redirect_response
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.openapi import answers, described, problems
from filewright.chassis.web.problems import Conflict, InvalidRequest
from filewright.chassis.web.scopes import needs
from filewright.chassis.web.shortcut import Shortcut
from filewright.chassis.web.sse import Event, event_stream
from filewright.converter.errors import Expired
from filewright.converter.jobs.answers import (
    REUSE_MEANING,
    OutputFiles,
    accepted_response,
    conditional_response,
    failure_response,
    is_over,
    job_response,
    model_response,
    reuse_asked,
    revision_seen,
)
from filewright.converter.jobs.feed import Change
from filewright.converter.jobs.fetching import Fetching
from filewright.converter.jobs.keeping import keeping
from filewright.converter.jobs.lookups import JOB_PREFIX
from filewright.converter.jobs.requests import MAX_TAG, JobRequest, RatingRequest
from filewright.converter.jobs.schemas import Job, JobEvent, JobPage, Quote
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.states import PublicStatus
from filewright.converter.tiers import Caller

MAX_WAIT_SECONDS = 60.0
_READ, _WRITE = "jobs:read", "jobs:write"
_EXAMPLE = "job_01jd6qx2v7c8e9f0g1h2j3k4m5"
JobId = Annotated[str, Path(description="The job's id, `job_…`.", examples=[_EXAMPLE])]
OutputNumber = Annotated[int, Path(ge=0, le=1_000_000, description="Counted from 0.", examples=[0])]
_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string", "enum": ["state", "progress", "done"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_JOB_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "enum": ["job"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/Job"},
        },
    },
}
_RETRY_SECONDS = 1.0
_ORDER = JsonBody(JobRequest)
_FAILURES = (409, 410, 415, 422)
"""What a job may have ended with, as far as `ALWAYS` has it not."""


@dataclass(frozen=True)
class JobEndpoints:
    """The handlers; `router` says which address each has."""

    edge: Edge[Caller]
    jobs: Jobs
    files: OutputFiles
    fetching: Fetching

    async def create(self, request: Request, order: Annotated[JobRequest, Depends(_ORDER)]) -> Response:
        caller = await self.edge.identify(request)
        asked = order.as_order(reuse_asked(request))
        if order.dry_run:
            return model_response(await self.jobs.dry_run(caller, asked))
        await self.edge.admit(request, caller, 1)
        async with self.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            if any(item.url is not None for item in asked.inputs):
                await self.jobs.check_room(caller)  # nothing is fetched for an order that would be refused
            async with self.fetching.brought(caller, asked) as brought:
                return accepted_response(await self.jobs.submit(caller, brought, within=keeping(claim)))

    async def create_now(self, request: Request, _rest: str) -> Response:
        """As `create`, past the framework."""
        await self.edge.identify(request)
        return await self.create(request, await _ORDER(request))

    async def show(
        self,
        request: Request,
        job_id: JobId,
        wait: Annotated[
            float | None,
            Query(ge=0, allow_inf_nan=False, description="Seconds to wait for a change of status, at most 60."),
        ] = None,
    ) -> Response:
        caller = await self.edge.identify(request)
        if wait:
            seconds = min(wait, MAX_WAIT_SECONDS)
            changed = self.jobs.wait(caller, job_id, revision_seen(request), seconds)
            job = await self.edge.drain.unless(changed) or await self.jobs.get(caller, job_id)
        else:
            job = await self.jobs.get(caller, job_id)
        return conditional_response(request, job)

    async def show_now(self, request: Request, job_id: str) -> Response:
        """As `show`, of a job's id without a wait: what is asked more often than all else together."""
        return conditional_response(request, await self.jobs.get(await self.edge.identify(request), job_id))

    async def page(
        self,
        request: Request,
        cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        status: Annotated[PublicStatus | None, Query()] = None,
        tag: Annotated[str | None, Query(max_length=MAX_TAG)] = None,
    ) -> Response:
        caller = await self.edge.identify(request)
        if tag is not None and "\0" in tag:
            raise InvalidRequest("A tag holds no NUL character.")
        after = decode_cursor(cursor, JOB_PREFIX) if cursor is not None else None
        found = await self.jobs.list_page(caller, cursor=after, limit=limit, status=status, tag=tag)
        following = encode_cursor(found.next_cursor) if found.next_cursor else None
        return model_response(JobPage(data=found.data, next_cursor=following))

    async def events(self, request: Request, job_id: JobId) -> Response:
        caller = await self.edge.identify(request)
        happening = await self.jobs.events(caller, job_id, _last_event(request))
        return event_stream(_as_events(happening), self.edge.drain)

    async def all_events(self, request: Request) -> Response:
        caller = await self.edge.identify(request)
        changes = self.jobs.changes(caller, _last_mark(request))
        return event_stream(_as_job_events(changes), self.edge.drain, retry=_RETRY_SECONDS)

    async def cancel(self, request: Request, job_id: JobId) -> Response:
        return await self._steer(request, lambda caller: self.jobs.cancel(caller, job_id))

    async def retry(self, request: Request, job_id: JobId) -> Response:
        async def order_again(caller: Caller) -> Job:
            await self.edge.admit(request, caller, 1)
            return await self.jobs.retry(caller, job_id)

        return await self._steer(request, order_again, status=202)

    async def rate(
        self, request: Request, job_id: JobId, rating: Annotated[RatingRequest, Depends(JsonBody(RatingRequest))]
    ) -> Response:
        return await self._steer(request, lambda caller: self.jobs.rate(caller, job_id, rating.stars, rating.comment))

    async def delete(self, request: Request, job_id: JobId) -> Response:
        caller = await self.edge.identify(request)
        await self.jobs.delete(caller, job_id)
        return Response(status_code=204)

    async def output(
        self,
        request: Request,
        job_id: JobId,
        n: OutputNumber,
        redirect: Annotated[
            bool,
            Query(
                description="Answer with the address of the bytes where they are stored, when there is one. Your "
                "credentials are not for that host; the address is a secret of a few minutes."
            ),
        ] = False,
    ) -> Response:
        caller = await self.edge.identify(request)
        if redirect and (link := await self.jobs.link_output(caller, job_id, n)):
            return redirect_response(link.url)
        return await self._bytes(request, caller, job_id, n)

    async def output_head(self, request: Request, job_id: JobId, n: OutputNumber) -> Response:
        return await self._bytes(request, await self.edge.identify(request), job_id, n)

    async def outputs(self, request: Request, job_id: JobId) -> Response:
        caller = await self.edge.identify(request)
        job = await self.jobs.get(caller, job_id)
        if job.status is PublicStatus.EXPIRED:
            raise Expired
        if not is_over(job):
            raise Conflict("The job is not over yet; wait for its end with `GET /v1/jobs/{id}?wait=20`.")
        if job.status is not PublicStatus.SUCCEEDED:
            return failure_response(request, job)
        return self.files.all(caller, job)

    async def _bytes(self, request: Request, caller: Caller, job_id: str, n: int) -> Response:
        found = await self.jobs.output(caller, job_id, n)
        return download_response(request, self.files.one(caller, job_id, n, found))

    async def _steer(self, request: Request, act: Callable[[Caller], Awaitable[Job]], status: int = 200) -> Response:
        """A command to a job. Its answer is kept for the same key after the fact: each of them is safe to repeat."""
        caller = await self.edge.identify(request)
        async with self.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            job = await act(caller)
            response = accepted_response(job) if status == 202 else job_response(job)
            return await claim.keep_now(response)


async def _as_events(happening: AsyncIterator[JobEvent]) -> AsyncIterator[Event]:
    async for item in happening:
        yield Event(item.id, item.event, item.data)


async def _as_job_events(changes: AsyncGenerator[Change, None]) -> AsyncIterator[Event]:
    async with aclosing(changes):
        async for change in changes:
            yield Event(change.mark, "job", change.job.model_dump(mode="json", by_alias=True))


def _last_event(request: Request) -> int:
    return _last_id(request, digits=9) or 0


def _last_mark(request: Request) -> int | None:
    return _last_id(request, digits=16)


def _last_id(request: Request, *, digits: int) -> int | None:
    """The event after which to go on. Raises InvalidRequest for an id that no event had."""
    value = request.headers.get("last-event-id", "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= digits):
        raise InvalidRequest("Last-Event-ID is the `id` of an event of this stream.")
    return int(value)


def router(edge: Edge[Caller], jobs: Jobs, fetching: Fetching) -> APIRouter:
    """The addresses of jobs."""
    on = JobEndpoints(edge, jobs, OutputFiles(jobs), fetching)
    routes = APIRouter(prefix="/v1/jobs", tags=["jobs"])
    _collection(routes, on)
    _one_job(routes, on)
    _commands(routes, on)
    _outputs(routes, on)
    is_job = partial(is_id, prefix=JOB_PREFIX)
    routes.routes.append(Shortcut("GET", "/v1/jobs/{job_id}", on.show_now, fits=is_job, scope=_READ))
    routes.routes.append(Shortcut("POST", "/v1/jobs", on.create_now, scope=_WRITE))
    return routes


def _collection(routes: APIRouter, on: JobEndpoints) -> None:
    routes.add_api_route(
        "",
        on.create,
        methods=["POST"],
        operation_id="create_job",
        openapi_extra=needs(_WRITE),
        summary="Order a conversion",
        description=f"What an earlier job of yours has made of the same files in the same way, and is kept, answers at "
        f"once and costs nothing: `status` is `succeeded` then, and `cache` is `hit`. {REUSE_MEANING}",
        status_code=202,
        responses=answers(Job, "Accepted; `Location` says where it is.", status=202)
        | answers(Quote, "With `dry_run`: what would be done.")
        | problems(402, 409, 410, 415, 422),
    )
    routes.add_api_route(
        "",
        on.page,
        methods=["GET"],
        operation_id="list_jobs",
        openapi_extra=needs(_READ),
        summary="Own jobs, newest first",
        responses=answers(JobPage, "One page."),
    )
    routes.add_api_route(  # before `/{job_id}`, which would take the word for an id
        "/events",
        on.all_events,
        methods=["GET"],
        operation_id="jobs_events",
        openapi_extra=needs(_READ),
        summary="What happens to all own jobs, as one stream of server-sent events",
        description="Events `job`; the data is the whole job as `GET /v1/jobs/{id}` shows it, whenever its status, "
        "stage, progress or place in the queue has changed (places beyond the 20th, when they have changed by a "
        "tenth). First comes every job that is not over. Resume with `Last-Event-ID`: then every job that changed "
        "since comes too. Ids are opaque. A change may come twice, none is left out; changes in quick succession come "
        "as one. A comment every 15 seconds while nothing happens.",
        response_class=Response,
        responses={
            200: {
                "description": "The stream; it does not end by itself.",
                "content": {"text/event-stream": {"schema": _JOB_EVENT}},
            }
        },
    )


def _one_job(routes: APIRouter, on: JobEndpoints) -> None:
    routes.add_api_route(
        "/{job_id}",
        on.show,
        methods=["GET"],
        operation_id="get_job",
        openapi_extra=needs(_READ),
        summary="A job; with `wait`, as soon as its status changes",
        responses=answers(Job, "The job.") | described(304, "The client has exactly this already (`If-None-Match`)."),
    )
    routes.add_api_route(
        "/{job_id}",
        on.delete,
        methods=["DELETE"],
        operation_id="delete_job",
        openapi_extra=needs(_WRITE),
        summary="Erase the job's inputs and outputs now",
        status_code=204,
        response_class=Response,
        responses={204: {"description": "Erased."}},
    )
    routes.add_api_route(
        "/{job_id}/events",
        on.events,
        methods=["GET"],
        operation_id="job_events",
        openapi_extra=needs(_READ),
        summary="What happens to the job, as server-sent events",
        response_class=Response,
        responses={
            200: {
                "description": "Events `state`, `progress` and `done`; a comment every 15 seconds. "
                "Resume with `Last-Event-ID`.",
                "content": {"text/event-stream": {"schema": _EVENT}},
            }
        },
    )


def _commands(routes: APIRouter, on: JobEndpoints) -> None:
    table: tuple[tuple[str, Callable[..., Awaitable[Response]], int, str], ...] = (
        ("cancel", on.cancel, 200, "Stop the job"),
        ("retry", on.retry, 202, "Try a failed or cancelled job again"),
        ("rating", on.rate, 200, "Say what you think of the result"),
    )
    for name, handler, status, summary in table:
        routes.add_api_route(
            f"/{{job_id}}/{name}",
            handler,
            methods=["POST"],
            operation_id=f"job_{name}",
            openapi_extra=needs(_WRITE),
            summary=summary,
            status_code=status,
            responses=answers(Job, "The job.", status=status) | problems(402, 409, 410, 415, 422),
        )


def _outputs(routes: APIRouter, on: JobEndpoints) -> None:
    bytes_answer = (
        described(200, "The bytes.", {"*/*": _BYTES})
        | described(206, "The bytes of the one `Range` asked for.", {"*/*": _BYTES})
        | described(304, "The client has these bytes already (`If-None-Match`).")
    )
    moved = described(302, "With `redirect`: `Location` has the bytes, for a `GET` without credentials.")
    routes.add_api_route(
        "/{job_id}/outputs/{n}",
        on.output,
        methods=["GET"],
        operation_id="get_output",
        openapi_extra=needs(_READ),
        summary="An output's bytes",
        response_class=Response,
        responses=bytes_answer | moved | problems(*_FAILURES, 416),
    )
    routes.add_api_route(
        "/{job_id}/outputs/{n}",
        on.output_head,
        methods=["HEAD"],
        operation_id="head_output",
        openapi_extra=needs(_READ),
        summary="What an output is, without its bytes",
        response_class=Response,
        responses=bytes_answer | problems(*_FAILURES, 416),
    )
    routes.add_api_route(
        "/{job_id}/outputs",
        on.outputs,
        methods=["GET"],
        operation_id="get_outputs",
        openapi_extra=needs(_READ),
        summary="All outputs as one ZIP",
        response_class=Response,
        responses=described(200, "A ZIP file.", {"application/zip": _BYTES}) | problems(*_FAILURES),
    )
