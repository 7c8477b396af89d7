"""Slots, hints and polls."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import update

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.queue.port import Task
from filewright.chassis.storage.port import StoreUnavailable
from filewright.converter.errors import EngineCrashed
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.running.readiness import Readiness
from filewright.converter.jobs.running.runner import JobRunner
from filewright.converter.jobs.running.worker import Worker, WorkerRules

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def worker_of(shop, **rules) -> Worker:
    given = {"slots": 2, "poll": 0.02, **rules}
    return Worker(shop.runner(), shop.queue, clock=shop.clock, metrics=shop.metrics, rules=WorkerRules(**given))


@asynccontextmanager
async def working(worker):
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop(grace=5)
        await asyncio.wait_for(task, 5)


async def over(shop, caller, *jobs) -> list[str]:
    return [(await shop.jobs.wait_until_over(caller, job.id, 20)).status for job in jobs]


class Gate:
    """Counts the conversions that are under way and holds them until it is opened."""

    def __init__(self, shop) -> None:
        self.inside = self.most = 0
        self.open = asyncio.Event()
        shop.converter.before = self

    async def __call__(self, assignment, cancel) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        finally:
            self.inside -= 1


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.requirement("F8", "F9")
async def test_a_worker_finds_all_work_without_any_hint(shop, alice):
    jobs = [await shop.order() for _ in range(4)]
    async with working(worker_of(shop)):
        assert await over(shop, alice, *jobs) == ["succeeded"] * 4


async def test_a_hint_is_acted_on_at_once(shop, alice):
    async with working(worker_of(shop, poll=3600)):
        job = await shop.order()
        assert await shop.relay.run_once() == 1
        assert await over(shop, alice, job) == ["succeeded"]


@pytest.mark.requirement("F10")
async def test_forged_stale_and_doubled_hints_do_no_harm(shop, alice):
    job = await shop.order()
    for task in (Task("job", "job_of_nobody"), Task("other", "x"), Task("job", job.id), Task("job", job.id, "premium")):
        await shop.queue.publish(task)
    async with working(worker_of(shop)):
        assert await over(shop, alice, job) == ["succeeded"]
    assert (await shop.jobs.get(alice, job.id)).attempt == 1


async def test_never_more_jobs_run_at_once_than_there_are_slots(shop, alice):
    jobs = [await shop.order() for _ in range(5)]
    gate = Gate(shop)
    async with working(worker_of(shop)) as worker:
        await until(lambda: gate.inside == 2)
        assert worker.busy == 2
        gate.open.set()
        assert await over(shop, alice, *jobs) == ["succeeded"] * 5
    assert gate.most == 2


async def test_a_slot_that_is_free_again_looks_by_itself(shop, alice):
    jobs = [await shop.order() for _ in range(3)]
    async with working(worker_of(shop, slots=1, poll=3600)):
        assert await over(shop, alice, *jobs) == ["succeeded"] * 3


@pytest.mark.requirement("F28")
async def test_a_worker_that_stops_lets_jobs_end_and_gives_back_what_takes_too_long(shop, alice):
    jobs = [await shop.order() for _ in range(3)]
    gate = Gate(shop)
    worker = worker_of(shop)
    task = asyncio.create_task(worker.run())
    await until(lambda: gate.inside == 2)
    await worker.stop(grace=0.05)
    await asyncio.wait_for(task, 5)
    assert [await shop.status(job) for job in jobs] == ["queued"] * 3
    gate.open.set()
    async with working(worker_of(shop)):
        assert await over(shop, alice, *jobs) == ["succeeded"] * 3


async def test_a_worker_outlives_a_database_that_is_away_for_a_moment(shop, alice, monkeypatch):
    real, refusals = JobRunner.claim, iter(range(3))

    async def claim(self, *given, **named):
        if next(refusals, None) is not None:
            raise DatabaseUnavailable
        return await real(self, *given, **named)

    monkeypatch.setattr(JobRunner, "claim", claim)
    job = await shop.order()
    async with working(worker_of(shop)):
        assert await over(shop, alice, job) == ["succeeded"]


async def test_an_attempt_that_breaks_does_not_break_its_worker(shop, alice, monkeypatch):
    real, failures = JobRunner._settle, iter(range(1))

    async def settle(self, *given):
        if next(failures, None) is not None:
            raise OSError("broken")
        return await real(self, *given)

    async def crash_once(assignment, cancel):
        shop.converter.before = None
        raise EngineCrashed

    monkeypatch.setattr(JobRunner, "_settle", settle)
    shop.converter.before = crash_once
    first = await shop.order()
    shop.clock.move(1)  # of two jobs of one moment either may be taken first
    second = await shop.order()
    async with working(worker_of(shop, slots=1)):
        assert await over(shop, alice, second) == ["succeeded"]
        shop.clock.move(31)
        assert await shop.rescuer.run_once() == 1
        assert await over(shop, alice, first) == ["succeeded"]


@pytest.mark.requirement("F7")
async def test_a_job_that_crashed_twice_runs_alone(shop, alice):
    suspect, *others = [await shop.order(data) for data in (b"suspect", b"a", b"b", b"c")]
    async with shop.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == suspect.id).values(crash_count=2))
    seen = []

    async def watch(assignment, cancel):
        seen.append((assignment.source.read_bytes(), worker.busy))
        await asyncio.sleep(0.02)

    shop.converter.before = watch
    worker = worker_of(shop, slots=3, suspects=0)
    async with working(worker):
        assert await over(shop, alice, suspect, *others) == ["succeeded"] * 4
    assert dict(seen)[b"suspect"] == 1


async def test_a_full_front_lane_does_not_starve_the_one_behind(shop, alice):
    jobs = [await shop.order(str(n).encode()) for n in range(8)]
    async with shop.database.write() as session:
        front = [job.id for job in jobs[:7]]
        await session.execute(update(JobRow).where(JobRow.id.in_(front)).values(lane="premium"))
    async with working(worker_of(shop, slots=1, fairness=3)):
        await over(shop, alice, *jobs)
    assert shop.converter.read.index(b"7") == 3


@pytest.mark.requirement("F16", "F19")
async def test_nothing_is_claimed_while_the_store_is_away_or_the_disk_is_full(shop, clock, monkeypatch):
    async def away(key):
        raise StoreUnavailable

    ready = Readiness(shop.store, shop.folder, clock, min_free_bytes=0)
    assert await ready()
    with monkeypatch.context() as patch:
        patch.setattr(shop.store, "head", away)
        clock.move(6)
        assert not await ready()
        job = await shop.order()
        worker = Worker(
            shop.runner(), shop.queue, clock=clock, metrics=shop.metrics, rules=WorkerRules(poll=0.01), may_claim=ready
        )
        async with working(worker):
            await asyncio.sleep(0.05)
    assert (await shop.status(job), shop.converter.seen) == ("queued", [])
    clock.move(6)
    assert await ready()
    assert not await Readiness(shop.store, shop.folder, clock, min_free_bytes=1 << 60, min_free_share=1.0)()


async def test_a_claim_that_breaks_does_not_end_the_worker(shop, alice, monkeypatch):
    broken = [ValueError("a row that nobody can read")]
    claim = JobRunner.claim

    async def break_once(self, *lanes, **more):
        if broken:
            raise broken.pop()
        return await claim(self, *lanes, **more)

    monkeypatch.setattr(JobRunner, "claim", break_once)
    job = await shop.order()
    async with working(worker_of(shop)):
        assert await over(shop, alice, job) == ["succeeded"]
    assert not broken


async def test_an_outage_is_not_asked_about_at_every_hint(shop, monkeypatch):
    asked = []

    async def unreachable(self, *lanes, **more):
        asked.append(lanes)
        raise DatabaseUnavailable

    worker = worker_of(shop)
    for n in range(200):
        await shop.queue.publish(Task("job", f"job_{n}"))
    monkeypatch.setattr(JobRunner, "claim", unreachable)
    async with working(worker):
        await asyncio.sleep(0.6)
    assert 1 <= len(asked) <= 4


class Waited(JobRunner):
    """Each of its jobs was claimed three seconds after it could have been."""

    seen: list[float]

    async def claim(self, lane, then=None, *, suspects=False):
        job = await super().claim(lane, then, suspects=suspects)
        return job and replace(job, waited=3.0)

    async def run(self, job, converted=lambda: None):
        self.seen.append(job.waited)
        return await super().run(job, converted)


async def test_how_long_a_job_stood_behind_others_is_no_part_of_what_its_kind_takes(shop, alice):
    worker = worker_of(shop, slots=1)
    worker._runner.__class__, worker._runner.seen = Waited, []
    in_line = [await shop.order() for _ in range(2)]
    async with working(worker):
        assert await over(shop, alice, *in_line) == ["succeeded"] * 2
        await until(lambda: worker._was_idle)
        assert await over(shop, alice, await shop.order()) == ["succeeded"]
    assert worker._runner.seen == [0.0, 0.0, 3.0]


async def test_a_claim_tells_how_long_the_job_waited(shop):
    await shop.order()
    await shop.clock.advance(2.5)
    assert (await shop.runner().claim("standard")).waited == 2.5


async def test_while_products_are_stored_the_engines_go_on_with_the_next_job(shop, alice):
    jobs = [await shop.order() for _ in range(2)]
    shelf = Shelf(shop)
    async with working(worker_of(shop, slots=1)) as worker:
        await until(lambda: shelf.waiting == 2)  # the second was converted while the first was stored
        assert worker.busy == 2
        shelf.open.set()
        assert await over(shop, alice, *jobs) == ["succeeded"] * 2


async def test_no_more_jobs_are_stored_beside_the_engines_than_there_are_slots(shop, alice):
    jobs = [await shop.order() for _ in range(5)]
    shelf = Shelf(shop)
    async with working(worker_of(shop, slots=1)):
        await until(lambda: shelf.waiting == 2)
        assert [await shop.status(job) for job in jobs] == ["running"] * 2 + ["queued"] * 3
        shelf.open.set()
        assert await over(shop, alice, *jobs) == ["succeeded"] * 5
    assert shelf.most == 2


class Shelf:
    """A store that is slow to take results: it holds them until it is opened."""

    def __init__(self, shop) -> None:
        self.waiting = self.most = 0
        self.open = asyncio.Event()
        self._put = shop.store.put_file
        shop.store.put_file = self.put_file

    async def put_file(self, key, path, **more):
        if key.startswith("results/"):
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            await self.open.wait()
            self.waiting -= 1
        return await self._put(key, path, **more)
