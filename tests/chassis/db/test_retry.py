"""Trying again is a decision: pure, bounded, and never for a defect."""

import pytest

from filewright.chassis.db.dialect import Trouble
from filewright.chassis.db.retry import MAX_ATTEMPTS, GiveUp, TryAgain, after


@pytest.mark.parametrize(
    ("trouble", "decision"),
    [
        (Trouble.CONFLICT, TryAgain(0.02)),
        (Trouble.BUSY, TryAgain(0.02)),
        (Trouble.DOWN, GiveUp(unavailable=True)),
        (Trouble.READ_ONLY, GiveUp(unavailable=True)),
        (Trouble.NONE, GiveUp(unavailable=False)),
    ],
)
def test_the_first_attempt_is_decided_by_what_went_wrong(trouble, decision):
    assert after(trouble, 1) == decision


@pytest.mark.parametrize("trouble", [Trouble.BUSY, Trouble.CONFLICT])
def test_waiting_grows_and_ends(trouble):
    decisions = [after(trouble, attempt) for attempt in range(1, MAX_ATTEMPTS[trouble] + 1)]
    waits = [decision.seconds for decision in decisions[:-1]]
    assert waits == sorted(waits)
    assert sum(waits) < 1
    assert decisions[-1] == GiveUp(unavailable=True)


def test_jitter_spreads_a_wait_to_at_most_twice_its_length():
    assert after(Trouble.CONFLICT, 3, jitter=1.0) == TryAgain(after(Trouble.CONFLICT, 3).seconds * 2)
