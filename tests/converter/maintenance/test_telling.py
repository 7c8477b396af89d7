"""Alarms are posted where the operator wants them, and a pager that is away holds nothing up."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
from sqlalchemy import select

from filewright.chassis.audit.alarms import PATTERNS, Alarms, Pattern
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.watch import Watch
from filewright.chassis.egress.client import Egress
from filewright.chassis.egress.wire import Policy
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.maintenance.telling import AlarmCalls

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HERE = Policy((ip_network("127.0.0.0/8"),))
RULES = {name: Pattern(2, 60, rule.what) for name, rule in PATTERNS.items()}


@asynccontextmanager
async def pager(status):
    """Answers everybody with that status; gives its address, and the requests that it heard."""
    heard = []

    async def hear(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-len"))
        heard.append((head.split(b"\r\n", 1)[0].decode(), json.loads(await reader.readexactly(length))))
        writer.write(f"HTTP/1.1 {status} As Told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", heard


@pytest.fixture
def watching(database, clock):
    """A watch whose alarms go to that address."""

    def made(url, policy=HERE):
        audit = Audit(database, Seals(b"a secret of more than thirty-two bytes"))
        watch = Watch(database, audit, Alarms(clock, Metrics(), RULES), clock, Metrics())
        watch.tell_afterwards(AlarmCalls(Egress(policy), url, RULES, audit.mark).tell)
        return watch

    return made


async def burst(watch):
    for pattern in ("token_forged", "enumeration"):
        watch.seen(pattern, "ip:203.0.113.9")
        watch.seen(pattern, "ip:203.0.113.9")
    assert await watch.write_once() == 2


async def written(database):
    async with database.read() as session:
        return (await session.scalars(select(AuditLogRow.action))).all()


@pytest.mark.requirement("K8")
async def test_alarms_are_posted_together_and_name_no_network(watching):
    async with pager(204) as (url, heard):
        await burst(watching(url))
    [(line, body)] = heard
    assert line == "POST /hook HTTP/1.1"
    assert [alarm["pattern"] for alarm in body["alarms"]] == ["token_forged", "enumeration"]
    assert body["alarms"][0]["subject"].startswith("net:")
    assert "203.0.113.9" not in str(body)
    assert body["text"].splitlines()[0] == "Filewright alarm"
    assert RULES["enumeration"].what in body["text"]


@pytest.mark.parametrize("status", [302, 500])
async def test_a_pager_that_refuses_holds_nothing_up(watching, database, status):
    async with pager(status) as (url, heard):
        await burst(watching(url))
    assert len(heard) == 1
    assert await written(database) == ["alarm.raised", "alarm.raised"]


async def test_a_pager_that_is_away_or_may_not_be_reached_holds_nothing_up(watching, database):
    async with pager(204) as (url, heard):
        await burst(watching(url, Policy()))
    await burst(watching(url))
    assert heard == []
    assert await written(database) == ["alarm.raised"] * 4
