"""The order of suggestions: laws of the arithmetic, and what a person would notice of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.converter.choices.order import HALF_LIFE, LANDMARK, MOST, growth, suggested
from filewright.converter.routing.usual import habits, usual_targets

DOCX = ("odt", "rtf", "txt", "html", "md", "epub", "pdf", "png", "tex")
"""In the order of a planner: nearest first."""
moments = st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_without_choices_the_usual_order_holds():
    assert suggested("docx", DOCX, {}) == usual_targets("docx", DOCX)


def test_only_what_is_possible_is_suggested_and_never_the_source():
    assert suggested("docx", ("txt", "docx"), {"pdf": 1000.0, "docx": 1000.0}) == ["txt"]


def test_a_few_odd_choices_do_not_turn_the_list_over():
    before = suggested("docx", DOCX, {})
    after = suggested("docx", DOCX, {"tex": 3.0})
    assert after[:3] == before[:3]
    assert "tex" in after


def test_what_everybody_chooses_comes_first():
    assert suggested("docx", DOCX, {"tex": 30.0})[0] == "tex"
    assert suggested("docx", DOCX, {"tex": 30.0, "pdf": 25.0})[:2] == ["pdf", "tex"]


def test_a_format_that_nobody_knows_a_habit_of_is_ordered_by_choices_then_by_nearness():
    assert habits("unheard-of") == []
    assert suggested("unheard-of", ("a", "b", "c"), {"c": 1.0}) == ["c", "a", "b"]


@given(
    st.lists(st.sampled_from(DOCX), unique=True),
    st.dictionaries(st.sampled_from((*DOCX, "mp3")), st.floats(0, 1e6)),
    st.sampled_from(("docx", "csv", "unheard-of")),
)
def test_suggestions_are_some_of_the_possible_each_once(possible, chosen, source):
    found = suggested(source, possible, chosen)
    assert len(found) == min(MOST, len([target for target in possible if target != source]))
    assert len(set(found)) == len(found)
    assert set(found) <= set(possible)


@given(st.dictionaries(st.sampled_from(DOCX), st.floats(0, 1e4)), st.sampled_from(DOCX))
def test_one_more_choice_never_moves_a_target_back(chosen, target):
    before = suggested("docx", DOCX, chosen, most=len(DOCX)).index(target)
    more = {**chosen, target: chosen.get(target, 0.0) + 1}
    assert suggested("docx", DOCX, more, most=len(DOCX)).index(target) <= before


@given(moments)
def test_a_choice_counts_half_after_thirty_days(moment):
    assert growth(moment) / growth(moment + HALF_LIFE) == pytest.approx(0.5)


def test_counts_hold_for_a_lifetime():
    assert growth(LANDMARK) == 1.0
    assert growth(LANDMARK + timedelta(days=365 * 80)) * 1e9 < float("inf")
