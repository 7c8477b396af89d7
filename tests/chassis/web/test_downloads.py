"""Names that are safe to save under, whatever they were."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.web.downloads import content_disposition, safe_name

HEADER = re.compile(r"attachment; filename=\"([^\"\\%]*)\"(?:; filename\*=UTF-8''([A-Za-z0-9!#$&+\-.^_`|~%]*))?")


@pytest.mark.requirement("B33")
@given(st.text())
def test_any_name_becomes_a_header_that_cannot_be_broken_out_of(name):
    header = content_disposition(name)
    match = HEADER.fullmatch(header)
    assert match
    assert header.isascii()
    assert len(header) < 1000
    saved = unquote(match[2], errors="strict") if match[2] else match[1]
    assert saved == safe_name(name)


@pytest.mark.requirement("B33")
@given(st.text())
def test_any_name_becomes_one_that_stays_in_its_folder(name):
    saved = safe_name(name)
    assert saved
    assert not set(saved) & set("/\\\0\r\n\u202e\u2066")
    assert saved not in {".", ".."}
    assert len(saved.encode()) <= 200


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("report.docx", "report.docx"),
        ("../../x.pdf", "x.pdf"),
        (".bashrc", "bashrc"),
        ("", "file"),
        ("///", "file"),
        ("a\r\nb.txt", "ab.txt"),
        ("n" * 500 + ".pdf", "n" * 196 + ".pdf"),
        ("é" * 300 + ".tar.gz", "é" * 98 + ".gz"),
    ],
)
def test_a_name_keeps_what_is_harmless(name, saved):
    assert safe_name(name) == saved
