"""What every `TaskQueue` does."""

from __future__ import annotations

import asyncio

from filewright.chassis.queue.port import PREMIUM, STANDARD, Task, TaskQueue

SOON = 5.0


async def taken(queue: TaskQueue) -> Task:
    task = await queue.take(SOON)
    assert task is not None
    return task


class TaskQueueSuite:
    """Subclass it and give a `queue` fixture: an empty queue with room for 100 tasks."""

    async def test_a_published_task_is_taken_as_it_was(self, queue: TaskQueue) -> None:
        await queue.publish(Task("job", "job_1", PREMIUM))
        assert await queue.take(SOON) == Task("job", "job_1", PREMIUM)

    async def test_an_empty_queue_gives_nothing(self, queue: TaskQueue) -> None:
        assert await queue.take(0) is None
        assert await queue.take(0.01) is None

    async def test_a_task_that_was_taken_is_gone(self, queue: TaskQueue) -> None:
        await queue.publish(Task("job", "job_1"))
        await queue.take(SOON)
        assert await queue.take(0) is None

    async def test_tasks_of_one_lane_come_in_their_order(self, queue: TaskQueue) -> None:
        for number in range(5):
            await queue.publish(Task("job", f"job_{number}"))
        assert [(await taken(queue)).id for _ in range(5)] == [f"job_{number}" for number in range(5)]

    async def test_many_offered_at_once_come_in_their_order_as_far_as_they_were_taken(self, queue: TaskQueue) -> None:
        offered = [Task("job", f"job_{number}") for number in range(105)]
        count = await queue.publish_all(offered)
        assert 95 <= count < 105, "100 fit, and a taker may hold one more"
        assert await queue.publish_all(offered[count:]) == 0
        assert [await taken(queue) for _ in range(count)] == offered[:count]

    async def test_premium_comes_first_and_standard_is_not_starved(self, queue: TaskQueue) -> None:
        for number in range(3):
            await queue.publish(Task("job", f"standard_{number}", STANDARD))
        for number in range(12):
            await queue.publish(Task("job", f"premium_{number}", PREMIUM))
        tasks = [await taken(queue) for _ in range(15)]
        assert tasks[0].lane == PREMIUM
        assert [task.lane for task in tasks].index(STANDARD) < 12, "standard waited until all premium was done"
        assert {task.id for task in tasks if task.lane == STANDARD} == {f"standard_{number}" for number in range(3)}

    async def test_whoever_waits_is_woken_by_a_task(self, queue: TaskQueue) -> None:
        taking = asyncio.create_task(queue.take(SOON))
        await asyncio.sleep(0)
        await queue.publish(Task("job", "job_1"))
        assert await taking == Task("job", "job_1")

    async def test_each_task_goes_to_one_taker(self, queue: TaskQueue) -> None:
        taking = [asyncio.create_task(taken(queue)) for _ in range(10)]
        await asyncio.sleep(0)
        for number in range(10):
            await queue.publish(Task("job", f"job_{number}"))
        assert {task.id for task in await asyncio.gather(*taking)} == {f"job_{number}" for number in range(10)}

    async def test_a_taker_that_is_cancelled_takes_nothing_with_it(self, queue: TaskQueue) -> None:
        leaving, staying = (asyncio.create_task(queue.take(SOON)) for _ in range(2))
        await asyncio.sleep(0)
        await queue.publish(Task("job", "job_1"))
        leaving.cancel()
        outcomes = await asyncio.gather(leaving, staying, return_exceptions=True)
        assert Task("job", "job_1") in outcomes

    async def test_the_depth_counts_what_waits_in_each_lane(self, queue: TaskQueue) -> None:
        await queue.publish(Task("job", "job_1", PREMIUM))
        await queue.publish(Task("job", "job_2", STANDARD))
        await queue.publish(Task("job", "job_3", STANDARD))
        assert dict(await queue.depth()) == {PREMIUM: 1, STANDARD: 2}

    async def test_closing_wakes_all_who_wait(self, queue: TaskQueue) -> None:
        taking = [asyncio.create_task(queue.take(60)) for _ in range(3)]
        await asyncio.sleep(0)
        await queue.close()
        assert await asyncio.wait_for(asyncio.gather(*taking), SOON) == [None, None, None]
