"""Everything that is promised: a small file of each format becomes each target, and another tool reads the product.

The promise is what the planner finds over the declared conversions, and docs/formats.md lists it. All pairs take an
hour or two and are `long`; a slice of those that the record has as fine, another one with each seed, runs every time.
"""

from __future__ import annotations

import json

import pytest
from _pytest.mark import ParameterSet

from corpus.pairs import promised, try_pair
from corpus.record import RECORD, Record
from corpus.rereading.readers import READERS, reread
from corpus.sources import SOURCES, is_here
from filewright.converter.formats.catalogue import FORMATS

PAIRS = [(source, route.target) for source, routes in promised().items() for route in routes]
FINE = {pair for pair, found in Record.load().pairs.items() if not found.trouble}


def case(source: str, target: str) -> ParameterSet:
    """Under the id that docs/formats.md gives it."""
    marks = [] if (source, target) in FINE and is_here(source) else [pytest.mark.long]
    if not is_here(source):
        marks.append(pytest.mark.skip(f"nothing here writes {source}; FILEWRIGHT_SPECIMENS names no folder with one"))
    return pytest.param(source, target, id=f"{source}-{target}", marks=marks)


@pytest.mark.requirement("Q15")
@pytest.mark.sampled(200)
@pytest.mark.parametrize(("source", "target"), [case(*pair) for pair in PAIRS])
async def test_a_file_becomes_what_is_promised_and_another_tool_reads_it(bench, places, source, target):
    folder = places / "of-each-format"
    folder.mkdir(exist_ok=True)
    pair = await try_pair(bench, source, target, folder)
    assert pair.trouble == ""


def test_there_is_a_file_of_every_format_that_can_be_read_and_a_reader_of_every_target():
    assert {source for source, _ in PAIRS} <= set(SOURCES)
    assert {target for _, target in PAIRS} <= set(READERS)


def test_every_promised_pair_is_in_the_record_and_hardly_any_failed():
    record = Record.load()
    assert sorted(set(PAIRS) - set(record.pairs)) == []
    failed = [pair for pair in PAIRS if record.pairs[pair].failed]
    assert len(failed) <= len(PAIRS) / 100, failed[:20]


def test_the_record_comes_back_as_it_was_written_and_holds_the_promise_alone(tmp_path):
    record, made = Record.load(), tmp_path / "pairs.json"
    some = {pair: found for pair, found in record.pairs.items() if pair[0] in {"csv", "png"}}
    given = Record(record.date, record.versions, some)
    given.save({"png": ["jpg", "pdf"], "csv": ["json"]}, made)
    again = Record.load(made)
    assert (again.date, again.versions) == (given.date, given.versions)
    assert list(again.pairs) == [("png", "jpg"), ("png", "pdf"), ("csv", "json")]
    assert all(again.pairs[pair] == some[pair] for pair in again.pairs)
    assert json.loads(RECORD.read_text(encoding="utf-8"))["date"]


@pytest.mark.sampled(10)
@pytest.mark.parametrize("target", sorted(READERS))
def test_a_reader_does_not_take_a_file_of_another_kind(target, tmp_path):
    """Words for what is no words, and bytes for what is."""
    path = tmp_path / f"product.{FORMATS[target].extension}"
    path.write_bytes(b"\0\x01\xff\xfe" * 64 if FORMATS[target].text else b"just some words\n" * 16)
    assert reread(path, target)
    path.write_bytes(b"")
    assert reread(path, target) == "it is empty"
