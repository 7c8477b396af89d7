"""The addresses of jobs, and what the contract says of each; what is done there is in `jobs.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Response

from filewright.chassis.ids import is_id
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.openapi import answers, described, problems
from filewright.chassis.web.scopes import needs
from filewright.chassis.web.shortcut import Shortcut
from filewright.converter.jobs.endpoints.answers import REUSE_MEANING, OutputFiles
from filewright.converter.jobs.endpoints.jobs import JobEndpoints
from filewright.converter.jobs.looking.lookups import JOB_PREFIX
from filewright.converter.jobs.ordering.fetching import Fetching
from filewright.converter.jobs.schemas import Job, JobPage, Quote
from filewright.converter.jobs.service import Jobs
from filewright.converter.tiers import Caller

_READ, _WRITE = "jobs:read", "jobs:write"
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
_FAILURES = (409, 410, 415, 422)
"""What a job may have ended with, as far as `ALWAYS` has it not."""


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
