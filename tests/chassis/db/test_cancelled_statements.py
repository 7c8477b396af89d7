"""A task may be cancelled at any moment of a unit of work; the next one finds the database free."""

import asyncio
import random

from sqlalchemy import text

STEPS = 300


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
