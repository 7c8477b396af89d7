"""A way past the framework for the few addresses that are asked all the time.

To find the route among all and to check its parameters costs more than to answer. Shortcuts stand in front of the
framework and take only what they know at a glance: one method, no query, one path or one whose last segment is what it
should be. All else goes the long way, where the same address is described, checked and documented.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.datastructures import URLPath
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from filewright.chassis.web.problems import InvalidRequest, problem_response


class Shortcut(BaseRoute):
    """`path` is how the address is called in measurements; what it ends with in braces is something that `fits`."""

    def __init__(
        self,
        method: str,
        path: str,
        answer: Callable[[Request, str], Awaitable[Response]],
        *,
        fits: Callable[[str], bool] | None = None,
        scope: str | None = None,
    ) -> None:
        self.path = path
        self.scope = scope
        """What the caller must be allowed, as on the long way (`scopes.py`)."""
        self._method = method
        self._prefix = path.partition("{")[0]
        self._fits = fits or (lambda rest: not rest)
        self._found = {"route": self, "endpoint": answer, "path_params": {}}
        self._answer = answer

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path: str = scope["path"]
        if (
            scope.get("method") == self._method  # a websocket has none
            and not scope["query_string"]
            and path.startswith(self._prefix)
            and self._fits(path[len(self._prefix) :])
        ):
            return Match.FULL, self._found
        return Match.NONE, {}

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(Request(scope, receive, send), scope["path"][len(self._prefix) :])
        except ClientDisconnect:  # nobody listens any more; the server drops this
            response = problem_response(InvalidRequest("The request ended too early."), scope)
        await response(scope, receive, send)

    @override
    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)


class Shortcuts:
    """ASGI middleware: the last before the framework. What a shortcut raises is left to those around."""

    def __init__(self, app: ASGIApp, shortcuts: Sequence[Shortcut]) -> None:
        self._app = app
        self._shortcuts = shortcuts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for shortcut in self._shortcuts:
                match, found = shortcut.matches(scope)
                if match is Match.FULL:
                    scope.update(found)
                    await shortcut.handle(scope, receive, send)
                    return
        await self._app(scope, receive, send)
