"""The clock of the tests keeps its own promises."""

import asyncio
from datetime import timedelta

from filewright.chassis.ids import is_id
from filewright.chassis.testing.clock import START


async def test_time_stands_still_until_it_is_moved(clock):
    assert (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.move(90)
    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=90), 90.0)


async def test_sleepers_wake_in_the_order_of_their_moments_and_see_them(clock):
    woken = []

    async def sleep(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    tasks = [asyncio.create_task(sleep(seconds)) for seconds in (3, 1, 2, 10)]
    await clock.advance(5)
    assert woken == [(1, 1), (2, 2), (3, 3)]
    assert (clock.monotonic(), clock.sleeping) == (5, 1)
    await clock.advance(5)
    await asyncio.gather(*tasks)


async def test_a_loop_that_sleeps_runs_as_often_as_it_would(clock):
    ticks = 0

    async def loop():
        nonlocal ticks
        while True:
            await clock.sleep(10)
            ticks += 1

    task = asyncio.create_task(loop())
    await clock.advance(60)
    assert ticks == 6
    task.cancel()


async def test_a_cancelled_sleeper_does_not_stop_the_others(clock):
    leaving, staying = (asyncio.create_task(clock.sleep(5)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await clock.advance(5)
    await staying
    assert leaving.cancelled()


def test_ids_are_known_beforehand_and_look_like_real_ones(ids):
    assert [ids.new("job"), ids.new("art"), ids.new("job")] == [f"job_{1:026d}", f"art_{1:026d}", f"job_{2:026d}"]
    assert is_id(ids.new("job"), "job")
