"""Nobody sees an old job: not the one who changed it, through whichever process, and nobody else."""

import random

import pytest

from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.web.problems import Conflict, NotFound
from filewright.converter.errors import Expired
from filewright.converter.jobs import kept, statements
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
    """A database that counts how often the whole job was asked for."""

    def __init__(self, database):
        self._database = database
        self.whole = 0

    def __getattr__(self, name):
        return getattr(self._database, name)

    async def ask_anywhere(self, question, **values):
        self.whole += question is statements.JOB
        return await self._database.ask_anywhere(question, **values)


@pytest.mark.requirement("G4", "G5")
async def test_a_job_that_is_over_is_put_together_once(shop, processes, alice):
    job = await shop.order()
    await shop.work()
    process = processes[0]
    process._database = database = Counting(shop.database)
    shown = [await process.get(alice, job.id) for _ in range(5)]
    assert database.whole == 1
    assert {one.text for one in shown} == {(await processes[-1].get(alice, job.id)).text}


async def test_a_job_that_waits_is_always_asked_for(shop, processes, alice):
    job = await shop.order()
    process = processes[0]
    process._database = database = Counting(shop.database)
    for _ in range(3):
        await process.get(alice, job.id)
    assert database.whole == 3


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
        await session.execute(statements._JOBS.delete().where(statements._JOBS.c.id == job.id))
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
    assert sum(process._cache.tallies["job"].near for process in keeping) > 10


async def test_the_text_of_a_job_is_no_part_of_it(shop, processes, alice):
    job = await shop.order()
    before = job.model_dump(mode="json")
    assert job.text.startswith(b'{"id":"job_')
    assert job.model_dump(mode="json") == before
    assert kept.OVER.weigh(job) > 0
