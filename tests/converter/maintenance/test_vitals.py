"""A worker and a beat know whether they can do their work, and tell how much there is of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.testing.clock import FakeClock
from filewright.converter.jobs.running.worker import Worker, WorkerRules
from filewright.converter.maintenance.depth import depth
from filewright.converter.maintenance.loops import Loop, Loops
from filewright.converter.maintenance.vitals import IDLE_SECONDS, Vitals

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def well() -> None:
    """What is asked answers."""


async def away() -> None:
    raise DatabaseUnavailable


async def told() -> dict[str, Any]:
    return {"leads": True}


@on_sqlite
@pytest.mark.requirement("K3")
async def test_all_is_well_when_what_it_needs_answers(shop):
    loops = Loops((), clock=shop.clock, notifier=shop.notifier, metrics=shop.metrics)
    assert await Vitals({"database": well}, loops, facts=told).look() == ("", {"leads": True})


@on_sqlite
@pytest.mark.requirement("K3")
async def test_what_does_not_answer_is_named_and_nothing_more_is_asked_of_it(shop):
    loops = Loops((), clock=shop.clock, notifier=shop.notifier, metrics=shop.metrics)
    assert await Vitals({"database": away}, loops, facts=told).look() == ("no database", {})


@on_sqlite
async def test_a_loop_that_does_not_turn_is_named(shop):
    async def fail() -> int:
        raise DatabaseUnavailable

    clock = FakeClock()
    loops = Loops([Loop("rescuer", fail, every=1.0)], clock=clock, notifier=shop.notifier, metrics=shop.metrics)
    running = asyncio.create_task(loops.run())
    try:
        await clock.advance(60)
        assert (await Vitals({}, loops).look())[0] == "rescuer is overdue"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@on_sqlite
async def test_a_worker_that_does_not_look_for_work_is_stuck_unless_it_is_full(shop):
    worker = Worker(
        shop.runner(), shop.queue, clock=shop.clock, metrics=shop.metrics, rules=WorkerRules(slots=1, poll=0.02)
    )
    loops = Loops((), clock=shop.clock, notifier=shop.notifier, metrics=shop.metrics)
    vitals = Vitals({}, loops, worker)
    assert await vitals.look() == ("", {"slots": 1, "busy": 0})
    shop.clock.move(IDLE_SECONDS + 1)
    assert (await vitals.look())[0] == "it has not looked for work"
    await worker._slots.take()
    assert (await vitals.look())[0] == ""


@pytest.mark.requirement("K3")
async def test_the_depth_is_what_waits_by_lane_and_for_how_long(shop, clock):
    assert (await depth(shop.database)).as_json() == {"waiting": {}, "running": 0, "oldest_seconds": 0.0}
    await shop.order()
    clock.move(30)
    await shop.order()
    assert (await depth(shop.database)).as_json() == {"waiting": {"standard": 2}, "running": 0, "oldest_seconds": 30.0}
