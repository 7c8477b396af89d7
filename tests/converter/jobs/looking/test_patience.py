"""A stream that is open outlives a database that is away."""

from __future__ import annotations

import asyncio

import pytest

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.converter.jobs.looking import patience
from filewright.converter.jobs.looking.feed import Feed
from filewright.converter.jobs.states import PublicStatus

PATIENCE = 20.0


@pytest.fixture
def outage(shop, monkeypatch):
    """A switch: while it is set, no statement that reads is answered."""
    away, asked = asyncio.Event(), asyncio.Event()
    read = shop.database.read

    def refuse_while_away(*args, **more):
        if away.is_set():
            asked.set()
            raise DatabaseUnavailable
        return read(*args, **more)

    monkeypatch.setattr(shop.database, "read", refuse_while_away)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    return away, asked


@pytest.mark.requirement("F11")
async def test_a_stream_of_one_job_goes_on_when_the_database_is_back(shop, alice, outage):
    away, asked = outage
    job = await shop.order()
    events = await shop.jobs.events(alice, job.id)
    assert (await asyncio.wait_for(anext(events), PATIENCE)).data["status"] == PublicStatus.QUEUED
    rest = asyncio.create_task(_all(events))
    away.set()
    await shop.notifier.notify(f"job:{job.id}")
    await asyncio.wait_for(asked.wait(), PATIENCE)
    away.clear()
    await shop.work()
    assert [event.event for event in await asyncio.wait_for(rest, PATIENCE)][-1] == "done"


@pytest.mark.requirement("F11")
async def test_the_stream_of_all_jobs_goes_on_when_the_database_is_back(shop, alice, outage):
    away, asked = outage
    away.set()
    stream = Feed(shop.database, shop.notifier, alice.tenant, look_again=0.05, pause=0.001).changes()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.wait_for(asked.wait(), PATIENCE)
    away.clear()
    job = await shop.order()
    assert (await asyncio.wait_for(first, PATIENCE)).job.id == job.id
    await stream.aclose()


async def _all(events):
    return [event async for event in events]


async def test_very_many_looks_wait_for_their_turn_here():
    patiently, busy, most = patience.Patience(at_once=3), 0, 0

    async def look() -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1

    await asyncio.gather(*(patiently(look) for _ in range(50)))
    assert most == 3
