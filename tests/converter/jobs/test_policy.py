"""What becomes of a job after each kind of error."""

import errno
from datetime import timedelta

import pytest

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.sandbox.port import SandboxUnavailable
from filewright.chassis.storage.port import ObjectDamaged, ObjectMissing, StoreFull, StoreUnavailable
from filewright.converter import errors
from filewright.converter.jobs.policy import Counters, GiveUp, RetryAt, after, window
from filewright.converter.jobs.states import JobState

OUTAGES = [
    StoreUnavailable(),
    StoreFull(),
    ObjectDamaged(),
    DatabaseUnavailable(),
    SandboxUnavailable(),
    OSError(errno.ENOSPC, "no space"),
    OSError(errno.EIO, "i/o"),
    ConnectionResetError(),
    TimeoutError(),
]


NOT_FINAL = {"engine_crashed", "infected", "internal", "scan_unavailable"}


@pytest.mark.parametrize("code", sorted(set(errors.conversion_errors()) - NOT_FINAL))
def test_what_is_the_files_or_a_limits_fault_is_never_tried_again(code):
    decision = after(errors.conversion_errors()[code](), Counters(), jitter=0.5)
    assert isinstance(decision, GiveUp)
    assert decision.state is JobState.FAILED
    assert decision.error.code == code
    assert decision.counters == Counters()


def test_malware_has_an_end_of_its_own():
    assert after(errors.Infected(), Counters(), jitter=0).state is JobState.INFECTED


@pytest.mark.requirement("F7")
def test_the_third_crash_is_the_last():
    counters = Counters()
    for _ in range(2):
        decision = after(errors.EngineCrashed(), counters, jitter=1.0)
        assert isinstance(decision, RetryAt)
        counters = decision.counters
    last = after(errors.EngineCrashed(), counters, jitter=1.0)
    assert isinstance(last, GiveUp)
    assert (last.state, last.error.code, last.counters.crashes) == (JobState.QUARANTINED, "quarantined", 3)


@pytest.mark.requirement("F19")
@pytest.mark.parametrize("outage", OUTAGES, ids=repr)
def test_an_outage_is_tried_again_and_blames_no_file(outage):
    decision = after(outage, Counters(crashes=2, transients=3), jitter=0.5)
    assert isinstance(decision, RetryAt)
    assert decision.counters == Counters(crashes=2, transients=4)


def test_the_eighth_outage_is_the_last():
    assert isinstance(after(StoreUnavailable(), Counters(transients=6), jitter=0), RetryAt)
    last = after(StoreUnavailable(), Counters(transients=7), jitter=0)
    assert isinstance(last, GiveUp)
    assert (last.state, last.error.code, last.error.retryable) == (JobState.FAILED, "storage_unavailable", True)


@pytest.mark.requirement("F20")
def test_a_file_that_no_scanner_looked_at_waits_and_is_told_why_in_the_end():
    assert isinstance(after(errors.ScanUnavailable(), Counters(transients=6), jitter=0), RetryAt)
    last = after(errors.ScanUnavailable(), Counters(transients=7), jitter=0)
    assert isinstance(last, GiveUp)
    assert (last.state, last.error.code, last.error.retryable) == (JobState.FAILED, "scan_unavailable", True)


def test_an_input_that_is_gone_ends_the_job():
    decision = after(ObjectMissing(), Counters(), jitter=0)
    assert isinstance(decision, GiveUp)
    assert decision.error.code == "expired"


def test_a_defect_of_ours_is_told_as_such_and_says_nothing_else():
    decision = after(KeyError("/secret/path"), Counters(), jitter=0)
    assert isinstance(decision, GiveUp)
    assert decision.error.code == "internal"
    assert "secret" not in decision.error.detail


def test_waiting_times_double_up_to_five_minutes_and_are_spread_over_all_of_it():
    assert [window(n).total_seconds() for n in (1, 2, 3, 9, 10, 500)] == [1, 2, 4, 256, 300, 300]
    delays = [after(errors.EngineCrashed(), Counters(1), jitter=jitter).delay for jitter in (0.0, 0.5, 1.0)]
    assert delays == [timedelta(0), timedelta(seconds=1), timedelta(seconds=2)]
