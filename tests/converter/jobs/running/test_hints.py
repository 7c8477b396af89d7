"""Jobs whose hints go over Celery and Redis, while Redis is emptied, killed and frozen: every one runs, once."""

import asyncio
import signal
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select

from filewright.chassis.coordination.redis_notifier import RedisNotifier
from filewright.chassis.queue.celery_queue import CeleryQueue
from filewright.chassis.queue.outbox import TOPIC, OutboxRow
from filewright.chassis.queue.relay import Relay
from filewright.chassis.tasks import ended
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.running.worker import Worker, WorkerRules
from filewright.converter.maintenance.dispatcher import Dispatcher
from filewright.converter.maintenance.loops import Loop, Loops

pytestmark = [
    pytest.mark.redis,
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),
]
SECRET = b"a secret of the tests, of 32 bytes or more"
JOBS = 8


@asynccontextmanager
async def served(shop, url):
    """Relay, dispatcher and worker as in the distributed shape, with Redis between them."""
    queue, notifier = CeleryQueue(url, SECRET), RedisNotifier(url, ping=0.5)
    worker = Worker(shop.runner(), queue, clock=shop.clock, metrics=shop.metrics, rules=WorkerRules(slots=2, poll=0.2))
    each = (
        Loop("relay", Relay(shop.database, queue).run_once, every=0.2, topic=TOPIC, batch=100),
        Loop("dispatcher", Dispatcher(shop.database, queue).run_once, every=0.2, topic="dispatcher"),
    )
    loops = asyncio.create_task(Loops(each, clock=shop.clock, notifier=notifier, metrics=shop.metrics).run())
    working = asyncio.create_task(worker.run())
    try:
        yield queue
    finally:
        await worker.stop(grace=5)
        await asyncio.wait_for(working, 10)
        await asyncio.wait_for(ended([loops]), 30)
        await notifier.close()
        await queue.close()


async def emptied(redis):
    while True:
        await asyncio.to_thread(redis.do, "FLUSHALL")
        await asyncio.sleep(0.02)


async def killed(redis):
    await asyncio.sleep(0.1)
    await asyncio.to_thread(redis.signal, signal.SIGKILL)


async def killed_again_and_again(redis):
    while True:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(redis.signal, signal.SIGKILL)
        await asyncio.to_thread(redis.restart)


async def frozen(redis):
    redis.freeze()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(emptied, marks=pytest.mark.requirement("F8")),
        pytest.param(killed, marks=pytest.mark.requirement("F9")),
        pytest.param(killed_again_and_again, marks=pytest.mark.requirement("F9")),
        pytest.param(frozen, marks=pytest.mark.requirement("F9")),
    ],
)
@pytest.mark.sampled(2)
async def test_every_job_runs_once_whatever_happens_to_redis(shop, alice, mortal_redis, fault):
    async with served(shop, mortal_redis.url()):
        failing = asyncio.create_task(fault(mortal_redis))
        jobs = []
        for number in range(JOBS):
            jobs.append(await shop.order(b"%d" % number))
            await asyncio.sleep(0.05)
        ends = [(await shop.jobs.wait_until_over(alice, job.id, 60)).status for job in jobs]
        failing.cancel()
        await asyncio.gather(failing, return_exceptions=True)
        mortal_redis.thaw()
    assert ends == ["succeeded"] * JOBS
    assert len(shop.converter.seen) == JOBS, "each was converted once"
    async with shop.database.read() as session:
        assert (await session.scalars(select(func.max(JobRow.attempt)))).one() == 1


@pytest.mark.requirement("F9")
async def test_hints_are_heard_again_once_redis_is_back(shop, alice, mortal_redis):
    async with served(shop, mortal_redis.url()) as queue:
        mortal_redis.signal(signal.SIGKILL)
        first = await shop.order(b"without hints")
        assert (await shop.jobs.wait_until_over(alice, first.id, 60)).status == "succeeded"
        mortal_redis.restart()
        async with asyncio.timeout(60):
            while await waiting(shop) or any((await queue.depth()).values()):
                await asyncio.sleep(0.05)  # what the outbox kept is published now, and heard by the same worker
        second = await shop.order(b"with hints")
        assert (await shop.jobs.wait_until_over(alice, second.id, 60)).status == "succeeded"


async def waiting(shop):
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(OutboxRow))).one()
