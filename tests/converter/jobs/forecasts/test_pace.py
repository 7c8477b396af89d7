"""Estimates are good after some hundred runs, whatever the work is like and however noisy the machine."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from filewright.converter.conversion.orders import Hop
from filewright.converter.jobs.forecasts.pace import MAX_KIND_CHARS, MOST_RUNS, Pace, Run, kind_of, manner_of
from filewright.converter.operations.orders import OrderedStep

LEARNT = 200
Work = Callable[[random.Random], tuple[int, int, float]]


def office(chance: random.Random) -> tuple[int, int, float]:
    """Letters and reports: a start that costs the same for all, then pages; pictures make bytes and little work."""
    pages = max(1, round(chance.lognormvariate(1.2, 1.0)))
    size = int(8_000 + pages * 2_500 * chance.lognormvariate(0, 0.25))
    return size, 0, 0.25 + 0.01 * pages


def letters_in_their_packages(chance: random.Random) -> tuple[int, int, float]:
    """Most of a short one is what every package has: a page is one per cent of the bytes, and a fifth of the time."""
    pages = max(1, round(min(chance.lognormvariate(0.7, 0.8), 20)))
    return int(36_500 + pages * 420 * chance.lognormvariate(0, 0.05)), 0, 0.25 + 0.06 * pages


def photos(chance: random.Random) -> tuple[int, int, float]:
    """In proportion to the pixels, which the bytes tell roughly."""
    megapixels = chance.uniform(0.2, 24)
    return int(megapixels * 350_000 * chance.lognormvariate(0, 0.12)), 0, 0.04 + 0.03 * megapixels


def sheets_in_two_ways(chance: random.Random) -> tuple[int, int, float]:
    """The same files with two sets of options, of which one takes eight times as long."""
    size = int(chance.lognormvariate(11, 1))
    fine = chance.random() < 0.3
    return size, int(fine), (0.1 + size / 2_000_000) * (8 if fine else 1)


def videos(chance: random.Random) -> tuple[int, int, float]:
    """Over three orders of magnitude."""
    size = int(10 ** chance.uniform(5.5, 8.5))
    return size, 0, 0.2 + size / 3e6 * chance.lognormvariate(0, 0.1)


def runs(work: Work, seed: int) -> Iterator[tuple[int, int, float]]:
    """As a machine does them: cold at first, never twice the same, and now and then busy with something else."""
    chance = random.Random(seed)
    for number in range(2 * LEARNT):
        size, manner, seconds = work(chance)
        seconds *= chance.lognormvariate(0, 0.08)
        seconds += 0.8 if number < 2 else 0
        yield size, manner, seconds * (chance.uniform(2, 6) if chance.random() < 0.05 else 1)


@pytest.mark.parametrize("work", [office, letters_in_their_packages, photos, sheets_in_two_ways, videos])
@pytest.mark.parametrize("seed", range(3))
def test_after_two_hundred_runs_four_of_five_estimates_are_within_a_quarter(work, seed):
    known: deque[Run] = deque(maxlen=MOST_RUNS)
    good = 0
    for number, (size, manner, seconds) in enumerate(runs(work, seed)):
        if number >= LEARNT:
            estimate = Pace(list(known)).seconds(size, manner, prior=5.0)
            good += abs(estimate - seconds) <= 0.25 * seconds
        known.append(Run.of(size, seconds, manner))
    assert good >= 0.8 * LEARNT


def test_a_machine_that_becomes_slower_is_learnt_from_its_last_runs():
    quick, slow = [Run.of(50_000, 0.4, 0)] * 150, [Run.of(50_000, 1.2, 0)] * 15
    assert Pace([*quick, *slow]).seconds(50_000, 0, 1.0) == pytest.approx(1.2, rel=0.01)


def test_before_much_is_known_the_first_thought_counts_too():
    once = Pace([Run.of(1000, 4.0, 0)])
    assert once.seconds(1000, 0, prior=1.0) == pytest.approx(2.0, rel=0.01)
    assert Pace([Run.of(1000, 4.0, 0)] * 5).seconds(1000, 0, prior=0.001) == pytest.approx(4.0, rel=0.01)


def test_a_file_larger_than_any_before_takes_as_much_longer_as_larger_ones_did():
    grown = Pace([Run.of(2**n * 1000, 2**n * 0.1, 0) for n in range(8)])
    assert grown.seconds(2**10 * 1000, 0, 1.0) == pytest.approx(102.4, rel=0.15)


def test_few_runs_with_the_same_options_count_more_than_many_with_others():
    known = [*(Run.of(1000 * n, 0.2, 0) for n in range(1, 100)), *[Run.of(5000, 1.6, 1)] * 3]
    assert Pace(known).seconds(5000, 1, 1.0) == pytest.approx(1.6, rel=0.01)
    assert Pace(known).seconds(5000, 2, 1.0) == Pace(known).seconds(5000, 0, 1.0) == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize("size", [0, 1, 2**60])
def test_an_estimate_is_always_a_number(size):
    known = [Run.of(size, 0.0, 0), *(Run.of(2**n, 10.0**n, n) for n in range(12))]
    assert 0 < Pace(known).seconds(size, 0, 0.0) < math.inf


def test_the_same_work_is_known_by_the_same_name():
    hops = [Hop("office", "7.4", "docx", "pdf", lossy=True)]
    newer = [Hop("office", "7.5", "docx", "pdf", lossy=True)]
    assert kind_of(hops) == kind_of(newer) == "convert docx>pdf office"
    long = [Hop("a" * 40, "1", "docx", "pdf", lossy=False, operation=f"rotate{n}") for n in range(10)]
    assert len(kind_of(long)) == MAX_KIND_CHARS
    assert kind_of(long) != kind_of(long[:-1])
    assert manner_of({"a": 1, "b": 2}) == manner_of({"b": 2, "a": 1})
    assert manner_of({}, [OrderedStep("rotate", None, {"degrees": 90})]) != manner_of({})
