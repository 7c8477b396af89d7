"""What can be made of what: formats, routes and operations, for whoever wants to know before sending a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from filewright.chassis.web.openapi import answers, problems
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.registry import Registry
from filewright.converter.errors import UnsupportedFormat
from filewright.converter.formats.catalogue import FORMATS, Format, by_name
from filewright.converter.jobs.orders import CONVERT
from filewright.converter.jobs.schemas import RouteStep

Name = Annotated[
    str | None, Query(min_length=1, max_length=128, description="A format id, an extension or a media type.")
]


class FormatView(BaseModel):
    """A format, and what can be made of it."""

    id: str
    name: str
    family: str
    extensions: Sequence[str]
    media_types: Sequence[str]
    targets: Sequence[str]


class FormatList(BaseModel):
    """All of them on one page."""

    data: Sequence[FormatView]
    next_cursor: str | None


class RouteView(BaseModel):
    """The chain of steps from one format to another, and what may be set on the way."""

    source_format: str
    target_format: str
    route: Sequence[RouteStep]
    lossy: bool
    several: bool
    """Whether it may give more than one file."""
    estimated_seconds: float
    """CPU time for a typical small file."""
    options: Mapping[str, Any]
    """JSON Schema of each option, by name."""


class OperationView(BaseModel):
    """Something that can be done. `parameters` is the JSON Schema of what an order of it takes."""

    id: str
    summary: str
    parameters: Mapping[str, Any]


class OperationList(BaseModel):
    """All of them on one page."""

    data: Sequence[OperationView]
    next_cursor: str | None


@dataclass(frozen=True)
class Catalogue:
    """The handlers. Everything here is made once: engines do not come and go while the process runs."""

    converter: Converter
    registry: Registry

    def targets(self, format_id: str) -> Sequence[str]:
        """What can be made of it, nearest first."""
        return [route.target for route in self.converter.planner.targets(format_id)]

    async def formats(
        self,
        source: Annotated[Name, Query(alias="from")] = None,
        target: Annotated[Name, Query(alias="to")] = None,
    ) -> Response:
        start = _known(source).id if source is not None else None
        goal = _known(target).id if target is not None else None
        views = [self._view(item) for item in FORMATS.values()]
        targets = {view.id: view.targets for view in views}
        return _json(
            FormatList(data=[view for view in views if _belongs(view, targets, start, goal)], next_cursor=None)
        )

    async def route(
        self,
        source: Annotated[str, Query(alias="from", min_length=1, max_length=128)],
        target: Annotated[str, Query(alias="to", min_length=1, max_length=128)],
    ) -> Response:
        plan = self.converter.plan(_known(source).id, _known(target).id)
        best = self.converter.planner.cheapest(plan.source_format, plan.target_format)
        return _json(
            RouteView(
                source_format=plan.source_format,
                target_format=plan.target_format,
                route=[RouteStep.model_validate(hop.as_json()) for hop in plan.route],
                lossy=best.lossy,
                several=best.many,
                estimated_seconds=plan.estimated_seconds,
                options=self.converter.schemas(plan.source_format, plan.target_format),
            )
        )

    async def operations(self) -> Response:
        convert = OperationView(
            id=CONVERT, summary="Turn a file into another format", parameters=_convert_schema(self.registry)
        )
        return _json(OperationList(data=[convert], next_cursor=None))

    def _view(self, item: Format) -> FormatView:
        return FormatView(
            id=item.id,
            name=item.name,
            family=item.family,
            extensions=item.extensions,
            media_types=item.media_types,
            targets=self.targets(item.id),
        )


def router(catalogue: Catalogue) -> APIRouter:
    """The addresses."""
    routes = APIRouter(prefix="/v1", tags=["catalogue"])
    routes.add_api_route(
        "/formats",
        catalogue.formats,
        methods=["GET"],
        operation_id="list_formats",
        summary="Formats, and what each can be converted to",
        description="`from`: what that format can become. `to`: what can become that format. Both: whether one can "
        "become the other. Neither: all that can be made, or that something can be made of.",
        responses=answers(FormatList, "The formats.") | problems(415),
    )
    routes.add_api_route(
        "/routes",
        catalogue.route,
        methods=["GET"],
        operation_id="get_route",
        summary="The chain of engines from one format to another",
        responses=answers(RouteView, "The route.") | problems(415, 422),
    )
    routes.add_api_route(
        "/operations",
        catalogue.operations,
        methods=["GET"],
        operation_id="list_operations",
        summary="What can be done, with a JSON Schema of what each takes",
        responses=answers(OperationList, "The operations."),
    )
    return routes


def _convert_schema(registry: Registry) -> dict[str, Any]:
    """The union of what all conversions take; which of it one route takes, `GET /v1/routes` says."""
    options: dict[str, Any] = {}
    for _, conversion in registry.abilities():
        for name, schema in conversion.options.items():
            options.setdefault(name, schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["to"],
        "properties": {
            "to": {"type": "string", "description": "Format id, extension or media type."},
            "options": {"type": "object", "properties": options, "additionalProperties": False},
            "password": {"type": "string"},
        },
    }


def _belongs(view: FormatView, targets: Mapping[str, Sequence[str]], start: str | None, goal: str | None) -> bool:
    """The same answer as `filewright formats`."""
    if start is not None and goal is not None:
        return view.id == start and goal in view.targets
    if start is not None:
        return view.id in targets[start]
    if goal is not None:
        return goal in view.targets
    return bool(view.targets) or any(view.id in found for found in targets.values())


def _known(name: str) -> Format:
    found = by_name(name)
    if found is None:
        raise UnsupportedFormat(f"There is no format called {name[:40]!r}; `GET /v1/formats` lists those there are.")
    return found


def _json(model: BaseModel) -> Response:
    body = orjson.dumps(model.model_dump(mode="json", by_alias=True))
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-cache"})
