"""PDFs merged, split and turned. What came out is read by poppler and qpdf, which did not make it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from filewright.converter.conversion.orders import Product
from filewright.converter.errors import InvalidOptions, PasswordRequired, TooManyPages, WrongPassword
from filewright.converter.operations.orders import OrderedStep
from filewright.converter.tiers import LOCAL

Operate = Callable[..., Awaitable[tuple[Product, ...]]]
A5 = (420, 595)


def pdf(path: Path, *texts: str, size: tuple[int, int] = A5, **save: Any) -> Path:
    """A PDF with a line of text on each page."""
    document = pikepdf.new()
    font = document.make_indirect(
        pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    )
    for text in texts:
        page = document.add_blank_page(page_size=size)
        page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        page.obj.Contents = document.make_stream(b"BT /F1 24 Tf 40 300 Td (%s) Tj ET" % text.encode())
    with document.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem(f"{texts[0]} begins", 0))
    document.save(path, **save)
    document.close()
    return path


def texts(path: Path) -> list[str]:
    """Of each page, as poppler reads it."""
    told = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)
    return [page.strip() for page in told.stdout.split("\f")[:-1]]


def sizes(path: Path) -> list[str]:
    """Of each page as it is shown, with its turn."""
    told = subprocess.run(
        ["pdfinfo", "-l", "-1", path], capture_output=True, text=True, check=True
    )  # fmt: skip
    found = re.findall(r"Page +\d+ (size|rot): +([\d.]+(?: x [\d.]+)?)", told.stdout)
    return [value for _, value in found]


def is_sound(path: Path) -> bool:
    """Whether qpdf has nothing to say against it."""
    return subprocess.run(["qpdf", "--check", path], capture_output=True, check=False).returncode == 0


def outline(path: Path) -> list[Any]:
    with pikepdf.open(path) as document, document.open_outline() as found:
        return [(item.title, [below.title for below in item.children]) for item in found.root]


async def test_pdfs_become_one_in_the_order_given(operate: Operate, tmp_path: Path) -> None:
    [product] = await operate("merge", [pdf(tmp_path / "b.pdf", "one", "two"), pdf(tmp_path / "a.pdf", "three")])
    assert (product.name, product.pages, product.media_type) == ("b-merged.pdf", 3, "application/pdf")
    assert texts(product.path) == ["one", "two", "three"]
    assert is_sound(product.path)


async def test_each_merged_file_has_a_bookmark_with_its_own_below(operate: Operate, tmp_path: Path) -> None:
    sources = [pdf(tmp_path / "b.pdf", "one", "two"), pdf(tmp_path / "a.pdf", "three")]
    [product] = await operate("merge", sources)
    assert outline(product.path) == [("b", ["one begins"]), ("a", ["three begins"])]
    [plain] = await operate("merge", sources, options={"bookmarks": False})
    assert outline(plain.path) == [("one begins", []), ("three begins", [])]


async def test_what_is_no_pdf_is_made_one_before_it_is_merged(carry_out: Any, tmp_path: Path) -> None:
    letter = tmp_path / "letter.md"
    letter.write_text("# A letter\n\nDear reader\n", encoding="utf-8")
    converted = await carry_out([pdf(tmp_path / "a.pdf", "one"), letter], [OrderedStep("merge")])
    assert "Dear reader" in texts(converted.products[0].path)[1]
    hops = [(hop.source, hop.target, hop.operation) for hop in converted.route]
    assert hops[-1] == ("pdf", "pdf", "merge")
    assert hops[0][0] == "md"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [["p1"], ["p2"], ["p3"], ["p4"], ["p5"]]),
        ({"every": 2}, [["p1", "p2"], ["p3", "p4"], ["p5"]]),
        ({"ranges": "1-2, 5, 4-"}, [["p1", "p2"], ["p5"], ["p4", "p5"]]),
    ],
)
async def test_a_pdf_falls_into_parts(
    operate: Operate, tmp_path: Path, options: Mapping[str, Any], expected: list[list[str]]
) -> None:
    products = await operate("split", [pdf(tmp_path / "report.pdf", "p1", "p2", "p3", "p4", "p5")], options=options)
    assert [texts(product.path) for product in products] == expected
    assert all(is_sound(product.path) for product in products)
    assert products[0].name == "report-part-1.pdf"


async def test_a_part_keeps_the_bookmarks_of_its_pages(operate: Operate, tmp_path: Path) -> None:
    first, second = await operate("split", [pdf(tmp_path / "a.pdf", "p1", "p2")])
    assert (outline(first.path), outline(second.path)) == ([("p1 begins", [])], [])


@pytest.mark.parametrize("ranges", ["9", "2-1", "0-1", "1,7-"])
async def test_a_range_without_pages_is_the_orders_fault(operate: Operate, tmp_path: Path, ranges: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        await operate("split", [pdf(tmp_path / "a.pdf", "p1", "p2")], options={"ranges": ranges})
    assert [error.pointer for error in caught.value.errors] == ["/options/ranges"]


async def test_pages_are_turned(operate: Operate, tmp_path: Path) -> None:
    source = pdf(tmp_path / "a.pdf", "p1", "p2", "p3")
    [product] = await operate("rotate", [source], options={"degrees": -90, "pages": "2-"})
    assert sizes(product.path) == ["420 x 595", "0", "420 x 595", "270", "420 x 595", "270"]
    assert product.name == "a-rotated.pdf"
    assert is_sound(product.path)


async def test_a_protected_pdf_wants_its_password(operate: Operate, tmp_path: Path) -> None:
    locked = pikepdf.Encryption(user="open", owner="sesame")
    source = pdf(tmp_path / "a.pdf", "p1", encryption=locked)
    with pytest.raises(PasswordRequired):
        await operate("rotate", [source])
    with pytest.raises(WrongPassword):
        await operate("rotate", [source], password="no")
    [product] = await operate("rotate", [source], password="open")
    assert texts(product.path) == ["p1"]


async def test_more_pages_than_are_allowed_are_refused(operate: Operate, tmp_path: Path) -> None:
    sources = [pdf(tmp_path / "a.pdf", "p1", "p2"), pdf(tmp_path / "b.pdf", "p3", "p4")]
    with pytest.raises(TooManyPages):
        await operate("merge", sources, tier=replace(LOCAL, max_pages=3))
