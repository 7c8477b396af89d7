"""Bursts, counted by one process and by several that share a Redis: the same law."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from filewright.chassis.audit.bursts import MOST_KEYS, MemoryBursts, SharedBursts, Sighting
from filewright.chassis.cache.optional_redis import OptionalRedis
from filewright.chassis.testing.clock import FakeClock

PATIENT = 10.0


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def replicas(redis_server, clock):
    """Two processes' counts."""
    redis_server.do("FLUSHALL")
    clients = [OptionalRedis(redis_server.url(), clock, answer_seconds=PATIENT) for _ in range(2)]
    yield [SharedBursts(client, clock) for client in clients]
    for client in clients:
        await client.close()


def seen(who, times=1, of=3, seconds=60.0):
    return Sighting(("pattern", who), times, of, seconds)


async def test_a_window_slides(clock):
    bursts = MemoryBursts(clock)
    found = []
    for pause in (0, 40, 40, 10):
        clock.move(pause)
        found += await bursts.count([seen("a")])
    assert found == [False, False, False, True], "the first is past when the third comes"


async def test_who_was_seen_the_longest_ago_is_forgotten(clock):
    bursts = MemoryBursts(clock)
    await bursts.count([seen(str(n)) for n in range(MOST_KEYS + 500)])
    assert len(bursts) == MOST_KEYS


@pytest.mark.redis
@pytest.mark.requirement("J4", "K8")
async def test_replicas_count_together_and_one_of_them_tells(replicas):
    one, other = replicas
    assert await one.count([seen("together", 2), seen("else", 2)]) == [False, False]
    assert await other.count([seen("together"), seen("another")]) == [True, False]
    assert await one.count([seen("together", 9)]) == [False], "it was told"


@pytest.mark.redis
async def test_of_any_number_that_count_at_once_one_tells(replicas):
    answers = await asyncio.gather(
        *(replica.count([seen("crowd", of=30), seen("few", of=31)]) for _ in range(15) for replica in replicas)
    )
    assert [sum(column) for column in zip(*answers, strict=True)] == [1, 0]


@pytest.mark.redis
async def test_a_window_slides_in_redis_too(redis_server, clock):
    redis = OptionalRedis(redis_server.url(), clock, answer_seconds=PATIENT)
    bursts = SharedBursts(redis, clock, timer=lambda: 10**15 + round(1000 * clock.monotonic()))
    found = []
    for pause in (0, 40, 40, 10):
        clock.move(pause)
        found += await bursts.count([seen("slides")])
    assert found == [False, False, False, True]
    await redis.close()


@pytest.mark.redis
async def test_what_goes_on_is_told_again_when_the_window_is_over(replicas):
    told, deadline = 0, time.monotonic() + 30
    while told < 2 and time.monotonic() < deadline:
        told += sum(await replicas[0].count([seen("again", 2, of=2, seconds=0.05)]))
    assert told == 2


@pytest.mark.redis
async def test_more_than_one_question_takes_are_all_counted(replicas):
    many = [seen(f"many {n}") for n in range(250)]
    for replica, is_burst in ((replicas[0], False), (replicas[1], False), (replicas[0], True)):
        assert set(await replica.count(many)) == {is_burst}


@pytest.mark.redis
async def test_what_redis_holds_names_nobody(replicas):
    await replicas[0].count([seen("ip:203.0.113.9")])
    names = await replicas[0]._redis.client.keys("filewright:burst:*")
    assert names
    assert not any(b"203.0.113.9" in name for name in names)


@pytest.mark.redis
async def test_without_redis_each_process_counts_for_itself(mortal_redis, clock):
    clients = [OptionalRedis(mortal_redis.url(), clock, answer_seconds=PATIENT) for _ in range(2)]
    one, other = (SharedBursts(client, clock) for client in clients)
    mortal_redis.signal(signal.SIGKILL)
    assert [*await one.count([seen("a", 2)]), *await other.count([seen("a", 2)])] == [False, False]
    assert await one.count([seen("a")]) == [True]
    for client in clients:
        await client.close()
