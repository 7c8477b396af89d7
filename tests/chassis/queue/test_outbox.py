"""The outbox publishes what was committed, all of it, at least once, and nothing else."""

import asyncio
import signal
import sys
import textwrap
from collections import Counter

import pytest
from sqlalchemy import func, select

from filewright.chassis import failpoints
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.queue.outbox import TOPIC, OutboxRow, announce, enqueue
from filewright.chassis.queue.port import PREMIUM, QueueUnavailable, Task
from filewright.chassis.queue.relay import Relay


@pytest.fixture(params=[False, True], ids=["beside-others", "alone"])
def alone(request):
    """Whether the relay is the only one there is."""
    return request.param


async def waiting(database):
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(OutboxRow))).scalar_one()


async def everything(queue):
    tasks = []
    while task := await queue.take(0):
        tasks.append(task)
    return tasks


async def enqueue_all(database, *tasks):
    async with database.write() as session:
        for task in tasks:
            enqueue(session, task)


async def test_a_task_is_published_once_its_unit_of_work_is_committed(database, alone):
    queue = EmbeddedQueue()
    relay = Relay(database, queue, alone=alone)
    async with database.write() as session:
        enqueue(session, Task("job", "job_1", PREMIUM))
        await session.flush()
        assert await asyncio.wait_for(relay.run_once(), 5) == 0
    assert await relay.run_once() == 1
    assert await everything(queue) == [Task("job", "job_1", PREMIUM)]
    assert await relay.run_once() == 0


async def test_a_task_whose_unit_of_work_failed_is_never_published(database, alone):
    queue = EmbeddedQueue()
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            enqueue(session, Task("job", "job_1"))
            raise ZeroDivisionError
    assert await Relay(database, queue, alone=alone).run_once() == 0


async def test_a_full_queue_leaves_the_rest_for_later(database, alone):
    queue = EmbeddedQueue(capacity=3)
    relay = Relay(database, queue, alone=alone)
    await enqueue_all(database, *(Task("job", f"job_{number}") for number in range(5)))
    assert await relay.run_once() == 3
    assert await waiting(database) == 2
    first = await everything(queue)
    assert await relay.run_once() == 2
    assert [task.id for task in first + await everything(queue)] == [f"job_{number}" for number in range(5)]


async def test_a_large_backlog_goes_in_batches(database, alone):
    queue = EmbeddedQueue()
    relay = Relay(database, queue, batch=4, alone=alone)
    await enqueue_all(database, *(Task("job", f"job_{number}") for number in range(10)))
    assert [await relay.run_once() for _ in range(4)] == [4, 4, 2, 0]


async def test_relays_at_once_share_the_rows(database):
    queue = EmbeddedQueue()
    await enqueue_all(database, *(Task("job", f"job_{number}") for number in range(60)))
    relays = [Relay(database, queue, batch=7) for _ in range(3)]

    async def run(relay):
        published = 0
        while count := await relay.run_once():
            published += count
        return published

    assert sum(await asyncio.gather(*(run(relay) for relay in relays))) == 60
    assert await waiting(database) == 0


async def test_a_queue_that_fails_costs_nothing(database, alone):
    class Failing(EmbeddedQueue):
        async def publish(self, task):
            raise ConnectionResetError

    await enqueue_all(database, Task("job", "job_1"))
    with pytest.raises(ConnectionResetError):
        await Relay(database, Failing(), alone=alone).run_once()
    assert await waiting(database) == 1


@pytest.mark.requirement("F9")
async def test_no_row_is_locked_while_a_queue_that_was_away_is_away_still(database, alone):
    class Away(EmbeddedQueue):
        away = True

        async def publish(self, task):
            if self.away:
                raise QueueUnavailable
            await super().publish(task)

        async def depth(self):
            if self.away:
                raise QueueUnavailable
            return await super().depth()

    queue = Away()
    relay = Relay(database, queue, alone=alone)
    await enqueue_all(database, Task("job", "job_1"))
    with pytest.raises(QueueUnavailable):
        await relay.run_once()
    failpoints.arm("outbox.publish.before=raise:EIO")
    try:
        with pytest.raises(QueueUnavailable):
            await relay.run_once()
    finally:
        failpoints.arm("")
    queue.away = False
    assert await relay.run_once() == 1
    assert await waiting(database) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", [name for name in failpoints.REGISTERED if name.startswith("outbox.")])
async def test_a_relay_killed_anywhere_loses_nothing(database, database_url, point):
    await enqueue_all(database, *(Task("job", f"job_{number}") for number in range(3)))
    program = textwrap.dedent("""
        import asyncio, sys
        from filewright.chassis import failpoints
        from filewright.chassis.db.database import Database
        from filewright.chassis.queue.embedded import EmbeddedQueue
        from filewright.chassis.queue.relay import Relay

        failpoints.arm(f"{sys.argv[1]}=sigkill")
        asyncio.run(Relay(Database(sys.argv[2]), EmbeddedQueue()).run_once())
    """)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, point, database_url)
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    queue = EmbeddedQueue()
    await Relay(database, queue).run_once()
    assert Counter(task.id for task in await everything(queue)) == {f"job_{number}": 1 for number in range(3)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_only_where_nobody_relays_are_other_processes_told_of_a_task(database):
    class Telling(MemoryNotifier):
        told = 0

        async def notify(self, topic):
            self.told += 1
            await super().notify(topic)

    notifier = Telling()
    await announce(notifier)
    assert notifier.told == 1
    async with notifier.listen(TOPIC) as relay:
        await announce(notifier)
        assert await relay.wait(5)
    assert notifier.told == 1
