"""Dispatcher, rescuer and pruner: each finds from the rows alone what somebody who died has left."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.queue.port import QueueUnavailable
from filewright.chassis.storage.port import StoreUnavailable
from filewright.chassis.telemetry.logs import configure_logs
from filewright.converter.jobs.models import AttemptRow, JobRow, UsageRow
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.maintenance.dispatcher import Dispatcher
from filewright.converter.maintenance.loops import Loop, Loops
from filewright.converter.maintenance.pruner import Pruner
from filewright.converter.tiers import LOCAL

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RETENTION = LOCAL.retention_seconds


async def hints(shop) -> list[str]:
    found = []
    while (task := await shop.queue.take(0.001)) is not None:
        found.append(task.id)
    return found


async def rows(shop, table) -> int:
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(table))).one()


class Broken:
    """A queue that cannot be reached."""

    async def publish(self, task):
        raise QueueUnavailable


# --- dispatcher ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F8")
async def test_a_hint_that_was_lost_comes_again_ever_more_rarely(shop, clock):
    job = await shop.order()
    waits = []
    for _ in range(6):
        waited = 0
        while not await shop.dispatcher.run_once():
            clock.move(5)
            waited += 5
        waits.append(waited)
        assert await hints(shop) == [job.id]
    assert waits == [15, 15, 30, 60, 120, 240]
    assert shop.dispatcher.pause(60) == timedelta(minutes=5)


async def test_a_job_that_was_claimed_gets_no_more_hints(shop, clock):
    await shop.order()
    await shop.runner().claim("standard")
    clock.move(3600)
    assert await shop.dispatcher.run_once() == 0


@on_sqlite
@pytest.mark.requirement("F9")
async def test_hints_that_could_not_be_sent_are_sent_at_the_next_tick(shop, clock):
    job = await shop.order()
    clock.move(15)
    with pytest.raises(QueueUnavailable):
        await Dispatcher(shop.database, Broken()).run_once()
    assert await shop.dispatcher.run_once() == 1
    assert await hints(shop) == [job.id]


@on_sqlite
async def test_a_full_queue_is_left_in_peace_until_the_next_hint_is_due(shop, clock):
    for _ in range(3):
        await shop.order()
    clock.move(15)
    dispatcher = Dispatcher(shop.database, EmbeddedQueue(capacity=1))
    assert await dispatcher.run_once() == 1
    assert await dispatcher.run_once() == 0


# --- rescuer ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F2")
async def test_a_job_whose_lease_ran_out_is_queued_again_and_hinted_at_once(shop, clock):
    job = await shop.order()
    await shop.runner().claim("standard")
    clock.move(29)
    assert await shop.rescuer.run_once() == 0
    clock.move(2)
    assert await shop.rescuer.run_once() == 1
    assert await shop.status(job) == "queued"
    assert await shop.dispatcher.run_once() == 1
    assert await shop.work() == "succeeded"


@pytest.mark.requirement("F7")
async def test_a_file_that_kills_its_worker_three_times_is_quarantined(shop, alice, clock):
    job = await shop.order()
    deaths = 0
    while await shop.status(job) == "queued":
        claimed = await shop.runner().claim("standard") or await shop.runner().claim("standard", suspects=True)
        await in_stage_converting(shop, claimed)
        deaths += 1
        clock.move(31)
        await shop.rescuer.run_once()
    ended = await shop.jobs.get(alice, job.id)
    assert (deaths, ended.status, ended.error.code) == (3, "failed", "quarantined")


async def in_stage_converting(shop, claimed) -> None:
    async with shop.database.write() as session:
        row = await session.get(JobRow, claimed.lease.job_id, populate_existing=True)
        row.stage = "converting"


async def test_deploys_condemn_no_job_however_often_they_come(shop, clock):
    job = await shop.order()
    for _ in range(5):
        await shop.runner().claim("standard")
        clock.move(31)
        await shop.rescuer.run_once()
    assert await shop.work() == "succeeded"
    assert await shop.status(job) == "succeeded"


async def test_a_job_that_is_being_cancelled_is_cancelled_when_its_worker_is_gone(shop, alice, clock):
    job = await shop.order()
    await shop.runner().claim("standard")
    await shop.jobs.cancel(alice, job.id)
    clock.move(31)
    await shop.rescuer.run_once()
    ended = await shop.jobs.get(alice, job.id)
    assert (ended.status, ended.error.code) == ("cancelled", "cancelled")


@pytest.mark.parametrize("where", ["waiting", "running"])
async def test_a_missed_deadline_ends_a_job_with_timeout(shop, alice, clock, where):
    job = await shop.order()
    clock.move(24 * 3600 - 1)
    if where == "running":
        await shop.runner().claim("standard")
    clock.move(2)
    assert await shop.rescuer.run_once() == 1
    ended = await shop.jobs.get(alice, job.id)
    assert (ended.status, ended.error.code) == ("failed", "timeout")
    assert await shop.work() is None


async def test_a_new_process_takes_over_at_once_what_the_dead_one_held(shop, clock):
    job = await shop.order()
    await shop.runner("dead").claim("standard")
    mine = await shop.order()
    await shop.runner("alive").claim("standard")
    assert await shop.rescuer.adopt("alive") == 1
    assert [await shop.status(item) for item in (job, mine)] == ["queued", "running"]
    assert await shop.rescuer.adopt("alive") == 0


@pytest.mark.requirement("F4")
async def test_two_rescuers_at_once_free_each_job_once(shop, clock):
    for _ in range(6):
        await shop.order()
        await shop.runner().claim("standard")
    clock.move(31)
    freed = await asyncio.gather(*(shop.rescuer.run_once() for _ in range(4)))
    freed.append(await shop.rescuer.run_once())
    assert sum(freed) == 6


# --- pruner ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S28")
async def test_files_are_kept_for_their_time_and_not_a_tick_longer(shop, alice, clock):
    job = await shop.order()
    await shop.work()
    clock.move(RETENTION - 1)
    await shop.pruner.run_once()
    assert await shop.read(job) == b"HELLO"
    clock.move(1)
    await shop.pruner.run_once()
    assert await shop.objects() == []
    assert await shop.status(job) == "expired"


@pytest.mark.parametrize("end", ["cancelled", "failed"])
@on_sqlite
async def test_inputs_of_jobs_without_result_go_as_well(shop, alice, clock, end):
    job = await shop.order()
    if end == "cancelled":
        await shop.jobs.cancel(alice, job.id)
    else:
        clock.move(24 * 3600 + 1)
        await shop.rescuer.run_once()
    clock.move(RETENTION + 1)
    await shop.pruner.run_once()
    assert await shop.objects() == []


@on_sqlite
async def test_an_upload_that_a_waiting_job_needs_outlives_its_own_time(shop, alice, clock):
    job = await shop.order()
    clock.move(23 * 3600)
    later = await shop.jobs.retry(alice, (await shop.jobs.cancel(alice, job.id)).id)
    clock.move(23 * 3600)
    await shop.artifacts.prune_once()
    await shop.work()
    assert await shop.status(later) == "succeeded"


@on_sqlite
@pytest.mark.requirement("F4")
async def test_an_erasing_that_was_cut_short_is_finished(shop, alice, clock, monkeypatch):
    job = await shop.order()
    await shop.work()

    async def away(key):
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(shop.store, "delete", away)
        with pytest.raises(StoreUnavailable):
            await shop.jobs.delete(alice, job.id)
        assert await shop.status(job) == "expired"
        with pytest.raises(StoreUnavailable):
            await shop.pruner.run_once()
    assert len(await shop.objects()) == 2
    assert await shop.pruner.run_once() == 1
    assert await shop.objects() == []


@on_sqlite
async def test_a_store_that_is_away_keeps_no_other_upkeep_from_its_turn_and_a_database_does(shop, monkeypatch):
    turns = []

    async def without_a_store():
        raise StoreUnavailable

    async def with_both():
        turns.append("had")
        return 1

    monkeypatch.setattr(shop.pruner, "_others", (without_a_store, with_both))
    with pytest.raises(StoreUnavailable):
        await shop.pruner.run_once()
    assert turns == ["had"]

    async def without_a_database():
        raise DatabaseUnavailable

    monkeypatch.setattr(shop.pruner, "_others", (without_a_database, with_both))
    with pytest.raises(DatabaseUnavailable):
        await shop.pruner.run_once()
    assert turns == ["had"]


@on_sqlite
@pytest.mark.requirement("F18")
async def test_what_a_dead_attempt_had_stored_is_deleted_when_its_worker_must_be_gone(shop, clock):
    job = await shop.order()
    claimed = await shop.runner().claim("standard")
    await shop.store.put(f"results/{job.id}/{claimed.lease.attempt}/0", b"orphan")
    clock.move(31)
    await shop.rescuer.run_once()
    await shop.work()
    await shop.pruner.run_once()
    assert len(await shop.objects("results")) == 2
    clock.move(15 * 60)
    await shop.pruner.run_once()
    assert await shop.objects("results") == [f"results/{job.id}/2/0"]
    assert await shop.read(job) == b"HELLO"


@on_sqlite
@pytest.mark.requirement("F27")
async def test_what_a_worker_stored_after_its_job_was_deleted_and_before_it_died_is_deleted(shop, alice, clock):
    job = await shop.order()
    claimed = await shop.runner().claim("standard")
    await shop.jobs.delete(alice, job.id)
    await shop.store.put(f"results/{job.id}/{claimed.lease.attempt}/0", b"too late")
    clock.move(15 * 60)
    await shop.pruner.run_once()
    assert await shop.objects() == []


@on_sqlite
async def test_after_a_month_the_row_goes_and_the_charge_stays(shop, alice, clock):
    job = await shop.order()
    await shop.work()
    await shop.jobs.delete(alice, job.id)
    clock.move(31 * 24 * 3600)
    await shop.pruner.run_once()
    assert (await rows(shop, JobRow), await rows(shop, AttemptRow), await rows(shop, UsageRow)) == (0, 0, 1)


@on_sqlite
async def test_one_thing_that_cannot_be_pruned_does_not_keep_the_others(shop, clock):
    turns = []

    async def broken():
        turns.append("broken")
        raise KeyError("a defect")

    async def fine():
        turns.append("fine")
        return 3

    pruner = Pruner(shop.database, shop.store, shop.eraser, others=(broken, fine))
    assert await pruner.run_once() == 3
    assert turns == ["broken", "fine"]


@on_sqlite
async def test_a_job_that_cannot_be_emptied_does_not_keep_the_others(shop, alice, clock, monkeypatch):
    orders = [await shop.order() for _ in range(6)]
    await shop.work()
    clock.move(RETENTION + 1)
    erase = shop.eraser.erase

    async def never_the_first(job_id):
        if job_id == orders[0].id:
            raise KeyError("a defect")
        await erase(job_id)

    with monkeypatch.context() as patch:
        patch.setattr(shop.eraser, "erase", never_the_first)
        await shop.pruner.run_once()
        assert {key.split("/")[1] for key in await shop.objects("results")} == {orders[0].id}
    await shop.pruner.run_once()
    assert await shop.objects("results") == []


@on_sqlite
async def test_an_input_shared_by_two_jobs_goes_with_the_last_of_them(shop, alice, clock):
    order = JobOrder((JobInput(upload=await shop.upload()),), to="md")
    first = await shop.jobs.submit(alice, order)
    await shop.work()
    clock.move(RETENTION - 10)
    second = await shop.jobs.submit(alice, order)
    clock.move(11)
    await shop.pruner.run_once()
    assert await shop.status(first) == "expired"
    await shop.work()
    assert await shop.read(second) == b"HELLO"
    clock.move(RETENTION + 1)
    await shop.pruner.run_once()
    assert await shop.objects() == []


# --- loops -----------------------------------------------------------------------------------------------------------


@on_sqlite
async def test_a_loop_runs_on_its_interval_at_once_while_there_is_more_and_outlives_failures(shop, clock):
    answers = iter([2, 1, 0, KeyError("a defect"), 0])
    runs = []

    async def run_once() -> int:
        runs.append(clock.monotonic())
        answer = next(answers, 0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    loops = Loops([Loop("test", run_once, every=10)], clock=clock, notifier=shop.notifier, metrics=shop.metrics)
    task = asyncio.create_task(loops.run())
    await clock.advance(25)
    assert runs == [0, 0, 0, 10, 20]
    assert loops.overdue() == []
    task.cancel()
    clock.move(100)
    assert loops.overdue() == ["test"]
    assert b'filewright_loop_failures_total{loop="test"} 1.0' in shop.metrics.render()
    await asyncio.gather(task, return_exceptions=True)


@on_sqlite
async def test_a_loop_that_has_much_to_do_and_does_it_is_not_overdue(shop, clock):
    seen = []

    async def run_once() -> int:
        seen.append(loops.overdue())
        clock.move(30)
        return 1 if len(seen) < 5 else 0

    loops = Loops([Loop("test", run_once, every=10)], clock=clock, notifier=shop.notifier, metrics=shop.metrics)
    task = asyncio.create_task(loops.run())
    await clock.advance(5)
    assert seen == [[]] * 5
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@on_sqlite
@pytest.mark.requirement("F9", "F11")
async def test_an_outage_is_told_once_and_asked_ever_more_rarely(shop, clock, capsys):
    answers = iter([QueueUnavailable()] * 6 + [0, 0, StoreUnavailable(), 0])
    runs = []

    async def run_once() -> int:
        runs.append(clock.monotonic())
        answer = next(answers, 0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    configure_logs("json")
    loops = Loops([Loop("test", run_once, every=0.5)], clock=clock, notifier=shop.notifier, metrics=shop.metrics)
    task = asyncio.create_task(loops.run())
    await clock.advance(15)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert runs[:10] == [0, 1, 3, 5, 7, 9, 11, 11.5, 12, 13]
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in said] == ["loop_waits", "loop_goes_on", "loop_waits", "loop_goes_on"]
    assert not [line for line in said if "exception" in line]


@on_sqlite
async def test_a_loop_with_a_topic_runs_as_soon_as_it_is_announced(shop, clock):
    ran = asyncio.Queue()

    async def run_once() -> int:
        ran.put_nowait(None)
        return 0

    loops = Loops(
        [Loop("test", run_once, every=3600, topic="news")], clock=clock, notifier=shop.notifier, metrics=shop.metrics
    )
    task = asyncio.create_task(loops.run())
    await asyncio.wait_for(ran.get(), 5)
    await shop.notifier.notify("news")
    await asyncio.wait_for(ran.get(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@on_sqlite
async def test_a_loop_runs_no_more_often_than_it_may_however_often_its_topic_is_announced(shop, clock):
    ran = asyncio.Queue()

    async def run_once() -> int:
        ran.put_nowait(clock.monotonic())
        return 0

    loop = Loop("test", run_once, every=3600, topic="news", apart=10)
    task = asyncio.create_task(Loops([loop], clock=clock, notifier=shop.notifier, metrics=shop.metrics).run())
    began = await asyncio.wait_for(ran.get(), 5)
    await shop.notifier.notify("news")
    async with asyncio.timeout(5):
        while not clock.sleeping:
            await asyncio.sleep(0)
    await shop.notifier.notify("news")
    clock.move(10)
    assert await asyncio.wait_for(ran.get(), 5) == began + 10
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
