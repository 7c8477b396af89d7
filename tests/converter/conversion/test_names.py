from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.converter.conversion.names import product_names, stem_of


@pytest.mark.requirement("B33", "S16")
@given(st.text(max_size=300))
def test_no_name_becomes_a_path_or_moves_a_terminal(filename: str) -> None:
    [name] = product_names(filename, "pdf", 1)
    assert name.endswith(".pdf")
    assert name not in {".pdf", "..pdf"}
    assert not set(name) & set('/\\<>:"|?*\x00\r\n')
    assert name.isprintable() or all(c.isprintable() or c.isspace() for c in name)
    assert len(name.encode()) <= 255
    assert not name.startswith(".")


@pytest.mark.requirement("B33")
@pytest.mark.parametrize(
    ("given_name", "stem"),
    [
        ("report.docx", "report"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\Letter.doc", "Letter"),
        ("résumé 📊 naïve (1).xlsx", "résumé 📊 naïve (1)"),
        ("backup.tar.gz", "backup"),
        ("UPPER.CASE.PNG", "UPPER.CASE"),
        ("v1.2 final", "v1.2 final"),
        ("\u202ecod.exe", "cod"),
        ("con.txt", "_con"),
        ("  .hidden", "hidden"),
        ("", "file"),
        ("...", "file"),
        ("a\r\nSet-Cookie: x.pdf", "aSet-Cookie_ x"),
        ("x" * 4096 + ".pdf", "x" * 180),
    ],
)
def test_a_name_keeps_what_a_person_would_recognise(given_name: str, stem: str) -> None:
    assert stem_of(given_name) == stem


def test_many_products_are_numbered_so_that_they_sort() -> None:
    assert product_names("scan.pdf", "jpg", 100)[::99] == ["scan-001.jpg", "scan-100.jpg"]
