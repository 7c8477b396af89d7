"""Time left, by itself: with a clock that the tests turn, and jobs that get on as they say."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import Page

_COURSE = """async ({points, now, estimate}) => {
    const {Course} = await import('/static/pace.js');
    const course = new Course();
    for (const [at, progress] of points) course.see(at * 1000, progress);
    return course.left(now * 1000, estimate ?? undefined);
}"""
_QUEUE = """async ({running, waiting}) => {
    const {timesInQueue} = await import('/static/pace.js');
    const jobs = waiting.map(([place, seconds]) => ({key: String(place), place, seconds}));
    return Object.fromEntries(timesInQueue(running, jobs));
}"""
_SHOWN = """async (guesses) => {
    const {Pace} = await import('/static/pace.js');
    const pace = new Pace();
    return guesses.map((seconds, second) => {
        pace.guess(second * 1000, seconds);
        return pace.left(second * 1000);
    });
}"""


@pytest.fixture(scope="module")
def page(page_at) -> Page:
    return page_at("/static/mark.svg")


def left(page: Page, points: list[tuple[float, float]], now: float, estimate: float | None = None) -> float | None:
    """Seconds left of a job whose per cents were heard at these seconds."""
    found = page.evaluate(_COURSE, {"points": points, "now": now, "estimate": estimate})
    return None if found is None else float(found)


# --- a job that runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "now"),
    [
        ([], 5),
        ([(0, 0)], 30),
        ([(0, 0), (0.5, 1)], 1.9),
        ([(0, 0), (1, 2)], 1.5),
        ([(0, 40)], 60),
        ([(0, 40), (1, 41)], 1.5),
    ],
)
def test_nothing_is_said_before_a_job_has_shown_its_pace(page: Page, points, now):
    assert left(page, points, now, estimate=2) is None


def test_a_steady_job_is_told_by_its_own_pace(page: Page):
    assert left(page, [(0, 0), (5, 5), (10, 10)], 10) == pytest.approx(90)
    assert left(page, [(0, 0), (5, 5), (10, 10)], 10.5) == pytest.approx(89.5)


def test_a_page_that_comes_late_counts_from_what_it_saw(page: Page):
    """Forty per cent were there when it was loaded; ten came since in ten seconds."""
    assert left(page, [(100, 40), (110, 50)], 110) == pytest.approx(50)


def test_a_job_that_begins_again_is_counted_anew(page: Page):
    assert left(page, [(0, 0), (10, 80), (20, 0)], 25) is None
    assert left(page, [(0, 0), (10, 80), (20, 0), (30, 10)], 30) == pytest.approx(90)


def test_an_estimate_that_was_far_too_short_is_not_believed(page: Page):
    """A film of two hundred seconds that the service took for one of four."""
    told = left(page, [(0, 0), (6, 3)], 6, estimate=4)
    assert told is not None
    assert 130 < told < 194


def test_the_more_was_seen_the_less_an_estimate_counts(page: Page):
    off = []
    for progress in (3, 10, 30, 80):
        own = left(page, [(0, 0), (progress, progress)], progress)
        told = left(page, [(0, 0), (progress, progress)], progress, estimate=10_000)
        assert own is not None
        assert told is not None
        off.append(told / own)
    assert off == sorted(off, reverse=True)
    assert off[0] <= 1.5
    assert off[-1] < 1.02


def test_a_job_that_stands_still_takes_longer_not_shorter(page: Page):
    told = [left(page, [(0, 0), (10, 10)], now) for now in range(10, 60)]
    assert all(value is not None for value in told)
    assert told[-1] > told[0]
    assert min(told) >= told[0] - 1


# --- jobs that wait ---------------------------------------------------------------------------------------------------


def times(page: Page, running: list[float | None], waiting: list[tuple[int, float]]) -> dict[str, float | None]:
    """By place, from the seconds left of what runs, and the place and length of what waits."""
    return dict(page.evaluate(_QUEUE, {"running": running, "waiting": waiting}))


def test_who_waits_is_told_of_the_work_before_it_too(page: Page):
    assert times(page, [17], [(1, 2), (2, 3)]) == {"1": 19, "2": 22}


def test_places_to_work_are_filled_as_they_get_free(page: Page):
    assert times(page, [5, 10], [(1, 7), (2, 1), (3, 1)]) == {"1": 12, "2": 11, "3": 12}


def test_the_order_of_the_queue_counts_not_that_of_the_page(page: Page):
    assert times(page, [1], [(2, 5), (1, 10)]) == {"1": 11, "2": 16}


def test_jobs_of_others_count_as_much_as_the_one_behind_them(page: Page):
    assert times(page, [10], [(1, 2), (4, 3)]) == {"1": 12, "4": 21}


@pytest.mark.parametrize("running", [[], [None], [4, None]])
def test_nothing_is_said_where_nobody_knows_when_a_place_gets_free(page: Page, running):
    assert times(page, running, [(1, 2), (2, 3)]) == {"1": None, "2": None}


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_what_is_shown_never_jumps_up(page: Page):
    shown = page.evaluate(_SHOWN, [20] * 5 + [400] * 60)
    assert all(after <= before * 1.05 + 1 for before, after in pairwise(shown))
    assert shown[-1] > 200, "bad news is told in the end"


def test_what_is_shown_follows_good_news(page: Page):
    shown = page.evaluate(_SHOWN, [400, *range(30, 10, -1)])
    assert shown[0] == 400
    assert shown[-1] < 20
    assert all(after <= before for before, after in pairwise(shown))


def test_what_is_not_over_has_some_time_left(page: Page):
    assert page.evaluate(_SHOWN, [3, 2, 1, 0, 0, 0])[-1] == 1
