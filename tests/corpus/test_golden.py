"""Office documents become the PDF that they became before, page for page, with all of their words."""

from __future__ import annotations

import os

import numpy as np
import pytest

from corpus.golden import OFFICE, likeness, pages_of, stored
from filewright.converter.conversion.inside.fidelity.likeness import ALIKE

_BLANK = "f" * 48 * 48


def page_with(*rows: int) -> str:
    """A page with a line of words on each of these rows."""
    page = np.full((48, 48), 15)
    for row in rows:
        page[row, 4:40:2] = 5
    return "".join(f"{grey:x}" for grey in page.ravel())


def test_a_page_is_like_itself_and_hardly_like_one_whose_lines_moved():
    page = page_with(5, 10, 15, 20)
    assert likeness(page, page) == pytest.approx(1)
    assert likeness(_BLANK, _BLANK) == 1
    assert likeness(page, page_with(5, 10, 15, 21)) < ALIKE
    assert likeness(page, page_with(5, 10, 15)) < ALIKE
    assert likeness(page, _BLANK) < 0.5


@pytest.mark.corpus
@pytest.mark.skipif("FILEWRIGHT_CORPUS" not in os.environ, reason="FILEWRIGHT_CORPUS names no corpus")
@pytest.mark.long
@pytest.mark.engine("libreoffice")
@pytest.mark.parametrize("name", sorted(stored()))
async def test_a_document_looks_as_it_did(bench, cases, places, name):
    [case] = [case for case in cases if case.name == name]
    assert case.family in OFFICE
    pages, first = stored()[name]
    async with bench.converting(case.place(places), case.filename, "pdf") as ending:
        assert ending.converted, ending.detail
        now, seen = pages_of(ending.products[0])
        recall = (ending.fidelity or {}).get("text_recall")
    assert now == pages
    assert min(map(likeness, first, seen)) >= ALIKE, "if the new pages are the better ones: scripts/golden.py"
    assert recall is None or recall >= 0.99
