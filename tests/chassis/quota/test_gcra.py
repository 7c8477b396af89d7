"""The law against a bucket that fills up: written another way, with fractions in place of whole microseconds."""

from __future__ import annotations

import threading
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.quota.gcra import SECOND, Rate, decide
from filewright.chassis.quota.memory import MemoryLimiter
from filewright.chassis.testing.clock import FakeClock

rates = st.builds(
    Rate,
    count=st.integers(1, 1000),
    seconds=st.sampled_from([1.0, 7.0, 60.0, 3600.0]),
    burst=st.integers(0, 50),
)
steps = st.lists(st.tuples(st.integers(0, 30 * SECOND), st.integers(1, 5)), max_size=60)


class Bucket:
    """Holds `most`, gains `count` in `seconds`, gives what it has."""

    def __init__(self, rate: Rate) -> None:
        self.gain = Fraction(rate.count) / (Fraction(rate.seconds) * SECOND)
        self.most = Fraction(rate.most)
        self.level = self.most

    def pass_time(self, microseconds: int) -> None:
        self.level = min(self.most, self.level + microseconds * self.gain)

    def give(self, cost: int) -> bool:
        if cost > self.level:
            return False
        self.level -= cost
        return True


@pytest.mark.requirement("S13")
@given(rates, steps)
def test_what_is_given_a_bucket_would_have_given_too(rate, steps):
    bucket, fresh_at, now = Bucket(rate), None, 10**15
    for pause, cost in steps:
        now += pause
        bucket.pass_time(pause)
        verdict, fresh_at = decide(rate.interval, rate.most, fresh_at, now, cost)
        if verdict.allowed:
            assert bucket.give(cost)
        assert 0 <= verdict.remaining <= bucket.level
        assert bucket.level - verdict.remaining <= 1 + Fraction(len(steps) * 5, 1000)


@pytest.mark.requirement("S13")
@given(rates, steps)
def test_in_no_stretch_of_time_is_more_given_than_a_burst_and_the_rate(rate, steps):
    fresh_at, now, given_at = None, 0, []
    for pause, cost in steps:
        now += pause
        verdict, fresh_at = decide(rate.interval, rate.most, fresh_at, now, cost)
        given_at += [now] * (cost if verdict.allowed else 0)
    for first, began in enumerate(given_at):
        for last in range(first, len(given_at)):
            stretch = Fraction(given_at[last] - began, rate.interval)
            assert last - first + 1 <= rate.most + stretch


@given(rates, st.integers(1, 5), st.integers(0, 100))
def test_a_refusal_says_to_the_microsecond_when_it_would_be_none(rate, cost, taken):
    fresh_at, now = None, 5 * SECOND
    for _ in range(taken):
        _, fresh_at = decide(rate.interval, rate.most, fresh_at, now)
    verdict, fresh_at = decide(rate.interval, rate.most, fresh_at, now, cost)
    if verdict.allowed or cost > rate.most:
        return
    wait = round(verdict.retry_after * SECOND)
    assert not decide(rate.interval, rate.most, fresh_at, now + wait - 1, cost)[0].allowed
    assert decide(rate.interval, rate.most, fresh_at, now + wait, cost)[0].allowed


def test_to_look_costs_nothing():
    rate = Rate(3)
    seen, fresh_at = decide(rate.interval, rate.most, None, SECOND, 0)
    assert (seen.allowed, seen.remaining) == (True, 3)
    assert decide(rate.interval, rate.most, fresh_at, SECOND, 3)[0].allowed


@pytest.mark.requirement("S13", "J2")
def test_sixty_four_threads_get_what_one_would_get():
    limiter, rate = MemoryLimiter(FakeClock()), Rate(60, burst=100)
    given = []

    def ask() -> None:
        given.extend(limiter.take_now("one", rate).allowed for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(given), sum(given)) == (3200, 100)


def test_keys_know_nothing_of_each_other():
    limiter, rate = MemoryLimiter(FakeClock()), Rate(1)
    assert [limiter.take_now(key, rate).allowed for key in "aab"] == [True, False, True]


def test_of_too_many_keys_those_in_use_for_longest_are_remembered():
    clock = FakeClock()
    limiter = MemoryLimiter(clock, most_keys=10)
    spent, brief = Rate(1, seconds=3600), Rate(60)
    assert limiter.take_now("spent", spent).allowed
    for n in range(100):
        limiter.take_now(f"brief{n}", brief)
        clock.move(0.01)
    assert not limiter.take_now("spent", spent).allowed
