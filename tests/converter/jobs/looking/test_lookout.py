"""Whoever waits hears of what changed although nobody announced it, and one look serves all who wait here."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from sqlalchemy import Engine, event, update

from filewright.converter.jobs import topics
from filewright.converter.jobs.looking.lookout import PLACES_AT_ONCE, Lookout
from filewright.converter.jobs.models import JobRow


@pytest.fixture
def lookout(shop):
    return Lookout(shop.database, shop.notifier)


async def change_in_silence(shop, job, **values):
    """As if its announcement had been lost."""
    async with shop.database.write() as session:
        values = {"revision": JobRow.revision + 1, **values}
        await session.execute(update(JobRow).where(JobRow.id == job.id).values(values))


async def heard(listener) -> bool:
    return await listener.wait(0.001)


async def settled(lookout, *listeners):
    """Listeners that have been told once, because they were new."""
    await lookout.run_once()
    for listener in listeners:
        await heard(listener)
    await lookout.run_once()
    assert [await heard(listener) for listener in listeners] == [False] * len(listeners)


async def test_a_change_that_was_not_announced_is_heard_by_who_listens_to_that_job(shop, lookout):
    job, other = await shop.order(), await shop.order()
    listen = shop.notifier.listen
    async with (
        listen(topics.changed(job.id)) as mine,
        listen(topics.over(job.id)) as end,
        listen(topics.changed(other.id)) as others,
    ):
        await settled(lookout, mine, end, others)
        await change_in_silence(shop, job)
        await lookout.run_once()
        assert [await heard(one) for one in (mine, end, others)] == [True, True, False]


async def test_who_comes_between_a_lost_announcement_and_a_look_is_told_to_look(shop, lookout):
    job = await shop.order()
    async with shop.notifier.listen(topics.changed(job.id)) as late:
        await lookout.run_once()
        assert await heard(late)


async def test_of_those_who_have_nothing_nobody_is_told_to_look_again(shop, lookout, alice):
    async with shop.notifier.listen(topics.changed_of(alice.tenant)) as listener:
        await lookout.run_once()
        assert not await heard(listener)


async def test_a_job_that_is_gone_is_news(shop, lookout):
    async with shop.notifier.listen(topics.changed("job_gone")) as listener:
        await lookout.run_once()
        assert await heard(listener)
        await lookout.run_once()
        assert not await heard(listener)


async def test_who_watches_all_jobs_hears_of_births_changes_and_ends(shop, lookout, alice, bob):
    job = await shop.order()
    async with shop.notifier.listen(topics.changed_of(alice.tenant)) as listener:
        await settled(lookout, listener)
        await change_in_silence(shop, job, progress=50)
        await lookout.run_once()
        assert await heard(listener)
        await change_in_silence(shop, job, state="succeeded")
        await lookout.run_once()
        assert await heard(listener)
        await shop.order(caller=bob)
        await settled(lookout, listener)


async def test_who_waits_hears_that_others_were_served(shop, lookout, alice, bob):
    first = await shop.order(caller=bob)
    await shop.order()
    async with shop.notifier.listen(topics.changed_of(alice.tenant)) as listener:
        await settled(lookout, listener)
        await change_in_silence(shop, first, state="running")
        await lookout.run_once()
        assert await heard(listener)


async def test_of_very_many_who_moved_up_some_are_told_at_each_look(shop, lookout, alice):
    waiting = [f"tenant-{n}" for n in range(PLACES_AT_ONCE + 10)]
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(shop.notifier.listen(topics.changed_of(name))) for name in waiting]
        await settled(lookout, *listeners)
        lookout._moved_up = dict.fromkeys(waiting)
        told = []
        for _ in range(2):
            await lookout.run_once()
            told.append(sum([await heard(listener) for listener in listeners]))
    assert told == [PLACES_AT_ONCE, 10]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_one_look_is_a_few_statements_however_many_listen(shop, lookout, alice):
    statements: list[str] = []
    jobs = [await shop.order() for _ in range(5)]
    async with AsyncExitStack() as stack:
        for job in jobs:
            for _ in range(20):
                await stack.enter_async_context(shop.notifier.listen(topics.changed(job.id)))
        await lookout.run_once()
        note = lambda *args: statements.append(args[2])  # noqa: E731 - to be taken away again
        event.listen(Engine, "before_cursor_execute", note)
        try:
            await lookout.run_once()
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    assert len([text for text in statements if "FROM jobs" in text]) == 1


async def test_nobody_listening_costs_nothing(shop, lookout):
    await shop.database.close()
    assert await lookout.run_once() == 0
