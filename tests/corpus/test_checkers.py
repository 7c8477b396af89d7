"""The fact checkers have teeth: each reports a product that lost its fact, and lets one through that kept it."""

from __future__ import annotations

import pytest

from corpus.facts.checking import CHECKS, NOT_ASKED, verdicts
from corpus.facts.delivery import Delivery
from corpus.samples import samples


def lost(path, target, facts, source_format="docx"):
    return {verdict.fact for verdict in verdicts(facts, Delivery(source_format, target, (path,))) if verdict.lost}


def kept(path, target, facts, source_format="docx"):
    return {verdict.fact for verdict in verdicts(facts, Delivery(source_format, target, (path,))) if not verdict.lost}


def other(value):
    """A value that is certainly wrong."""
    if isinstance(value, bool | int | float):
        return value + 7
    if isinstance(value, str):
        return f"0 0 {9} {1}" if value.startswith("0 0 ") else f"zebra {value[::-1]} quux"
    if isinstance(value, list):
        return [other(item) for item in value]
    return {key: item if key in {"ref", "name", "index"} else other(item) for key, item in value.items()}


NOT_SEEN_IN_ITSELF = {"txt", "tif", "jpg", "webp", "db", "mbox", "ics", "gpx"}
"""Samples of formats that are no target, or that are written in a way that the checkers need not read."""
AT_MOST = {"first_sheet_rows_cols"}
"""Facts that are an upper bound, so that a larger one is no wrong one."""
SELF = [case for case in samples() if not case.refused_for and case.filename.split(".", 1)[1] not in NOT_SEEN_IN_ITSELF]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in SELF])
@pytest.mark.sampled(4)
def test_a_file_keeps_its_facts_when_it_is_its_own_product_and_loses_wrong_ones(case, places):
    path = case.place(places)
    target = case.filename.split(".", 1)[1]
    assert lost(path, target, case.facts, target) == set()
    seen = kept(path, target, case.facts, target)
    assert seen or target == "json"
    for fact in seen:
        if fact in AT_MOST:
            continue
        wrong = {**case.facts, fact: other(case.facts[fact])}
        assert fact in lost(path, target, wrong, target), fact


def test_every_fact_of_the_corpus_is_checked_or_said_not_to_be(cases):
    named = {name for case in cases for name in case.facts}
    assert named <= set(CHECKS) | NOT_ASKED
