"""What is done for each request about jobs: who calls, what exactly is asked, the service, the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response

from filewright.chassis.web.body import read_body
from filewright.chassis.web.cursors import decode_cursor, encode_cursor
from filewright.chassis.web.downloads import download_response, redirect_response
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.problems import Conflict, InvalidRequest
from filewright.chassis.web.sse import Event, event_stream
from filewright.converter.errors import Expired
from filewright.converter.jobs.endpoints.answers import (
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
from filewright.converter.jobs.endpoints.keeping import keeping
from filewright.converter.jobs.endpoints.requests import MAX_TAG, JobRequest, RatingRequest
from filewright.converter.jobs.looking.feed import Change
from filewright.converter.jobs.looking.lookups import JOB_PREFIX
from filewright.converter.jobs.ordering.fetching import Fetching
from filewright.converter.jobs.schemas import Job, JobEvent, JobPage
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.states import PublicStatus
from filewright.converter.tiers import Caller

MAX_WAIT_SECONDS = 60.0
_EXAMPLE = "job_01jd6qx2v7c8e9f0g1h2j3k4m5"
JobId = Annotated[str, Path(description="The job's id, `job_…`.", examples=[_EXAMPLE])]
OutputNumber = Annotated[int, Path(ge=0, le=1_000_000, description="Counted from 0.", examples=[0])]
_RETRY_SECONDS = 1.0
_ORDER = JsonBody(JobRequest)


@dataclass(frozen=True)
class JobEndpoints:
    """Which address each has is in `routes.py`."""

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
