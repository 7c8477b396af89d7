"""Files that nobody here wrote go in as a caller would send them, and their facts come out, read by other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from corpus.bench import Bench
from corpus.cases import Case, is_untouched
from corpus.trying import REFUSALS, refusing_target, try_target
from corpus.wanted import can_be_asked, is_quick, share, wanted_targets

KNOWN_LOSSES = {
    ("cad/binary.stl", "triangles"): "the file was cut: it holds one of the 1,690 triangles that its head announces",
}
"""Facts that no converter could keep, each with its reason."""


@pytest.mark.requirement("D5", "Q15", "S16")
@pytest.mark.sampled(10)
async def test_a_file_becomes_what_people_ask_for_and_keeps_its_facts(bench, good, cases, places):
    """Files of one family share the work, so that all of them together are made into all that is asked for."""
    family = [case.name for case in cases if case.family == good.family and not case.refused_for]
    asked = await _asked(bench, good, places)
    await _convert(bench, good, share(asked, family.index(good.name), len(family)), places)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.requirement("D5", "Q15", "S16")
async def test_a_file_becomes_all_that_people_ask_for_and_keeps_its_facts(bench, good, places):
    await _convert(bench, good, await _asked(bench, good, places), places)


async def _asked(bench: Bench, good: Case, places: Path) -> Sequence[str]:
    path = good.place(places)
    assert is_untouched(good, path)
    source_format = await bench.format_of(path, good.filename)
    targets = wanted_targets(source_format, [route.target for route in bench.promised(source_format)])
    assert targets, f"nothing that people want can be made of {source_format}"
    return [target for target in targets if can_be_asked(good.facts, target) and is_quick(good.facts, target)]


async def _convert(bench: Bench, good: Case, targets: Sequence[str], places: Path) -> None:
    results = [await try_target(bench, good, target, places) for target in targets]
    failed = [result.summary() for result in results if result.code]
    lost = [
        f"{result.target}: {fact}: {why}"
        for result in results
        for fact, why in result.lost.items()
        if (good.name, fact) not in KNOWN_LOSSES
    ]
    assert (failed, lost) == ([], [])


@pytest.mark.requirement("B31", "B29", "B28")
async def test_a_file_that_must_not_pass_is_refused_by_the_right_code(bench, bad, places):
    path = bad.place(places)
    async with bench.converting(path, bad.filename, refusing_target(bad.filename), seconds=60) as ending:
        assert ending.code in REFUSALS[bad.refused_for], ending.detail
        assert ending.detail


@pytest.mark.requirement("B28")
async def test_a_locked_file_opens_with_its_password_and_with_no_other(bench, cases, places):
    locked = [case for case in cases if case.refused_for == "password-required" and case.password]
    assert locked
    for case in locked:
        path, target = case.place(places), refusing_target(case.filename)
        async with bench.converting(path, case.filename, target, password=case.password) as ending:
            assert ending.converted, f"{case.name}: {ending.code} {ending.detail}"
        async with bench.converting(path, case.filename, target, password="surely not this") as ending:
            assert ending.code == "wrong_password", f"{case.name}: {ending.code} {ending.detail}"


async def test_what_is_refused_for_its_name_converts_when_its_type_is_told(bench, cases, places):
    mistaken = [case for case in cases if case.refused_for == "wrong-extension"]
    assert mistaken
    for case in mistaken:
        async with bench.converting(case.place(places), case.filename, "pdf") as ending:
            told = ending.detail.split("from=")[1].split()[0]
        async with bench.converting(case.place(places), f"renamed.{told}", "pdf") as ending:
            assert ending.converted, f"{case.name}: {ending.code} {ending.detail}"
