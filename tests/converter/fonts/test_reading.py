"""Which files are fonts that documents may carry, and what those are called."""

import struct
from pathlib import Path

import pytest

from filewright.converter.errors import CorruptInput, FontNotEmbeddable, UnsupportedFormat
from filewright.converter.fonts.reading import Embedding, Face, Found, read_font
from fontkit import collection, font, made, saved


@pytest.fixture
def read(tmp_path: Path):
    def reading(data: bytes) -> Found:
        path = tmp_path / "font"
        path.write_bytes(data)
        return read_font(path)

    return reading


def test_a_font_tells_its_names(read) -> None:
    found = read(font("Quillmark", style="Bold", postscript="QM-Bd"))
    assert found == Found("ttf", Embedding.INSTALLABLE, (Face("Quillmark", "Bold", "Quillmark Bold", "QM-Bd"),))
    assert Face.from_json(found.faces[0].as_json()) == found.faces[0]


def test_a_collection_has_several(read) -> None:
    found = read(collection(made("Quillmark"), made("Inkhorn", fs_type=0x4)))
    assert (found.format, [face.family for face in found.faces]) == ("ttc", ["Quillmark", "Inkhorn"])
    assert found.embedding is Embedding.PREVIEW


@pytest.mark.parametrize(
    ("bits", "allowed"),
    [(0x0, "installable"), (0x4, "preview"), (0x8, "editable"), (0xA, "editable"), (0x6, "preview")],
)
def test_of_several_permissions_the_one_that_allows_most_holds(read, bits, allowed) -> None:
    assert read(font("Quillmark", fs_type=bits)).embedding == allowed


@pytest.mark.parametrize("bits", [0x2, 0x100, 0x200, 0x108])
def test_what_its_maker_keeps_out_of_documents_is_refused(read, bits) -> None:
    with pytest.raises(FontNotEmbeddable):
        read(font("Quillmark", fs_type=bits))


def test_one_of_a_collection_is_enough_to_refuse_it(read) -> None:
    with pytest.raises(FontNotEmbeddable):
        read(collection(made("Quillmark"), made("Inkhorn", fs_type=0x2)))


@pytest.mark.parametrize("data", [b"", b"no font", b"wOF2" + bytes(60), b"%PDF-1.7"])
def test_what_is_no_font_is_refused(read, data) -> None:
    with pytest.raises(UnsupportedFormat):
        read(data)


def without(table: str) -> bytes:
    one = made("Quillmark")
    del one[table]
    return saved(one)


def overlapping_names() -> bytes:
    """A name table of 30 kB that stands for 160 MB."""
    one = made("Quillmark")
    text = "A".encode("utf-16-be") * 32_000
    records = b"".join(struct.pack(">6H", 3, 1, 0x409, 1000 + n, len(text), 0) for n in range(2500))
    head = struct.pack(">3H", 0, 2500, 6 + len(records))
    one["name"].data = head + records + text
    one["name"].compile = lambda _font: head + records + text
    return saved(one)


@pytest.mark.parametrize(
    "data",
    [
        font("Quillmark")[:2000],
        b"\0\1\0\0" + b"\xff" * 400,
        b"ttcf\0\1\0\0\xff\xff\xff\xff" + bytes(400),
        b"OTTO",
        without("cmap"),
        without("glyf"),
        font("\x01"),
        overlapping_names(),
    ],
    ids=["cut", "garbage", "too many", "beginning", "no letters", "no outlines", "no name", "names over names"],
)
def test_what_is_broken_is_refused(read, data) -> None:
    with pytest.raises(CorruptInput):
        read(data)
