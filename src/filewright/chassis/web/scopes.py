"""What a caller must be allowed to do before a route does anything: said where the route is, and nowhere else.

    routes.add_api_route("/things", …, openapi_extra=needs("things:read"))
    routes.add_api_route("/formats", …, openapi_extra=PUBLIC)

The same words stand in the OpenAPI document and are what `require` goes by. A route that says nothing lets nobody in,
and `guard` finds it when the application is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from filewright.chassis.web.problems import Forbidden
from filewright.chassis.web.shortcut import Shortcut

BEARER = "bearer"
PUBLIC: Mapping[str, Any] = {"security": []}
"""Of a route that asks nobody who they are, or sees to it itself."""


class MissingScope(Forbidden):
    """The caller is known, and not allowed this."""


class Undeclared(Exception):
    """A route does not say what a caller must be allowed."""


def needs(scope: str, **more: Any) -> dict[str, Any]:
    """For a route's `openapi_extra`: callers need this scope. Whether some need no token is the operator's choice."""
    return {"security": [{BEARER: [scope]}, {}], **more}


def scope_of(route: BaseRoute | None) -> str | None:
    """The scope that the route needs; None for a public one. Raises Undeclared."""
    if isinstance(route, Shortcut):
        if route.scope is None:
            raise Undeclared(route.path)
        return route.scope
    declared = route.openapi_extra if isinstance(route, APIRoute) else None
    if declared is None or "security" not in declared:
        raise Undeclared(str(getattr(route, "path", route)))
    security = declared["security"]
    return str(security[0][BEARER][0]) if security else None


def require(request: Request, scopes: frozenset[str]) -> None:
    """Raises Forbidden unless these scopes hold what the request's route needs."""
    needed = scope_of(request.scope.get("route"))
    if needed is not None and needed not in scopes:
        raise MissingScope(f"This needs the scope `{needed}`, which your token or key does not have.")


def guard(routes: Iterable[BaseRoute], identify: Callable[[Request], Awaitable[object]]) -> None:
    """Let `identify` have its say on every route that needs a scope, before anything of the request is looked at.

    So a stranger is told that they are one, and not what is wrong with their body; and a handler that forgets to ask
    is guarded all the same. Raises Undeclared for a route of the API that says nothing.
    """
    for route in routes:
        if _declares(route) and scope_of(route) is not None and isinstance(route, APIRoute):
            route.app = _Guarded(route.app, identify)


def _declares(route: BaseRoute) -> bool:
    """Whether the route is one of the API, or says what it needs although it is not shown there."""
    if isinstance(route, APIRoute):
        return route.include_in_schema or "security" in (route.openapi_extra or {})
    return isinstance(route, Shortcut)


class _Guarded:
    """What a route does, behind its guard."""

    def __init__(self, app: ASGIApp, identify: Callable[[Request], Awaitable[object]]) -> None:
        self._app = app
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._identify(Request(scope, receive, send))
        await self._app(scope, receive, send)
