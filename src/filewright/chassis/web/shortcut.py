"""A way past the framework for the one address that is asked all the time.

To find the route among all and to check its parameters costs more than to answer. A shortcut stands in front of the
routes and takes only what it knows at a glance: a GET without a query whose last segment is what it should be. All else
goes the long way, where the same address is described, checked and documented.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import URLPath
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send
from typing_extensions import override


class Shortcut(BaseRoute):
    """`prefix` and then something that `fits`; `path` is how the address is called in measurements."""

    def __init__(
        self,
        prefix: str,
        fits: Callable[[str], bool],
        answer: Callable[[Request, str], Awaitable[Response]],
        *,
        path: str,
        scope: str | None = None,
    ) -> None:
        self.path = path
        self.scope = scope
        """What the caller must be allowed, as on the long way (`scopes.py`)."""
        self._prefix = prefix
        self._fits = fits
        self._answer = answer

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path: str = scope["path"]
        if (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and not scope["query_string"]
            and path.startswith(self._prefix)
            and self._fits(path[len(self._prefix) :])
        ):
            return Match.FULL, {"route": self, "endpoint": self._answer, "path_params": {}}
        return Match.NONE, {}

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive, send), scope["path"][len(self._prefix) :])
        await response(scope, receive, send)

    @override
    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)
