"""What an attempt does while the database or the store is away for a moment: it waits, and keeps what it has done."""

import asyncio
import gc
from dataclasses import replace

import pytest
from sqlalchemy import select

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.storage.port import StoreFull, StoreUnavailable
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.jobs import repository
from filewright.converter.jobs.models import AttemptRow
from filewright.converter.jobs.running.lease import LeaseRules
from filewright.converter.jobs.states import Stage

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.requirement("F11", "F15"),
]
QUICK = LeaseRules(look=0.02, report=0.01)
HASTY = replace(QUICK, patience=0.0)


class Away:
    """A store that fails so many times at one thing."""

    def __init__(self, store, act, times=1, error=StoreUnavailable) -> None:
        self._store, self._act, self._error = store, act, error
        self.left = times

    def __getattr__(self, name):
        return self._fail_first if name == self._act else getattr(self._store, name)

    async def _fail_first(self, *given, **named):
        if self.left:
            self.left -= 1
            raise self._error
        return await getattr(self._store, self._act)(*given, **named)


def runner_on(shop, store, rules=QUICK):
    return shop.runner(store=store, files=Artifacts(shop.database, store, shop.ids), rules=rules)


async def outcomes(shop) -> list[str | None]:
    async with shop.database.read() as session:
        return list(await session.scalars(select(AttemptRow.outcome).order_by(AttemptRow.number)))


@pytest.mark.parametrize("act", ["fetch", "put_file", "head"])
async def test_a_store_that_is_away_for_a_moment_costs_no_attempt(shop, act):
    job = await shop.order(b"hello")
    store = Away(shop.store, act, times=2)
    assert await shop.work(runner_on(shop, store)) == "succeeded"
    assert store.left == 0, "it was away"
    assert await shop.read(job) == b"HELLO"
    assert (len(shop.converter.seen), await outcomes(shop)) == (1, ["succeeded"])


@pytest.mark.parametrize("stage", [Stage.CONVERTING, Stage.STORING])
async def test_a_database_that_is_away_when_a_stage_begins_costs_no_attempt(shop, monkeypatch, stage):
    job, report, refused = await shop.order(b"hello"), repository.report, []

    async def away(*given, **named):
        if named["stage"] is stage and len(refused) < 2:
            refused.append(stage)
            raise DatabaseUnavailable
        return await report(*given, **named)

    monkeypatch.setattr(repository, "report", away)
    assert await shop.work(shop.runner(rules=QUICK)) == "succeeded"
    assert refused == [stage, stage]
    assert await shop.read(job) == b"HELLO"
    assert (len(shop.converter.seen), await outcomes(shop)) == (1, ["succeeded"])


@pytest.mark.parametrize(
    ("error", "rules"), [(StoreUnavailable, HASTY), (StoreFull, QUICK)], ids=["away for longer", "full"]
)
async def test_what_is_not_over_soon_is_left_to_another_attempt(shop, clock, error, rules):
    job = await shop.order(b"hello")
    store = Away(shop.store, "put_file", error=error)
    assert await shop.work(runner_on(shop, store, rules)) == "retry_wait"
    clock.move(400)
    await shop.rescuer.run_once()
    assert await shop.work() == "succeeded"
    assert await shop.read(job) == b"HELLO"
    assert await outcomes(shop) == ["retry_wait", "succeeded"]


async def test_nobody_waits_with_a_lease_that_may_be_over(shop):
    await shop.order(b"hello")
    store = Away(shop.store, "put_file", times=1_000)
    rules = replace(QUICK, lease=1.0, heartbeat=3600, margin=0.9, look=3600, patience=3600)
    assert await shop.work(runner_on(shop, store, rules)) == "retry_wait"
    assert store.left > 990


async def test_a_store_and_a_database_that_are_both_away_are_one_trouble(shop, monkeypatch):
    """Of two that fail side by side one is told, and the other is not left for the garbage collector to tell of."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    report = repository.report

    async def away(*given, **named):
        if named["stage"] is Stage.STORING:
            raise DatabaseUnavailable
        return await report(*given, **named)

    await shop.order(b"hello")
    monkeypatch.setattr(repository, "report", away)
    store = Away(shop.store, "put_file", times=1_000)
    assert await shop.work(runner_on(shop, store, HASTY)) == "retry_wait"
    gc.collect()
    assert complaints == []
