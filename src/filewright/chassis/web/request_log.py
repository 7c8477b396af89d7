"""Write down every request to the API, off its path: a request adds one value to a list, a loop writes the list.

What is not yet written when a process dies is lost, and when the database is away for long the newest are: this is for
answering "what did my client do last week", not for money or blame. Usage and the audit log have their own ways.
"""

from __future__ import annotations

import random
from collections import deque
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import Table
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filewright.chassis.clock import Clock
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.request_log_model import ApiRequestRow

BATCH = 500
MOST_WAITING = 20_000
"""Requests that wait to be written; about 10 MB. More are only counted."""
_TABLE = cast(Table, ApiRequestRow.__table__)
_ROUTES = "/v1/"
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Answered(NamedTuple):
    """A request that is over. The fields are the columns of the table."""

    at: datetime
    id: int
    tenant: str
    method: str
    route: str
    status: int
    seconds: float
    bytes_in: int
    bytes_out: int
    request_id: str


class RequestLog:
    """What waits to be written."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics, *, most: int = MOST_WAITING) -> None:
        self.clock = clock
        self._database = database
        self._most = most
        self._waiting: deque[Answered] = deque()
        self._lost = metrics.counter("request_log_lost", "Requests that were not written down, for want of room.")

    def add(self, answered: Answered) -> None:
        """Keep it for the next batch."""
        if len(self._waiting) < self._most:
            self._waiting.append(answered)
        else:
            self._lost.inc()

    async def write_once(self) -> int:
        """Write one batch; how many. Raises DatabaseUnavailable, and has them still then."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        if not batch:
            return 0
        try:
            await self._database.append(_TABLE, [answered._asdict() for answered in batch])
        except DatabaseUnavailable:
            self._waiting.extendleft(reversed(batch))
            raise
        return len(batch)

    async def close(self) -> None:
        """Write what is left, if the database takes it."""
        try:
            while await self.write_once():
                pass
        except DatabaseUnavailable:
            self._lost.inc(len(self._waiting))


class Recorded:
    """Tell the log of each request to a known route of the API when its last byte is sent."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_ROUTES):
            await self._app(scope, receive, send)
            return
        began, status, sent = self._log.clock.monotonic(), 0, 0

        async def send_counting(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_counting)
        finally:
            self._log.add(self._answered(scope, began, status, sent))

    def _answered(self, scope: Scope, began: float, status: int, sent: int) -> Answered:
        clock, state = self._log.clock, scope.get("state", {})
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        return Answered(
            at=clock.now(),
            id=random.getrandbits(63),
            tenant=state.get("tenant", ""),
            method=scope["method"] if scope["method"] in _KNOWN_METHODS else "other",
            route=getattr(scope.get("route"), "path", "unmatched"),
            status=status,
            seconds=clock.monotonic() - began,
            bytes_in=int(length) if length.isdigit() and len(length) < 19 else 0,
            bytes_out=sent,
            request_id=state.get("request_id", ""),
        )
