"""What the warm parent of the readers does before any job comes."""

from __future__ import annotations

from pathlib import Path

import psutil

from filewright.converter.conversion.inside import rehearsal


def test_it_leaves_no_file_no_thread_and_no_open_descriptor(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rehearsal.rehearse()  # what is loaded once stays
    own = psutil.Process()
    before = (own.num_fds(), own.num_threads())
    rehearsal.rehearse()
    assert (own.num_fds(), own.num_threads()) == before
    assert list(tmp_path.iterdir()) == []


def test_its_letter_and_its_page_say_the_same(tmp_path: Path) -> None:
    letter, page = rehearsal._letter(tmp_path / "a.docx"), rehearsal._page(tmp_path / "a.pdf")
    said = rehearsal.probe.compare(
        paths=[str(page)],
        format_id="pdf",
        original=str(letter),
        original_format="docx",
        fonts={},
        report=rehearsal._nobody,
    )
    assert said["sheets"] == [{"pages": 1}]
    assert (said["fidelity"]["words"], said["fidelity"]["text_recall"]) == (1, 1.0)
