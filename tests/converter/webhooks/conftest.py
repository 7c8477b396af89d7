"""A receiver at a real port, and the post office that sends to it, on the jobs' real database."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import time_machine
from sqlalchemy import select
from standardwebhooks import Webhook as IndependentVerifier

from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.audit.seals import Seals
from filewright.chassis.db.database import Database
from filewright.chassis.egress.client import Egress
from filewright.chassis.egress.wire import Policy
from filewright.chassis.testing.clock import FakeClock
from filewright.converter.tiers import Caller
from filewright.converter.webhooks.events import Event
from filewright.converter.webhooks.fanout import FanOut
from filewright.converter.webhooks.models import DeliveryRow
from filewright.converter.webhooks.sender import Sender
from filewright.converter.webhooks.service import Wanted, Webhooks
from tablekit import database_clock, database_schema

__all__ = ["database_clock", "database_schema"]

SECRET = b"s" * 32
LOOPBACK = Policy((ipaddress.ip_network("127.0.0.0/8"),))


@dataclass
class Got:
    """One request, as the receiver saw it."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return orjson.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str, clock: FakeClock) -> dict[str, Any]:
        """By the standard's own library."""
        with time_machine.travel(clock.now(), tick=False):
            return IndependentVerifier(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Answers with the statuses it is told to, the last one for ever; `hold` lets it keep everybody waiting."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [204])
    more: str = ""
    got: list[Got] = field(default_factory=list)
    hold: asyncio.Event | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def kill(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.got.append(Got(headers, body))
            self.came.set()
            if self.hold is not None:
                await self.hold.wait()
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            writer.write(f"HTTP/1.1 {status} So\r\n{self.more}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    opened = Receiver()
    await opened.open()
    try:
        yield opened
    finally:
        if opened.hold is not None:
            opened.hold.set()
        opened.kill()


@pytest.fixture
def another() -> Callable[..., Any]:
    return receiving


class PostOffice:
    """Everything between the end of a job and a receiver."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        self.database: Database = shop.database
        self.egress = Egress(LOOPBACK, metrics=shop.metrics)
        self.audit = Audit(self.database, Seals(SECRET))
        self.webhooks = Webhooks(self.database, self.egress, shop.sealer, SECRET, shop.ids, self.audit)
        self.fanout = FanOut(self.database, shop.ids)
        self.sender = self.new_sender()

    def new_sender(self, **more: Any) -> Sender:
        given = {"metrics": self.shop.metrics, **more}
        return Sender(self.database, self.egress, self.shop.sealer, SECRET, self.audit, **given)

    async def acts(self):
        """All that is written down, in its order."""
        async with self.database.read() as session:
            return (await session.scalars(select(AuditLogRow.action).order_by(AuditLogRow.id))).all()

    async def register(self, caller: Caller, url: str, *events: Event) -> tuple[str, str]:
        row, secret = await self.webhooks.create(caller, Wanted(url=url, events=events))
        return row.id, secret

    async def send(self) -> int:
        """Until nothing more is due now."""
        total = 0
        while True:
            done = await self.fanout.run_once() + await self.sender.run_once()
            await self.sender.idle()
            total += done
            if not done:
                return total

    async def deliveries(self) -> list[DeliveryRow]:
        async with self.database.read() as session:
            return list((await session.scalars(select(DeliveryRow).order_by(DeliveryRow.id))).all())


@pytest.fixture
async def post(shop: Any) -> AsyncIterator[PostOffice]:
    office = PostOffice(shop)
    yield office
    await office.sender.close()
