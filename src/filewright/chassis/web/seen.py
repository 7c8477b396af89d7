"""Tell each client how far it has seen, so that a replica may answer it without ever showing it less.

    Consistency-Token: 00000000015f3a28

An answer that rests on the database carries one. Who sends the greatest it has got with a GET or HEAD may be answered
by a replica; who sends none is answered by the primary, always rightly. See `chassis.db.horizon`.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filewright.chassis.db import horizon
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.db.horizon import Horizon

HEADER = "Consistency-Token"
_LOOKING = frozenset({"GET", "HEAD"})


class SeenSoFar:
    """Needed only where there are replicas."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app = app
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = Headers(scope=scope).get(HEADER, "")
        seeing = Horizon(horizon.from_token(token) if scope["method"] in _LOOKING else None)

        async def send_with_token(message: Message) -> None:
            if message["type"] == "http.response.start" and (position := await self._seen(seeing)):
                MutableHeaders(scope=message)[HEADER] = horizon.to_token(position)
            await send(message)

        with horizon.within(seeing):
            await self._app(scope, receive, send_with_token)

    async def _seen(self, seeing: Horizon) -> int:
        """What the answer rests on; 0 when that is nothing, or cannot be told any more."""
        if not seeing.on_primary:
            return seeing.reached
        try:
            return max(seeing.reached, await self._database.position())
        except DatabaseUnavailable:
            return 0
