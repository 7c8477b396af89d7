"""What a row says of a result, by itself."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

_SHOWN = """async ({job, phase, code}) => {
    const [{rowView}, {setLanguage}] = await Promise.all([import('/static/row.js'), import('/static/i18n.js')]);
    await setLanguage(code);
    const format = {id: 'docx', name: 'Word', family: 'document', extensions: ['docx'], targets: ['pdf']};
    const row = {
        name: 'letter.docx', path: 'letter.docx', phase, wanted: true, offline: false, upload: 'u', format: 'docx',
        believed: false, bytes: 2560, sent: 2560, targets: ['pdf'], target: 'pdf', options: {}, problem: null, job,
        secondsLeft: null,
    };
    const view = rowView(row, {catalogue: {format: () => format}, thumbnail: async () => null});
    const about = view.element.querySelector('.about');
    return [about.textContent, about.title];
}"""


@pytest.fixture(scope="module")
def page(page_at) -> Page:
    return page_at("/")


def about(page: Page, code: str = "en", phase: str = "succeeded", **measured: Any) -> str:
    """The line below the name."""
    found = {"pages": 12, "words": 900, "text_recall": 1.0, "missing_glyphs": 0, "substituted_fonts": [], **measured}
    outputs = [{"name": "letter.pdf", "bytes": 1024, "url": "/o"}]
    job = {"id": "job_1", "outputs": outputs, "fidelity": found if measured.get("pages", 1) else None}
    words, title = page.evaluate(_SHOWN, {"job": job, "phase": phase, "code": code})
    assert words == title, "what does not fit is read by pointing at it"
    return str(words).replace("\u00a0", " ").replace("\u202f", " ")


def test_a_result_says_how_true_it_is_to_its_file(page: Page):
    fonts = [{"asked": "Calibri", "got": "Carlito"}]
    shown = about(page, text_recall=0.99899, substituted_fonts=fonts)
    assert shown == "Word · 2.5 kB · 12 pages · 99.8% of the text · 1 font replaced: Calibri → Carlito"
    assert about(page, "de", text_recall=0.99899, substituted_fonts=fonts).endswith(
        "12 Seiten · 99,8 % des Textes · 1 Schrift ersetzt: Calibri → Carlito"
    )


def test_what_was_not_seen_is_not_said_and_what_is_lost_is(page: Page):
    assert about(page, text_recall=None).endswith("2.5 kB · 12 pages")
    fonts = [{"asked": "Papyrus", "got": None}, {"asked": "Futura", "got": "DejaVuSans"}]
    assert about(page, missing_glyphs=2, substituted_fonts=fonts).endswith(
        "100% of the text · 2 letters without a font · 2 fonts replaced: Papyrus → ?, Futura → DejaVuSans"
    )
    assert about(page, pages=0) == "Word · 2.5 kB"
    assert about(page, phase="ready") == "Word · 2.5 kB"
