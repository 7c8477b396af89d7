from __future__ import annotations

import pytest

from filewright.chassis.audit.alarms import Alarms, Pattern
from filewright.chassis.telemetry.metrics import Metrics

PATTERNS = {"login_failed": Pattern(3, 60)}


@pytest.mark.requirement("J4", "K8")
def test_a_burst_is_told_once_and_again_when_it_goes_on(clock):
    metrics = Metrics()
    alarms = Alarms(clock, metrics, PATTERNS)
    assert [bool(alarms.note("login_failed", "a")) for _ in range(5)] == [False, False, True, False, False]
    clock.move(61)
    assert [bool(alarms.note("login_failed", "a")) for _ in range(3)] == [False, False, True]
    assert 'security_alerts_total{pattern="login_failed"} 2.0' in metrics.render().decode()


def test_what_is_spread_over_time_or_over_actors_is_no_burst(clock):
    alarms = Alarms(clock, Metrics(), PATTERNS)
    for n in range(20):
        assert not alarms.note("login_failed", "slow")
        assert not alarms.note("login_failed", f"one of many {n}")
        clock.move(31)


def test_memory_is_bounded_whoever_comes(clock):
    alarms = Alarms(clock, Metrics(), PATTERNS)
    for n in range(10_500):
        alarms.note("login_failed", str(n))
    assert len(alarms._seen) == 10_000
