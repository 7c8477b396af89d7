"""Ending tasks that lose a cancellation, as some client libraries do."""

import asyncio

import pytest

from filewright.chassis.tasks import ended, to_its_end, together


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


async def test_work_is_done_to_its_end_however_often_whoever_waits_is_cancelled():
    may_end, done = asyncio.Event(), []

    async def work() -> str:
        await may_end.wait()
        done.append("all of it")
        return "made"

    waiting = asyncio.create_task(to_its_end(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done == ["all of it"]
    assert await to_its_end(work()) == "made"


async def test_what_the_work_raised_is_told_and_is_the_cause_of_a_cancellation():
    may_end = asyncio.Event()

    async def work() -> None:
        await may_end.wait()
        raise ValueError("it")

    waiting = asyncio.create_task(to_its_end(work()))
    await asyncio.sleep(0)
    waiting.cancel()
    asyncio.get_running_loop().call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await waiting
    assert isinstance(cancelled.value.__cause__, ValueError)
    with pytest.raises(ValueError, match="it"):
        await to_its_end(work())


async def test_what_is_done_together_comes_back_in_order():
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await together(after(turns) for turns in (5, 0, 3)) == [5, 0, 3]


async def test_when_one_fails_none_of_the_others_runs_any_more():
    ended_others = []

    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.02)  # a clean-up that takes a moment
            ended_others.append(True)

    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await together([slow(), failing(), slow()])
    assert ended_others == [True, True]
