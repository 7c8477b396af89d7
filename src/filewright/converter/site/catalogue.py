"""What can be made of what: formats, routes and operations, for whoever wants to know before sending a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

import filewright
from filewright.chassis.cache.port import Cache, Kind, Shared
from filewright.chassis.web.openapi import answers, described, problems
from filewright.chassis.web.preferences import etag_matches
from filewright.chassis.web.scopes import PUBLIC
from filewright.converter.choices.service import Choices
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.registry import Registry
from filewright.converter.errors import UnsupportedFormat
from filewright.converter.formats.catalogue import FORMATS, Format, by_name
from filewright.converter.jobs.orders import CONVERT
from filewright.converter.jobs.schemas import RouteStep
from filewright.converter.operations.descriptions import described as operations_described
from filewright.converter.operations.registry import Operators

_SHARED = "public, max-age=0, s-maxage=10, stale-while-revalidate=60, stale-if-error=3600"
"""The same for everybody. A browser asks each time, and mostly has it already; an edge asks every ten seconds."""

Name = Annotated[
    str | None, Query(min_length=1, max_length=128, description="A format id, an extension or a media type.")
]


class FormatView(BaseModel):
    """A format, and what can be made of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "csv",
                    "name": "Comma-separated values",
                    "family": "sheet",
                    "extensions": ["csv"],
                    "media_types": ["text/csv"],
                    "targets": ["json", "xlsx", "ods", "parquet", "html", "pdf"],
                    "suggested_targets": ["xlsx", "json", "parquet", "pdf", "ods", "html"],
                }
            ]
        }
    )

    id: str
    name: str
    family: str
    extensions: Sequence[str]
    media_types: Sequence[str]
    targets: Annotated[Sequence[str], Field(description="What can be made of it, nearest first.")]
    suggested_targets: Annotated[
        Sequence[str],
        Field(max_length=6, description="Those of `targets` that are likeliest to be wanted, best first."),
    ]


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

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "rotate",
                    "summary": "Turn pages or pictures",
                    "inputs": {"min": 1, "max": 1},
                    "sources": ["pdf"],
                    "targets": ["pdf"],
                    "parameters": {"type": "object", "properties": {"options": {"type": "object"}}},
                    "variants": [
                        {
                            "source": "pdf",
                            "target": "pdf",
                            "several": False,
                            "engine": "qpdf",
                            "required": [],
                            "options": {"degrees": {"enum": [90, 180, 270, -90], "default": 90}},
                        }
                    ],
                }
            ]
        }
    )

    id: str
    summary: str
    inputs: Annotated[Mapping[str, int], Field(description="How many files it takes at once: `min` and `max`.")]
    sources: Annotated[
        Sequence[str],
        Field(description="Formats that it takes as they are; `*` is any. Of `convert`: see formats."),
    ]
    targets: Annotated[Sequence[str], Field(description="Formats that it gives; `*` is whatever is in the file.")]
    parameters: Annotated[Mapping[str, Any], Field(description="JSON Schema of an order of it.")]
    variants: Annotated[
        Sequence[Mapping[str, Any]],
        Field(description="What it takes and gives for each format, with which options."),
    ] = ()


class OperationList(BaseModel):
    """All of them on one page."""

    data: Sequence[OperationView]
    next_cursor: str | None


@dataclass(frozen=True)
class Listing:
    """The whole list as it is sent, with its entity tag."""

    body: bytes
    etag: str


@dataclass(frozen=True)
class _Suggestions:
    """All of them as they were at a revision of the choices. `state` is another whenever the list would be."""

    revision: int
    targets: Mapping[str, Sequence[str]]
    state: str


