from __future__ import annotations

import pytest

from filewright.chassis.audit.alarms import Alarms, Pattern, Raised
from filewright.chassis.telemetry.metrics import Metrics

PATTERNS = {"login_failed": Pattern(3, 60), "never": Pattern(0, 1)}


@pytest.mark.requirement("J4", "K8")
async def test_a_burst_is_told_once_and_again_when_it_goes_on(clock):
    metrics = Metrics()
    alarms = Alarms(clock, metrics, PATTERNS)
    told = []
    for pause in (0, 0, 0, 0, 61, 0, 0):
        clock.move(pause)
        alarms.note("login_failed", "a")
        told.append(await alarms.raised())
    burst = [Raised("login_failed", "a", 3, 60)]
    assert told == [[], [], burst, [], [], [], burst]
    assert 'security_alerts_total{pattern="login_failed"} 2.0' in metrics.render().decode()


async def test_what_came_all_at_once_is_a_burst_too(clock):
    alarms = Alarms(clock, Metrics(), PATTERNS)
    for _ in range(50):
        alarms.note("login_failed", "a")
        alarms.note("login_failed", "b")
        alarms.note("never", "a")
    assert [alarm.actor for alarm in await alarms.raised()] == ["a", "b"]
    assert await alarms.raised() == []


async def test_what_is_spread_over_time_or_over_actors_is_no_burst(clock):
    alarms = Alarms(clock, Metrics(), PATTERNS)
    for n in range(20):
        alarms.note("login_failed", "slow")
        alarms.note("login_failed", f"one of many {n}")
        assert await alarms.raised() == []
        clock.move(31)


async def test_memory_is_bounded_whoever_comes(clock):
    alarms = Alarms(clock, Metrics(), PATTERNS)
    for n in range(10_500):
        alarms.note("login_failed", str(n))
    assert len(alarms._seen) == 10_000
