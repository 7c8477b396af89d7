"""Ending tasks that lose a cancellation, as some client libraries do."""

import asyncio

from filewright.chassis.tasks import ended


async def deaf(losses: int) -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if losses == 0:
                raise
            losses -= 1


async def test_a_task_that_loses_cancellations_is_ended_all_the_same():
    tasks = [asyncio.create_task(deaf(losses)) for losses in (0, 1, 3)]
    await asyncio.sleep(0)
    await asyncio.wait_for(ended(tasks, again=0.01), 10)
    assert all(task.cancelled() for task in tasks)


async def test_a_clean_up_has_its_time():
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await ended([task])
    assert cleaned.is_set()


async def test_what_has_ended_is_left_as_it_is():
    async def fail() -> None:
        raise ValueError

    done, failed = asyncio.create_task(asyncio.sleep(0, "result")), asyncio.create_task(fail())
    await asyncio.wait({done, failed})
    await ended([done, failed])
    assert done.result() == "result"
    assert isinstance(failed.exception(), ValueError)