class Catalogue:
    """The handlers. What there is, is found once: engines do not come and go while the process runs. Only the order of
    the suggestions moves.
    """

    def __init__(
        self, converter: Converter, registry: Registry, operators: Operators, choices: Choices, cache: Cache
    ) -> None:
        self.converter = converter
        self.operators = operators
        self._offered: Listing | None = None
        self.registry = registry
        self.choices = choices
        self.cache = cache
        self._targets: dict[str, Sequence[str]] = {}
        self._suggestions = _Suggestions(-1, {}, "")

    def targets(self, format_id: str) -> Sequence[str]:
        """What can be made of it, nearest first."""
        if format_id not in self._targets:
            self._targets[format_id] = [route.target for route in self.converter.planner.targets(format_id)]
        return self._targets[format_id]

    def find_all(self) -> None:
        """Find every target now, so that the first one who asks does not wait; in any thread."""
        for format_id in FORMATS:
            self.targets(format_id)

    def suggested(self, format_id: str) -> Sequence[str]:
        """What is likeliest to be wanted of it, best first."""
        return self.choices.suggest(format_id, self.targets(format_id))

    async def formats(
        self,
        request: Request,
        source: Annotated[Name, Query(alias="from")] = None,
        target: Annotated[Name, Query(alias="to")] = None,
    ) -> Response:
        start = _known(source).id if source is not None else None
        goal = _known(target).id if target is not None else None
        if start is None and goal is None:
            return _unless_known(request, await self._all())
        return _unless_known(request, _listing(self._list(start, goal, self.suggested)))

    async def _all(self) -> Listing:
        """The whole list, which every page that opens asks for. The key says what it is made from, so none is old, and
        processes that would make the same send the same, down to the entity tag.
        """
        now = self._suggestions_now()

        async def make() -> Listing:
            return _listing(self._list(None, None, lambda format_id: now.targets[format_id]))

        return await self.cache.get(FORMAT_LIST, now.state, make)

    def _suggestions_now(self) -> _Suggestions:
        revision = self.choices.revision
        if self._suggestions.revision != revision:
            suggested = {format_id: self.suggested(format_id) for format_id in FORMATS}
            # The registry's formats are those of this version of the program; its targets those of the engines here.
            depends_on = orjson.dumps([filewright.__version__, self._targets, suggested], option=orjson.OPT_SORT_KEYS)
            state = hashlib.blake2b(depends_on, digest_size=16).hexdigest()
            self._suggestions = _Suggestions(revision, suggested, state)
        return self._suggestions

    def _list(self, start: str | None, goal: str | None, suggested: Callable[[str], Sequence[str]]) -> bytes:
        targets = {format_id: self.targets(format_id) for format_id in FORMATS}
        shown = [self._view(item, suggested) for item in FORMATS.values() if _belongs(item.id, targets, start, goal)]
        return _bytes(FormatList(data=shown, next_cursor=None))

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
        return _unless_known(request, self._operations())

    def _operations(self) -> Listing:
        """Made once: what is offered does not change while the process runs."""
        if self._offered is None:
            convert = OperationView(
                id=CONVERT,
                summary="Turn a file into another format",
                inputs={"min": 1, "max": 1},
                sources=[],
                targets=[],
                parameters=_convert_schema(self.registry),
            )
            views = [OperationView.model_validate(described) for described in operations_described(self.operators)]
            self._offered = _listing(_bytes(OperationList(data=[convert, *views], next_cursor=None)))
        return self._offered

    def _view(self, item: Format, suggested: Callable[[str], Sequence[str]]) -> FormatView:
        return FormatView(
            id=item.id,
            name=item.name,
            family=item.family,
            extensions=item.extensions,
            media_types=item.media_types,
            targets=self.targets(item.id),
            suggested_targets=suggested(item.id),
        )


def router(catalogue: Catalogue) -> APIRouter:
    """The addresses."""
    routes = APIRouter(prefix="/v1", tags=["catalogue"])
    routes.add_api_route(
        "/formats",
        catalogue.formats,
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
        catalogue.route,
        methods=["GET"],
        operation_id="get_route",
        openapi_extra=dict(PUBLIC),
        summary="The chain of engines from one format to another",
        responses=answers(RouteView, "The route.") | problems(415, 422),
    )
    routes.add_api_route(
        "/operations",
        catalogue.operations,
        methods=["GET"],
        operation_id="list_operations",
        openapi_extra=dict(PUBLIC),
        summary="What can be done, with a JSON Schema of what each takes",
        responses=answers(OperationList, "The operations.")
        | described(304, "The client has exactly this already (`If-None-Match`)."),
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


def _belongs(format_id: str, targets: Mapping[str, Sequence[str]], start: str | None, goal: str | None) -> bool:
    """The same answer as `filewright formats`."""
    if start is not None and goal is not None:
        return format_id == start and goal in targets[format_id]
    if start is not None:
        return format_id in targets[start]
    if goal is not None:
        return goal in targets[format_id]
    return bool(targets[format_id]) or any(format_id in found for found in targets.values())


def _known(name: str) -> Format:
    found = by_name(name)
    if found is None:
        raise UnsupportedFormat(f"There is no format called {name[:40]!r}; `GET /v1/formats` lists those there are.")
    return found


def _listing(body: bytes) -> Listing:
    return Listing(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


FORMAT_LIST = Kind[Listing](
    "formats",
    1,
    weigh=lambda listing: len(listing.body),
    seconds=300.0,
    shared=Shared(lambda listing: listing.body, _listing),
)


def _unless_known(request: Request, listing: Listing) -> Response:
    """The list, or 304 for a client that has it."""
    headers = {"Cache-Control": _SHARED, "ETag": listing.etag}
    if etag_matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(listing.body, media_type="application/json", headers=headers)


def _json(model: BaseModel) -> Response:
    return Response(_bytes(model), media_type="application/json", headers={"Cache-Control": "no-cache"})


def _bytes(model: BaseModel) -> bytes:
    return orjson.dumps(model.model_dump(mode="json", by_alias=True))
