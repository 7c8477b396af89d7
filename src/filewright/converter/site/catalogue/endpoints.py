"""HTTP for what can be made of what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from filewright.chassis.web.openapi import answers, described, problems
from filewright.chassis.web.scopes import PUBLIC
from filewright.converter.conversion.converter import Converter
from filewright.converter.errors import UnsupportedFormat
from filewright.converter.formats.catalogue import Format, by_name
from filewright.converter.jobs.schemas import RouteStep
from filewright.converter.site.catalogue.listings import as_bytes, unless_known
from filewright.converter.site.catalogue.offers import Catalogue
from filewright.converter.site.catalogue.schemas import FormatList, OperationList, RouteView

Name = Annotated[
    str | None, Query(min_length=1, max_length=128, description="A format id, an extension or a media type.")
]


@dataclass(frozen=True)
class CatalogueEndpoints:
    """The handlers; `router` says which address each has."""

    catalogue: Catalogue
    converter: Converter

    async def formats(
        self,
        request: Request,
        source: Annotated[Name, Query(alias="from")] = None,
        target: Annotated[Name, Query(alias="to")] = None,
    ) -> Response:
        start = _known(source).id if source is not None else None
        goal = _known(target).id if target is not None else None
        if start is None and goal is None:
            return unless_known(request, await self.catalogue.all_formats())
        return unless_known(request, self.catalogue.formats_between(start, goal))

    async def route(
        self,
        source: Annotated[str, Query(alias="from", min_length=1, max_length=128)],
        target: Annotated[str, Query(alias="to", min_length=1, max_length=128)],
    ) -> Response:
        start, goal = _known(source).id, _known(target).id
        plan = self.converter.plan(start, goal)
        best = self.converter.planner.cheapest(start, goal)
        return _json(
            RouteView(
                source_format=start,
                target_format=goal,
                route=[RouteStep.model_validate(hop.as_json()) for hop in plan.route],
                lossy=best.lossy,
                several=best.many,
                estimated_seconds=plan.estimated_seconds,
                options=self.converter.schemas(start, goal),
            )
        )

    async def operations(self, request: Request) -> Response:
        return unless_known(request, self.catalogue.all_operations())


def router(catalogue: Catalogue, converter: Converter) -> APIRouter:
    """The addresses."""
    on = CatalogueEndpoints(catalogue, converter)
    routes = APIRouter(prefix="/v1", tags=["catalogue"])
    routes.add_api_route(
        "/formats",
        on.formats,
        methods=["GET"],
        operation_id="list_formats",
        openapi_extra=dict(PUBLIC),
        summary="Formats, and what each can be converted to",
        description="`from`: what that format can become. `to`: what can become that format. Both: whether one can "
        "become the other. Neither: all that can be made, or that something can be made of.",
        responses=answers(FormatList, "The formats.")
        | described(304, "The client has exactly this already (`If-None-Match`).")
        | problems(415),
    )
    routes.add_api_route(
        "/routes",
        on.route,
        methods=["GET"],
        operation_id="get_route",
        openapi_extra=dict(PUBLIC),
        summary="The chain of engines from one format to another",
        responses=answers(RouteView, "The route.") | problems(415, 422),
    )
    routes.add_api_route(
        "/operations",
        on.operations,
        methods=["GET"],
        operation_id="list_operations",
        openapi_extra=dict(PUBLIC),
        summary="What can be done, with a JSON Schema of what each takes",
        responses=answers(OperationList, "The operations.")
        | described(304, "The client has exactly this already (`If-None-Match`)."),
    )
    return routes


def _known(name: str) -> Format:
    found = by_name(name)
    if found is None:
        raise UnsupportedFormat(f"There is no format called {name[:40]!r}; `GET /v1/formats` lists those there are.")
    return found


def _json(model: BaseModel) -> Response:
    return Response(as_bytes(model), media_type="application/json", headers={"Cache-Control": "no-cache"})
