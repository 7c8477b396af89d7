"""The application factory: routers in, an app out that answers every error as a problem.

What a product adds are routers, health checks and a description. What every answer has in common is in `middleware`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from filewright.chassis.clock import Clock
from filewright.chassis.errors import ProblemError
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web import health, openapi
from filewright.chassis.web.compression import Compressed
from filewright.chassis.web.jsonbody import validation_refusal
from filewright.chassis.web.middleware import (
    BodyWatch,
    Faults,
    Measured,
    Refused,
    RequestContext,
    RequestLimits,
    SecurityHeaders,
)
from filewright.chassis.web.problems import (
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    problem_response,
)
from filewright.chassis.web.reference import reference_router
from filewright.chassis.web.shortcut import Shortcut, Shortcuts

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

ALWAYS = (400, 401, 403, 404, 405, 408, 413, 429, 500, 503)
"""Problems that any operation may answer."""


_UNUSED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""Of the framework: it would look at each request whether somebody wants it. `Measured` counts."""


@dataclass(frozen=True)
class Site:
    """What the application says about itself."""

    title: str
    version: str
    description: str


def _nobody_listens(_request: Request, _error: ProblemError) -> None:
    """For whoever keeps no book of refusals."""


@asynccontextmanager
async def _nothing_to_start(_app: FastAPI) -> AsyncIterator[None]:
    yield


def create_web_app(
    site: Site,
    *,
    routers: Iterable[APIRouter],
    state_of_health: health.Health,
    metrics: Metrics,
    clock: Clock,
    lifespan: Lifespan = _nothing_to_start,
    guards: Sequence[Middleware] = (),
    refused: Refused = _nobody_listens,
) -> FastAPI:
    """The application. `lifespan` starts and stops what must run beside the requests.

    `guards` stand around everything that a request can reach; what they answer has an id and is measured like the rest.
    `refused` hears of every problem that an endpoint raises, before it is answered.
    """
    routers = tuple(routers)
    shortcuts = [route for router in routers for route in router.routes if isinstance(route, Shortcut)]
    app = FastAPI(
        title=site.title,
        version=site.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry=_UNUSED,
        middleware=[
            Middleware(RequestContext),
            Middleware(SecurityHeaders),
            Middleware(Measured, metrics=metrics, clock=clock),
            *guards,
            Middleware(Compressed),
            Middleware(BodyWatch),
            Middleware(Faults, refused=refused),
            Middleware(RequestLimits, clock=clock),
            Middleware(Shortcuts, shortcuts=shortcuts),
        ],
        exception_handlers={
            ProblemError: partial(_problem, refused),
            HTTPException: _http_exception,
            RequestValidationError: _validation,
            ClientDisconnect: _gone,
        },
    )
    openapi.install(app, always=ALWAYS, description=site.description)
    for router in (health.router(state_of_health), _document_router(app), reference_router(app), *routers):
        # Not `include_router`: that wraps each router, and neither the document nor `Allow` can look inside.
        app.router.routes.extend(router.routes)
    return app


def _document_router(app: FastAPI) -> APIRouter:
    routes = APIRouter()

    @routes.get("/openapi.json", include_in_schema=False)
    async def document() -> Response:
        return Response(orjson.dumps(app.openapi()), media_type="application/json")

    return routes


async def _problem(refused: Refused, request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    refused(request, error)
    return problem_response(error, request.scope)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return problem_response(NotFound("There is nothing at this address."), request.scope, headers)
    if error.status_code == 405:
        allowed = ", ".join(_methods_at(request))
        return problem_response(MethodNotAllowed(f"This address takes {allowed}."), request.scope, {"Allow": allowed})
    if error.status_code == 403:
        return problem_response(Forbidden(), request.scope, headers)
    return problem_response(InvalidRequest("The request cannot be read."), request.scope, headers)


def _methods_at(request: Request) -> list[str]:
    """Every method of the address; each route knows only its own."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.path_regex.match(request.scope["path"]):
            found |= route.methods or set()
    return sorted(found)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [{**item, "loc": item["loc"][1:]} for item in error.errors()]  # without `query`, `path`, `header`
    return problem_response(validation_refusal(found), request.scope)  # type: ignore[arg-type] # plain dicts


async def _gone(request: Request, _error: Exception) -> Response:
    """Nobody listens any more; the server drops this."""
    return problem_response(InvalidRequest("The request ended too early."), request.scope)
