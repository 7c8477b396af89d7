"""Every request is for one caller: until that caller is known, the database shows it nothing of anybody's.

Whoever finds out who calls says so (`acting.known`). A request that nobody says it of goes on for nobody.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from filewright.chassis.db import acting


class OfOneCaller:
    """ASGI middleware, around everything that asks the database."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The lifespan is no request: what starts there runs for the service."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        with acting.within_request():
            await self._app(scope, receive, send)
