"""Laws of the early refresh."""

import random

from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.cache.early import draws_below, is_time, spread

seconds = st.floats(0, 1e6, allow_nan=False)
chances = st.floats(0, 1, exclude_max=True)


@given(seconds, seconds, chances)
def test_nobody_begins_while_no_draw_is_needed(left, cost, chance):
    if left > draws_below(cost):
        assert not is_time(left, cost, chance)


@given(seconds, seconds, seconds, chances)
def test_nearer_the_end_is_never_less_likely(left, more, cost, chance):
    if is_time(left + more, cost, chance):
        assert is_time(left, cost, chance)


@given(seconds, chances)
def test_at_the_end_it_is_time_for_everybody(cost, chance):
    assert is_time(0.0, cost, chance)


@given(seconds, chances)
def test_a_time_is_spread_over_its_last_tenth(whole, chance):
    assert 0.9 * whole <= spread(whole, chance) <= whole


def test_of_many_readers_somebody_is_done_before_the_end():
    """Reads every 10 ms of a value that takes 200 ms: begun early enough in nearly every run."""
    chance = random.Random(7)
    late = 0
    for _ in range(500):
        left = 10.0
        while left > 0 and not is_time(left, 0.2, chance.random()):
            left -= 0.01
        late += left < 0.2
    assert late < 25
