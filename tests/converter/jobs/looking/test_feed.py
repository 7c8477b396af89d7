"""The stream of all jobs of a tenant, on both databases."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from filewright.converter.jobs.looking import feed as feed_module
from filewright.converter.jobs.looking.feed import Feed, _is_elsewhere
from filewright.converter.jobs.states import PublicStatus

PATIENCE = 20.0
OVER = {PublicStatus.SUCCEEDED, PublicStatus.FAILED, PublicStatus.CANCELLED, PublicStatus.EXPIRED}


@asynccontextmanager
async def watching(shop, caller, since=None):
    """The stream of a caller, with the changes that have arrived read one by one."""
    stream = Feed(shop.database, shop.notifier, caller.tenant, look_again=0.05, pause=0.001).changes(since)
    try:
        yield stream
    finally:
        await stream.aclose()


async def following(stream):
    return await asyncio.wait_for(anext(stream), PATIENCE)


async def until(stream, wanted):
    """Read on until a change is as wanted; all that were read."""
    read = []
    while not read or not wanted(read[-1]):
        read.append(await following(stream))
    return read


async def orders(shop, clock, count):
    """So many jobs, each born after the one before."""
    made = []
    for _ in range(count):
        clock.move(0.01)
        made.append(await shop.order())
    return made


async def the_rest(stream, marker):
    """What comes before the job `marker`, which is known to be news."""
    return (await until(stream, lambda change: change.job.id == marker.id))[:-1]


async def test_first_comes_every_job_that_is_not_over(shop, alice, clock):
    over = await shop.order()
    await shop.work()
    waiting = await orders(shop, clock, 3)
    async with watching(shop, alice) as stream:
        found = [(await following(stream)).job for _ in waiting]
        assert [job.id for job in found] == [job.id for job in waiting]
        assert [job.queue_position for job in found] == [1, 2, 3]
        last = await shop.order()
        assert over.id not in {change.job.id for change in await the_rest(stream, last)}


async def test_a_job_is_told_from_its_birth_to_its_end(shop, alice):
    async with watching(shop, alice) as stream:
        reader = asyncio.create_task(until(stream, lambda change: change.job.status in OVER))
        await asyncio.sleep(0)
        job = await shop.order()
        await shop.work()
        changes = await reader
    assert {change.job.id for change in changes} == {job.id}
    last = changes[-1].job
    assert last == await shop.jobs.get(alice, job.id)
    assert last.outputs
    revisions = [change.job.revision for change in changes]
    assert revisions == sorted(revisions)


async def test_nobody_sees_the_jobs_of_another(shop, alice, bob):
    await shop.order()
    async with watching(shop, bob) as stream:
        mine = await shop.order(caller=bob)
        assert (await following(stream)).job.id == mine.id
        await shop.order()
        await shop.jobs.cancel(bob, mine.id)
        found = await until(stream, lambda change: change.job.status is PublicStatus.CANCELLED)
        assert {change.job.id for change in found} == {mine.id}


async def test_a_place_in_the_queue_that_changed_is_told(shop, alice, bob, clock):
    ahead = await shop.order(caller=bob)
    clock.move(0.01)
    job = await shop.order()
    async with watching(shop, alice) as stream:
        assert (await following(stream)).job.queue_position == 2
        await shop.jobs.cancel(bob, ahead.id)
        change = await following(stream)
        assert (change.job.id, change.job.queue_position) == (job.id, 1)


async def test_a_deleted_job_is_told_as_expired(shop, alice):
    job = await shop.order()
    await shop.work()
    async with watching(shop, alice) as stream:
        marker = await shop.order()
        await the_rest(stream, marker)
        await shop.jobs.delete(alice, job.id)
        found = await until(stream, lambda change: change.job.id == job.id)
        assert found[-1].job.status is PublicStatus.EXPIRED


async def test_who_was_away_is_told_what_changed_meanwhile(shop, alice, clock):
    old = await shop.order()
    await shop.work()
    clock.move(3600)
    ended, dropped, waiting = await orders(shop, clock, 3)
    async with watching(shop, alice) as stream:
        mark = [(await following(stream)).mark for _ in range(3)][-1]
    clock.move(7200)
    await shop.work()
    await shop.jobs.cancel(alice, dropped.id)
    clock.move(7200)
    async with watching(shop, alice, since=mark) as stream:
        found = {}
        for _ in range(3):
            job = (await following(stream)).job
            found[job.id] = job.status
    assert found == {
        ended.id: PublicStatus.SUCCEEDED,
        dropped.id: PublicStatus.CANCELLED,
        waiting.id: PublicStatus.QUEUED,
    }
    assert old.id not in found


async def test_a_reader_that_is_cut_off_at_any_change_misses_none(shop, alice, clock):
    """However often it has to begin anew after a single change, in the end it knows every job as it is."""
    jobs = await orders(shop, clock, 5)
    known, mark = {}, None
    for _ in jobs:
        clock.move(60)
        await shop.work()
        for _ in range(2):  # never enough to hear of all of them
            async with watching(shop, alice, since=mark) as stream:
                change = await following(stream)
                known[change.job.id], mark = change.job, change.mark
    clock.move(60)
    async with watching(shop, alice, since=mark) as stream:
        marker = await shop.order()
        for change in await the_rest(stream, marker):
            known[change.job.id] = change.job
    assert {job_id: job.status for job_id, job in known.items()} == {job.id: PublicStatus.SUCCEEDED for job in jobs}


async def test_a_job_that_lives_shorter_than_a_look_is_told(shop, alice):
    async with watching(shop, alice) as stream:
        first = await shop.order()
        assert (await following(stream)).job.id == first.id
        short = await shop.order()  # nobody reads meanwhile
        await shop.jobs.cancel(alice, short.id)
        found = await until(stream, lambda change: change.job.id == short.id)
        assert found[-1].job.status is PublicStatus.CANCELLED


async def test_a_mark_from_the_future_is_as_good_as_now(shop, alice):
    job = await shop.order()
    async with watching(shop, alice, since=10**16 - 1) as stream:
        assert (await following(stream)).job.id == job.id


async def test_many_jobs_come_a_few_at_a_time(shop, alice, clock, monkeypatch):
    monkeypatch.setattr(feed_module, "AT_ONCE", 2)
    jobs = await orders(shop, clock, 5)
    for _ in range(5):
        await shop.work()
    async with watching(shop, alice, since=0) as stream:
        found = [(await following(stream)).job for _ in range(5)]
    assert [job.id for job in found] == [job.id for job in jobs]
    assert all(job.status is PublicStatus.SUCCEEDED for job in found)


async def test_a_rescued_job_is_announced_to_its_owner(shop, alice, clock):
    """The worker died: nobody but the rescuer can tell."""
    job = await shop.order()
    await shop.runner("dead").claim("standard")
    clock.move(3600)
    async with shop.notifier.listen(f"jobs:{alice.tenant}") as listener:
        assert await shop.rescuer.run_once() == 1
        assert await listener.wait(PATIENCE)
    assert await shop.status(job) == "queued"


async def test_a_stream_that_ends_leaves_nothing_behind(shop, alice):
    await shop.order()
    async with watching(shop, alice) as stream:
        await following(stream)
        assert shop.notifier._listeners
    assert not shop.notifier._listeners


@pytest.mark.parametrize(
    ("told", "place", "news"),
    [(2, 1, True), (21, 20, True), (20, 20, False), (1000, 950, False), (1000, 899, True), (30, 29, False)],
)
def test_places_far_behind_are_told_now_and_then(told, place, news):
    assert _is_elsewhere(told, place) is news
