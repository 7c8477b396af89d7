"""Many processes, one count: on a real Redis, with time that the test moves and with time that goes by itself."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filewright.chassis.cache.optional_redis import OptionalRedis
from filewright.chassis.clock import SystemClock
from filewright.chassis.quota.gcra import SECOND, Rate
from filewright.chassis.quota.shared import LEASE_SECONDS, SharedLimiter
from filewright.chassis.testing.clock import FakeClock

pytestmark = pytest.mark.redis
PATIENT = 30.0
"""Seconds in which Redis may answer on a busy machine."""
LONG_AGO = 10**15


@asynccontextmanager
async def replicas(server, clock, count=2, **options) -> AsyncIterator[list[SharedLimiter]]:
    """As many processes would have."""
    each = [
        SharedLimiter(OptionalRedis(server.url(), clock, answer_seconds=PATIENT), clock, **options)
        for _ in range(count)
    ]
    yield each
    for limiter in each:
        await limiter.close()


# Rates whose keys live in Redis for at least a second of real time, for that is what they are kept by.
rates = st.builds(Rate, count=st.integers(1, 600), seconds=st.sampled_from([60.0, 3600.0]), burst=st.integers(5, 200))
steps = st.lists(
    st.tuples(st.one_of(st.just(0), st.integers(0, SECOND), st.integers(0, 20 * SECOND)), st.integers(0, 1)),
    min_size=1,
    max_size=80,
)


@pytest.mark.requirement("S13", "J2")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rates, steps)
def test_two_processes_with_leases_never_give_more_than_the_law(redis_server, rate, steps):
    """In every stretch of time, leases of any age included."""
    redis_server.do("FLUSHALL")

    async def scenario() -> list[int]:
        clock, given_at = FakeClock(), []

        def timer() -> int:
            return LONG_AGO + round(clock.monotonic() * SECOND)

        async with replicas(redis_server, clock, timer=timer) as each:
            for pause, which in steps:
                clock.move(pause / SECOND)
                for _ in range(3):
                    if (await each[which].take("k", rate)).allowed:
                        given_at.append(timer())
        return given_at

    given_at = asyncio.run(scenario())
    for first, began in enumerate(given_at):
        for last in range(first, len(given_at)):
            assert last - first + 1 <= rate.most + Fraction(given_at[last] - began + 2, rate.interval)


@pytest.mark.requirement("S13")
@pytest.mark.parametrize("held_for", [0.0, 0.5, 0.9, LEASE_SECONDS - 0.001])
async def test_a_lease_that_is_held_while_the_bucket_fills_up_again_is_no_more_than_a_burst(redis_server, held_for):
    """The worst there is: one holds all it can, waits, and then everybody takes all there is at one moment."""
    rate, clock = Rate(600, burst=40), FakeClock()

    def timer() -> int:
        return LONG_AGO + round(clock.monotonic() * SECOND)

    async def all_there_is(limiter: SharedLimiter) -> int:
        count = 0
        while (await limiter.take("k", rate)).allowed:
            count += 1
        return count

    async with replicas(redis_server, clock, timer=timer) as (holder, other):
        while (lease := holder._leases.get("k")) is None or lease.left < 9:  # the largest, just come
            assert (await holder.take("k", rate)).allowed
            clock.move(0.09)
        clock.move(held_for - 0.09 if held_for else 0)
        assert await all_there_is(other) + await all_there_is(holder) <= rate.most


@pytest.mark.requirement("S13", "J2")
async def test_sixty_four_tasks_on_two_processes_get_no_more_than_the_law(redis_server):
    rate = Rate(600, burst=100)
    async with replicas(redis_server, SystemClock()) as each:
        began = time.monotonic()

        async def ask(n: int) -> int:
            return sum([(await each[n % 2].take("one", rate)).allowed for _ in range(40)])

        given = sum(await asyncio.gather(*(ask(n) for n in range(64))))
        took = time.monotonic() - began
        assert all(limiter._redis.unanswered == 0 for limiter in each)
    assert given <= 100 + took * 10 + 1
    assert given >= 100 - 2 * 10, "what is kept for leases is little"


async def test_who_asks_slowly_gets_all_that_the_rate_says(redis_server):
    rate = Rate(60)
    async with replicas(redis_server, FakeClock(), count=1, timer=lambda: LONG_AGO) as (one,):
        given = [(await one.take("k", rate)) for _ in range(61)]
    assert [verdict.allowed for verdict in given].count(True) >= 58
    assert not given[-1].allowed


async def test_a_small_rate_is_exact_over_processes(redis_server):
    """Ten conversions a minute are ten, whichever process is asked."""
    rate = Rate(10)
    async with replicas(redis_server, FakeClock(), timer=lambda: LONG_AGO) as each:
        given = [await each[n % 2].take("k", rate) for n in range(12)]
    assert [verdict.allowed for verdict in given] == [True] * 10 + [False] * 2
    assert [verdict.remaining for verdict in given[:10]] == list(range(9, -1, -1))
    assert given[10].retry_after == pytest.approx(6.0)


async def test_all_or_none_is_given(redis_server):
    rate = Rate(10)
    async with replicas(redis_server, FakeClock(), count=1, timer=lambda: LONG_AGO) as (one,):
        assert (await one.take("k", rate, 8)).allowed
        assert not (await one.take("k", rate, 3)).allowed
        assert (await one.take("k", rate, 2)).allowed


async def test_to_look_costs_nothing(redis_server):
    rate = Rate(10)
    async with replicas(redis_server, FakeClock(), count=1, timer=lambda: LONG_AGO) as (one,):
        assert [(await one.take("k", rate, 0)).remaining for _ in range(3)] == [10, 10, 10]
        assert (await one.take("k", rate)).remaining == 9
        assert (await one.take("k", rate, 0)).remaining == 9


async def test_a_key_that_is_asked_for_all_the_time_seldom_costs_a_trip(redis_server):
    clock = FakeClock()
    async with replicas(redis_server, clock, count=1, timer=lambda: LONG_AGO + round(clock.monotonic() * SECOND)) as (
        one,
    ):
        before = commands(redis_server)
        for _ in range(500):
            assert (await one.take("k", Rate(6000, burst=1000))).allowed
            clock.move(0.01)
        assert commands(redis_server) - before < 60


async def test_a_lease_is_void_after_its_time(redis_server):
    clock = FakeClock()
    rate = Rate(6000, burst=1000)
    async with replicas(redis_server, clock, count=1, timer=lambda: LONG_AGO + round(clock.monotonic() * SECOND)) as (
        one,
    ):
        for _ in range(20):
            await one.take("k", rate)
        before = commands(redis_server)
        clock.move(LEASE_SECONDS)
        assert (await one.take("k", rate)).allowed
        assert commands(redis_server) > before


async def test_a_refusal_is_not_asked_for_twice(redis_server):
    clock = FakeClock()
    async with replicas(redis_server, clock, count=1, timer=lambda: LONG_AGO + round(clock.monotonic() * SECOND)) as (
        one,
    ):
        rate = Rate(1)
        assert (await one.take("k", rate)).allowed
        first = await one.take("k", rate)
        before = commands(redis_server)
        clock.move(20)
        again = await one.take("k", rate)
        assert (first.allowed, again.allowed) == (False, False)
        assert again.retry_after == pytest.approx(first.retry_after - 20)
        assert commands(redis_server) == before
        clock.move(40)
        assert (await one.take("k", rate)).allowed


@pytest.mark.requirement("S13")
async def test_without_redis_two_processes_together_give_no_more_than_the_rate(mortal_redis):
    rate = Rate(20)
    clock = FakeClock()
    each = [SharedLimiter(OptionalRedis(mortal_redis.url(), clock, answer_seconds=PATIENT), clock) for _ in range(2)]
    mortal_redis.signal(signal.SIGKILL)
    for _ in range(3):
        given = [(await limiter.take("k", rate)).allowed for limiter in each for _ in range(30)]
        clock.move(30.0)  # in which each gains five of ten
        assert sum(given) in {20, 10}
    for limiter in each:
        await limiter.close()


@pytest.mark.requirement("S13")
async def test_a_redis_that_stumbles_gives_nobody_a_second_burst(redis_server):
    """What was given before it, without it and after it is together what would have been given with it."""
    rate, clock = Rate(20), FakeClock()
    async with replicas(redis_server, clock, timer=lambda: LONG_AGO + round(clock.monotonic() * SECOND)) as each:

        async def given() -> int:
            return sum([(await each[n % 2].take("k", rate)).allowed for n in range(16)])

        assert await given() == 16
        for limiter in each:
            limiter._redis._breaker.failed()
        assert await given() == 4, "each goes on from what it last heard, at half the rate"
        assert all(limiter._redis.unasked for limiter in each)
        clock.move(1.0)
        for limiter in each:
            await limiter.take("k", rate, 0)
        assert await given() == 0, "and what it gave is taken back when it asks again"
        clock.move(60.0)
        assert await given() == 16, "once"


def commands(server) -> int:
    """How many scripts Redis has run."""
    with server.client() as client:
        counts = client.info("commandstats")
    return sum(facts["calls"] for name, facts in counts.items() if name.startswith("cmdstat_eval"))
