"""Nobody sees an old job: not the one who changed it, through whichever process, and nobody else."""

import random
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select

from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.web.problems import Conflict, NotFound
from filewright.converter.errors import Expired
from filewright.converter.jobs import statements
from filewright.converter.jobs.looking import kept
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.service import Jobs


@pytest.fixture
def processes(shop):
    """Three of them on one database, which hear nothing of one another, and one that keeps nothing."""
    return [
        Jobs(
            database=shop.database,
            sources=shop.uploads,
            files=shop.artifacts,
            planner=shop.converter,
            notifier=shop.notifier,
            ids=shop.ids,
            sealer=shop.sealer,
            erase_files=shop.eraser.erase,
            cache=cache,
        )
        for cache in (*(MemoryCache(shop.clock) for _ in range(3)), None)
    ]


class Counting:
    """A database that counts how often each question was asked."""

    def __init__(self, database):
        self._database = database
        self.asked = Counter()

    def __getattr__(self, name):
        return getattr(self._database, name)

    async def ask_anywhere(self, question, **values):
        self.asked[question] += 1
        return await self._database.ask_anywhere(question, **values)

    async def ask(self, question, **values):
        self.asked[question] += 1
        return await self._database.ask(question, **values)


@pytest.mark.requirement("G4", "G5")
async def test_a_job_that_is_over_is_put_together_once(shop, processes, alice):
    job = await shop.order()
    await shop.work()
    process = processes[0]
    process._looking._database = database = Counting(shop.database)
    shown = [await process.get(alice, job.id) for _ in range(5)]
    assert database.asked[statements.JOB] == 1
    assert {one.text for one in shown} == {(await processes[-1].get(alice, job.id)).text}


@pytest.mark.requirement("G4", "G5")
async def test_a_job_that_waits_is_put_together_once_and_its_place_is_asked_each_time(shop, processes, alice, clock):
    before = await shop.order()
    clock.move(1)
    job = await shop.order()
    process = processes[0]
    process._looking._database = database = Counting(shop.database)
    places = [(await process.get(alice, job.id)).queue_position for _ in range(3)]
    await shop.jobs.cancel(alice, before.id)
    places.append((await process.get(alice, job.id)).queue_position)
    assert places == [2, 2, 2, 1]
    assert (database.asked[statements.JOB], database.asked[statements.NOW_OF_MANY]) == (1, 3)


async def test_far_back_the_queue_is_looked_at_once_for_all_who_ask(shop, processes, alice):
    first = await shop.order()
    async with shop.database.write() as session:
        (row,) = (await session.execute(select(JobRow.__table__).where(JobRow.id == first.id))).mappings()
        later = [shop.clock.now() + timedelta(seconds=n) for n in range(1, 131)]
        others = [dict(row) | {"id": shop.ids.new("job"), "queued_at": moment} for moment in later]
        await session.execute(insert(JobRow), others)
    process = processes[0]
    process._looking._far_places._database = database = Counting(shop.database)
    places = [(await process.get(alice, job["id"])).queue_position for job in others[97:]]
    assert places == [99, 100, *[101] * 10, *[111] * 10, *[121] * 10, 131]
    assert database.asked == {statements.MARKS: 1}


@pytest.mark.requirement("S2", "S20")
async def test_what_is_kept_for_one_tenant_is_not_there_for_another(shop, processes, alice, bob):
    job = await shop.order()
    await shop.work()
    await processes[0].get(alice, job.id)
    with pytest.raises(NotFound):
        await processes[0].get(bob, job.id)


async def test_a_job_that_is_forgotten_is_gone_at_once(shop, processes, alice):
    job = await shop.order()
    await shop.work()
    await processes[0].get(alice, job.id)
    async with shop.database.write() as session:
        await session.execute(delete(JobRow).where(JobRow.id == job.id))
    with pytest.raises(NotFound):
        await processes[0].get(alice, job.id)


@pytest.mark.requirement("G4", "G5")
async def test_no_process_shows_an_older_job_than_the_last_change(shop, processes, alice):
    """Whatever is done, by whichever process, the next look at any other is as if nothing were kept anywhere."""
    chance = random.Random(20261122)
    *keeping, plain = processes
    jobs = [await shop.order() for _ in range(6)]

    async def change(process, job_id):
        acts = (process.cancel, process.retry, lambda caller, one: process.rate(caller, one, chance.randint(1, 5)))
        try:
            await chance.choice(acts)(alice, job_id)
        except (Conflict, Expired):
            if chance.random() < 0.2:
                await shop.work()

    seen = set()
    for step in range(60):
        job_id = chance.choice(jobs).id
        await change(chance.choice(keeping), job_id)
        if step % 20 == 19:
            await chance.choice(keeping).delete(alice, job_id)
        for process in chance.sample(keeping, 2):
            truth = await plain.get(alice, job_id)
            assert (await process.get(alice, job_id)).text == truth.text
            seen.add(truth.status)
    assert seen >= {"queued", "succeeded", "cancelled", "expired"}
    assert sum(process._looking._cache.tallies["job"].near for process in keeping) > 10


async def test_the_text_of_a_job_is_no_part_of_it(shop, processes, alice):
    job = await shop.order()
    before = job.model_dump(mode="json")
    assert job.text.startswith(b'{"id":"job_')
    assert job.model_dump(mode="json") == before
    await processes[0].get(alice, job.id)
    assert kept.SEEN.weigh(processes[0]._looking._cache.peek(kept.SEEN, job.id)) > 0
