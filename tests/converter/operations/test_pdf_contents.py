"""PDFs made smaller, marked, read and taken apart. What came out is read by poppler, qpdf and mupdf."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageChops, ImageStat

from filewright.converter.conversion.orders import Product
from filewright.converter.errors import InvalidOptions

Operate = Callable[..., Awaitable[tuple[Product, ...]]]


def told(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def is_sound(path: Path) -> bool:
    return subprocess.run(["qpdf", "--check", path], capture_output=True, check=False).returncode == 0


def photo(side: int) -> Image.Image:
    """Something that is neither plain nor noise."""
    return Image.merge("RGB", [Image.radial_gradient("L").rotate(turn).resize((side, side)) for turn in (0, 33, 71)])


def letter(path: Path, *, turn: int = 0, side: int = 0, locked: bool = False) -> Path:
    """Two pages of text, the first with a photo of so many pixels and the file with an attachment and a title."""
    with pikepdf.new() as document:
        font = document.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        )
        for text in (b"first", b"second"):
            page = document.add_blank_page(page_size=(400, 600))
            page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            page.obj.Contents = document.make_stream(b"BT /F1 20 Tf 40 500 Td (%s) Tj ET" % text)
            page.rotation = turn
        if side:
            coded = io.BytesIO()
            photo(side).save(coded, "JPEG", quality=98)
            drawn = document.make_stream(
                coded.getvalue(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=side, Height=side,
                ColorSpace=pikepdf.Name.DeviceRGB, BitsPerComponent=8, Filter=pikepdf.Name.DCTDecode,
            )  # fmt: skip
            name = document.pages[0].add_resource(drawn, pikepdf.Name.XObject)
            document.pages[0].contents_add(f"q 200 0 0 200 100 100 cm {name} Do Q".encode())
        document.docinfo["/Title"] = "A letter"
        document.docinfo["/Producer"] = "a typewriter"
        document.attachments["sums.csv"] = b"a,b\n1,2\n"
        lock = pikepdf.Encryption(user="open", owner="open") if locked else False
        document.save(path, encryption=lock)
    return path


def seen(path: Path, page: int, folder: Path) -> Image.Image:
    """A page as poppler draws it."""
    told("pdftoppm", "-r", "36", "-f", str(page), "-l", str(page), "-singlefile", "-png", path, folder / "seen")
    with Image.open(folder / "seen.png") as picture:
        return picture.convert("L")


def difference(one: Image.Image, other: Image.Image) -> float:
    return ImageStat.Stat(ImageChops.difference(one, other)).mean[0]


async def test_a_pdf_gets_smaller_and_looks_the_same(operate: Operate, tmp_path: Path) -> None:
    source = letter(tmp_path / "a.pdf", side=1600)
    sizes = []
    for level in ("light", "balanced", "strong"):
        [product] = await operate("compress", [source], options={"level": level})
        assert is_sound(product.path)
        assert difference(seen(source, 1, tmp_path), seen(product.path, 1, tmp_path)) < 2
        assert "first" in told("pdftotext", product.path, "-")
        sizes.append(product.bytes)
    assert source.stat().st_size > 2 * sizes[0] > 2 * sizes[1] > 2 * sizes[2]


async def test_what_cannot_get_smaller_comes_back_as_it_was(operate: Operate, tmp_path: Path) -> None:
    [once] = await operate("compress", [letter(tmp_path / "a.pdf")])
    small = tmp_path / "small.pdf"
    small.write_bytes(once.path.read_bytes())
    [twice] = await operate("compress", [small])
    assert twice.bytes <= once.bytes


async def test_a_protected_pdf_gets_smaller_without_its_lock(operate: Operate, tmp_path: Path) -> None:
    [product] = await operate("compress", [letter(tmp_path / "a.pdf", locked=True)], password="open")
    assert "first" in told("pdftotext", product.path, "-")


@pytest.mark.parametrize("turn", [0, 90])
async def test_words_stand_over_the_pages_that_were_asked_for(operate: Operate, tmp_path: Path, turn: int) -> None:
    source = letter(tmp_path / "a.pdf", turn=turn)
    words = 'Geheim "#eval(1)" Привет \\'
    [product] = await operate("watermark", [source], options={"text": words, "pages": "2", "opacity": 0.5})
    assert is_sound(product.path)
    first, second = told("pdftotext", "-layout", product.path, "-").split("\f")[:2]
    assert "Geheim" not in first
    assert words in second
    assert "second" in second
    pages = [difference(seen(source, page, tmp_path), seen(product.path, page, tmp_path)) for page in (1, 2)]
    assert pages[0] == 0 < pages[1]


async def test_a_mark_is_where_it_was_wanted_as_the_page_is_seen(operate: Operate, tmp_path: Path) -> None:
    for turn in (0, 90, 180, 270):
        source = letter(tmp_path / f"{turn}.pdf", turn=turn)
        options = {"text": "XXXX", "place": "bottom-right", "size": 30, "opacity": 1, "color": "#000000"}
        [product] = await operate("watermark", [source], options=options)
        added = ImageChops.difference(seen(source, 1, tmp_path), seen(product.path, 1, tmp_path))
        left, top, right, bottom = added.getbbox()
        assert left > added.width / 2 and top > added.height / 2, turn
        assert right - left > 2 * (bottom - top), turn


async def test_a_picture_can_be_the_mark(operate: Operate, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    Image.new("RGB", (100, 50), "red").save(logo)
    source = letter(tmp_path / "a.pdf")
    [product] = await operate("watermark", [source, logo], options={"place": "tiled", "size": 20, "opacity": 0.2})
    assert is_sound(product.path)
    assert difference(seen(source, 2, tmp_path), seen(product.path, 2, tmp_path)) > 1


async def test_a_mark_needs_words_or_a_picture(operate: Operate, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions) as caught:
        await operate("watermark", [letter(tmp_path / "a.pdf")])
    assert [error.pointer for error in caught.value.errors] == ["/options/text"]


async def test_what_a_pdf_says_of_itself_is_read(operate: Operate, tmp_path: Path) -> None:
    [product] = await operate("metadata", [letter(tmp_path / "a.pdf")])
    said = json.loads(product.path.read_bytes())
    assert (product.name, said["pages"], said["info"]["Title"]) == ("a-metadata.json", 2, "A letter")
    assert said["page_sizes"] == [{"width": 400, "height": 600, "pages": 2}]
    assert said["attachments"] == ["sums.csv"]


async def test_what_a_pdf_says_of_itself_is_changed(operate: Operate, tmp_path: Path) -> None:
    options = {"title": "Größe", "author": "Ada", "keywords": ""}
    [product] = await operate("metadata", [letter(tmp_path / "a.pdf")], options=options)
    info = told("pdfinfo", product.path)
    assert "Größe" in info and "Ada" in info
    assert "typewriter" in info


async def test_what_a_pdf_says_of_itself_is_left_out(operate: Operate, tmp_path: Path) -> None:
    [product] = await operate("metadata", [letter(tmp_path / "a.pdf")], options={"action": "strip"})
    info = told("pdfinfo", product.path)
    assert "letter" not in info and "typewriter" not in info
    assert b"typewriter" not in product.path.read_bytes()
    assert "first" in told("pdftotext", product.path, "-")


async def test_pages_words_pictures_and_attachments_are_taken_out(operate: Operate, tmp_path: Path) -> None:
    source = letter(tmp_path / "a.pdf", side=300)
    [pages] = await operate("extract", [source], options={"pages": "2"})
    assert told("pdftotext", pages.path, "-").split() == ["second"]
    [text] = await operate("extract", [source], options={"what": "text"})
    assert (text.media_type, text.path.read_text().split()) == ("text/plain", ["first", "second"])
    [picture] = await operate("extract", [source], options={"what": "images"})
    assert (picture.name, picture.format) == ("page-1-image-1.jpg", "jpg")
    with Image.open(picture.path) as opened:
        assert opened.size == (300, 300)
    [attached] = await operate("extract", [source], options={"what": "attachments"})
    assert (attached.name, attached.path.read_bytes()) == ("sums.csv", b"a,b\n1,2\n")


@pytest.mark.parametrize("options", [{"what": "images"}, {"what": "text", "pages": "9"}, {"pages": "3-"}])
async def test_parts_that_are_not_there_are_the_orders_fault(operate: Operate, tmp_path: Path, options: object) -> None:
    with pytest.raises(InvalidOptions):
        await operate("extract", [letter(tmp_path / "a.pdf")], options=options)
