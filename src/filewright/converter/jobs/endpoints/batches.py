"""HTTP for batches: the same done with each of many files, ordered and looked at as one. Its jobs are like any other.

A batch is no more than a mark that its jobs have in common: it is there as long as one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from filewright.chassis.db.database import WriteSession
from filewright.chassis.ids import IdSource, is_id
from filewright.chassis.web.body import read_body
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.problems import NotFound
from filewright.chassis.web.scopes import needs
from filewright.converter.jobs.endpoints.answers import REUSE_MEANING, is_over, model_response, reuse_asked
from filewright.converter.jobs.endpoints.requests import BatchRequest
from filewright.converter.jobs.ordering.fetching import Fetching
from filewright.converter.jobs.schemas import Batch, Job
from filewright.converter.jobs.service import Jobs
from filewright.converter.tiers import Caller

BATCH_PREFIX = "bat"
_ORDER = JsonBody(BatchRequest)
BatchId = Annotated[str, Path(description="The batch's id, `bat_…`.", examples=["bat_01jd6qx2v7c8e9f0g1h2j3k4m5"])]


@dataclass(frozen=True)
class BatchEndpoints:
    """The handlers; `router` says which address each has."""

    edge: Edge[Caller]
    jobs: Jobs
    fetching: Fetching
    ids: IdSource

    async def create(self, request: Request, order: Annotated[BatchRequest, Depends(_ORDER)]) -> Response:
        caller = await self.edge.identify(request)
        await self.edge.admit(request, caller, len(order.inputs))
        async with self.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            batch = self.ids.new(BATCH_PREFIX)

            async def keep(session: WriteSession, jobs: Sequence[Job]) -> None:
                await claim.keep(session, _accepted(batch, jobs))

            asked = replace(order.as_order(reuse_asked(request)), batch=batch)
            if any(item.url is not None for item in asked.inputs):
                await self.jobs.check_room(caller)  # nothing is fetched for an order that would be refused
            async with self.fetching.brought(caller, asked) as brought:
                orders = [replace(brought, inputs=(item,)) for item in brought.inputs]
                jobs = await self.jobs.submit_all(caller, orders, within=keep if claim.keeps else None)
            return _accepted(batch, jobs)

    async def show(self, request: Request, batch_id: BatchId) -> Response:
        caller = await self.edge.identify(request)
        jobs = await self.jobs.of_batch(caller, batch_id) if is_id(batch_id, BATCH_PREFIX) else ()
        if not jobs:
            raise NotFound("There is no such batch.")
        return model_response(_batch(batch_id, jobs))


def router(edge: Edge[Caller], jobs: Jobs, fetching: Fetching, ids: IdSource) -> APIRouter:
    """The addresses."""
    on = BatchEndpoints(edge, jobs, fetching, ids)
    routes = APIRouter(prefix="/v1/batches", tags=["jobs"])
    routes.add_api_route(
        "",
        on.create,
        methods=["POST"],
        operation_id="create_batch",
        openapi_extra=needs("jobs:write"),
        summary="Order the same for many files",
        description=f"A job for each input, all of them or none. {REUSE_MEANING}",
        status_code=202,
        responses=answers(Batch, "Accepted; `Location` says where it is.", status=202)
        | problems(402, 409, 410, 415, 422),
    )
    routes.add_api_route(
        "/{batch_id}",
        on.show,
        methods=["GET"],
        operation_id="get_batch",
        openapi_extra=needs("jobs:read"),
        summary="A batch with its jobs as they are now",
        responses=answers(Batch, "The batch."),
    )
    return routes


def _accepted(batch: str, jobs: Sequence[Job]) -> Response:
    answer = model_response(_batch(batch, jobs))
    answer.status_code = 202
    answer.headers["Location"] = f"/v1/batches/{batch}"
    answer.headers["Retry-After"] = "1"
    return answer


def _batch(batch: str, jobs: Sequence[Job]) -> Batch:
    status = "finished" if all(is_over(job) for job in jobs) else "running"
    return Batch(id=batch, status=status, jobs=tuple(jobs), links={"self": f"/v1/batches/{batch}"})
