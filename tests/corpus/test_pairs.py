"""A small file becomes everything that is promised for its format, also what hardly anybody asks for."""

from __future__ import annotations

import pytest

from corpus.samples import samples
from corpus.trying import try_target
from corpus.wanted import INTO_EVERYTHING, can_be_asked


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", INTO_EVERYTHING)
async def test_a_file_becomes_everything_that_is_promised(bench, places, name):
    [small] = [case for case in samples() if case.name == name]
    source_format = await bench.format_of(small.place(places), small.filename)
    targets = [route.target for route in bench.promised(source_format) if can_be_asked(small.facts, route.target)]
    results = [await try_target(bench, small, target, places) for target in targets]
    assert [result.summary() for result in results if not result.fine] == []
