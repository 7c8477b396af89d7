"""A task may be cancelled at any moment of a unit of work; the next one finds the database free."""

import asyncio
import random

import pytest
from sqlalchemy import text

from filewright.chassis.db.database import Database
from filewright.chassis.testing.faulty_proxy import Fault, FaultyProxy

STEPS = 120


async def test_a_unit_of_work_that_is_cancelled_in_the_middle_holds_nothing(database):
    async with database.write() as session:
        await session.execute(text("CREATE TABLE counted (n INTEGER)"))
        await session.execute(text("INSERT INTO counted VALUES (0)"))
    dice = random.Random(7)

    async def count() -> None:
        async with database.write() as session:
            await session.execute(text("UPDATE counted SET n = n + 1 RETURNING n"))

    for _ in range(STEPS):
        task = asyncio.create_task(count())
        for _ in range(dice.randrange(30)):
            await asyncio.sleep(0 if dice.random() < 0.7 else 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(4):  # SQLite's own patience with a lock is longer
            await count()


async def test_a_commit_that_has_begun_is_finished_however_often_its_caller_is_cancelled(database):
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def announce() -> None:
        begun.set()
        await may_end.wait()

    async def write() -> None:
        async with database.write() as session:
            await session.execute(text("CREATE TABLE finished (n INTEGER)"))
            session.after_commit(announce)

    task = asyncio.create_task(write())
    await begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM finished"))).scalar_one() == 0


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("way_out", ["cancelled", "timed out"])
async def test_a_statement_that_was_given_up_sends_no_message_beside_its_connection(
    database_url, postgres_server, way_out
):
    """A cancel request comes on a connection of its own, and PgBouncer 1.18 may end when it hears one."""
    owner, name = postgres_server.OWNER, database_url.rpartition("/")[2]
    with FaultyProxy(postgres_server.port) as proxy:
        proxy.arm(Fault(delay=0.001))
        database = Database(f"postgresql://{owner}@127.0.0.1:{proxy.port}/{name}")

        begun = asyncio.Event()

        async def wait_long() -> None:
            async with database.write() as session, asyncio.timeout(0.2 if way_out == "timed out" else None):
                begun.set()
                await session.execute(text("SELECT pg_sleep(3)"))

        waiting = asyncio.create_task(wait_long())
        await begun.wait()
        if way_out == "cancelled":
            await asyncio.sleep(0.05)
            waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await database.ping()
        await database.close()
        assert proxy.met == 2  # the one that waited, and the one after it
