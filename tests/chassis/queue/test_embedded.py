"""The queue in memory: bounded, without doubles, premium first but not only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.queue.port import LANES, PREMIUM, STANDARD, QueueFull, Task


async def test_a_full_queue_refuses_and_takes_again_when_there_is_room():
    queue = EmbeddedQueue(capacity=2)
    for number in range(2):
        await queue.publish(Task("job", f"job_{number}"))
    with pytest.raises(QueueFull):
        await queue.publish(Task("job", "job_2"))
    await queue.take(0)
    await queue.publish(Task("job", "job_2"))


async def test_a_hint_that_waits_already_is_not_doubled_and_one_that_was_taken_may_come_again():
    queue = EmbeddedQueue()
    task = Task("job", "job_1")
    await queue.publish(task)
    await queue.publish(task)
    assert await queue.take(0) == task
    assert await queue.take(0) is None
    await queue.publish(task)
    assert await queue.take(0) == task


@given(lanes=st.lists(st.sampled_from(LANES), max_size=60), fairness=st.integers(1, 5))
async def test_standard_never_waits_for_more_than_its_share_of_premium(lanes, fairness):
    queue = EmbeddedQueue(fairness=fairness)
    for number, lane in enumerate(lanes):
        await queue.publish(Task("job", f"job_{number}", lane))
    taken = [task.lane for task in [await queue.take(0) for _ in lanes] if task]
    assert sorted(taken) == sorted(lanes), "nothing lost, nothing doubled"
    in_a_row = 0
    for at, lane in enumerate(taken):
        in_a_row = in_a_row + 1 if lane == PREMIUM else 0
        if in_a_row > fairness:
            assert STANDARD not in taken[at:], "premium went past its share while standard waited"
