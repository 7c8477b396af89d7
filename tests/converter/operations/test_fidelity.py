"""What is said of a PDF beside the PDFs that it was made of. Words are set by pikepdf and read by PDFium."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import pikepdf
import pytest

from filewright.converter.conversion.fidelity import fidelity_of
from filewright.converter.conversion.inside.fidelity import pages, told
from filewright.converter.operations import measuring
from filewright.converter.operations.orders import OrderedStep


def pdf(path: Path, *texts: str, **save) -> Path:
    """A line of text on each page."""
    document = pikepdf.new()
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    for text in texts:
        page = document.add_blank_page(page_size=(420, 595))
        page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        page.obj.Contents = document.make_stream(b"BT /F1 24 Tf 40 300 Td (%s) Tj ET" % text.encode())
    document.save(path, **save)
    document.close()
    return path


@pytest.fixture
def patient(monkeypatch):
    """Everything is measured, however quick the work was."""
    monkeypatch.setattr(measuring, "seconds_for", lambda _: 60.0)
    monkeypatch.setattr(measuring, "is_drawn", lambda work, _: measuring.has_same_looks(work))


async def test_files_put_together_have_all_their_pages_and_words(carry_out, tmp_path, patient):
    sources = [pdf(tmp_path / "a.pdf", "one two", "three"), pdf(tmp_path / "b.pdf", "four")]
    done = await carry_out(sources, [OrderedStep("merge")])
    found = done.fidelity.as_json()
    assert (found["source_pages"], found["pages"], found["words"], found["text_recall"]) == (3, 3, 4, 1.0)
    assert "likeness" not in found, "nothing is drawn for it"


async def test_a_page_made_smaller_or_harmless_is_said_to_look_as_before(carry_out, tmp_path, patient):
    source = pdf(tmp_path / "a.pdf", "Quarterly invoice", "and more")
    compressed = (await carry_out([source], [OrderedStep("compress")])).fidelity
    assert (compressed.pages, compressed.source_pages, compressed.text_recall) == (2, 2, 1.0)
    assert compressed.likeness > 0.99
    redrawn = (await carry_out([source], [OrderedStep("sanitize", options={"mode": "pixels"})])).fidelity
    assert redrawn.text_recall == 0.0, "the words are pictures now"
    assert redrawn.likeness > 0.9


async def test_what_is_locked_is_measured_with_its_password(carry_out, tmp_path, patient):
    lock = pikepdf.Encryption(user="open", owner="owner")
    source = pdf(tmp_path / "a.pdf", "secret words", encryption=lock)
    turned = await carry_out([source], [OrderedStep("rotate", options={"degrees": 90})], password="open")
    assert (turned.fidelity.words, turned.fidelity.text_recall) == (2, 1.0)


async def test_where_there_is_no_time_for_words_pages_are_counted(carry_out, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "seconds_for", lambda _: 0.0)
    sources = [pdf(tmp_path / "a.pdf", "one"), pdf(tmp_path / "b.pdf", "two")]
    found = (await carry_out(sources, [OrderedStep("merge")])).fidelity
    assert (found.pages, found.source_pages, found.words, found.text_recall) == (2, 2, None, None)


def test_when_the_time_for_words_runs_out_pages_are_counted(tmp_path, monkeypatch):
    """The clock is ours: that of the processor may stand still while a machine is shared."""
    monkeypatch.setattr(told.time, "process_time", partial(next, itertools.count()))
    source, product = pdf(tmp_path / "a.pdf", "one", "two"), pdf(tmp_path / "b.pdf", "one", "two")

    def measured(seconds: float) -> tuple[object, ...]:
        found = pages.measure([str(source)], product, password=None, seconds=seconds, looks=False)
        return found["pages"], found["source_pages"], found["words"], found["text_recall"]

    assert measured(1.0) == (2, 2, None, None)
    assert measured(1000.0) == (2, 2, 2, 1.0)


async def test_parts_and_chains_are_not_measured(carry_out, tmp_path, patient):
    source = pdf(tmp_path / "a.pdf", "one", "two")
    assert (await carry_out([source], [OrderedStep("split")])).fidelity is None
    turn = OrderedStep("rotate", options={"degrees": 90})
    assert (await carry_out([source], [turn, turn])).fidelity is None


def test_lost_words_and_other_looks_are_seen(tmp_path):
    before, after = pdf(tmp_path / "a.pdf", "alpha beta gamma delta"), pdf(tmp_path / "b.pdf", "alpha gamma")
    found = pages.measure([str(before)], after, password=None, seconds=60, looks=True)
    assert found["text_recall"] == 0.5
    assert found["likeness"] < 0.95
    longer = pdf(tmp_path / "c.pdf", "alpha", "beta")
    found = pages.measure([str(before)], longer, password=None, seconds=60, looks=True)
    assert (found["source_pages"], found["pages"], found["likeness"]) == (1, 2, None)


def test_quick_work_stays_quick():
    assert measuring.seconds_for(0.05) == 0
    assert measuring.seconds_for(1) == pytest.approx(0.1)
    assert measuring.seconds_for(1000) == 2.0


@pytest.mark.parametrize("likeness", [7, -1, "alike"])
def test_a_likeness_that_is_none_is_not_believed(likeness):
    said = {"pages": 1, "words": 1, "text_recall": 1, "missing_glyphs": 0, "substituted_fonts": []}
    assert fidelity_of({**said, "likeness": 0.5}).likeness == 0.5
    assert fidelity_of({**said, "likeness": likeness}) is None
