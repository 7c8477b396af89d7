"""Which files are fonts that documents may carry, and what those are called."""

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import brotli
import pytest

from filewright.converter.errors import ArchiveBomb, CorruptInput, FontNotEmbeddable, UnsupportedFormat
from filewright.converter.fonts.reading import Embedding, Face, Found, read_font
from fontkit import collection, font, made, saved, wrapped


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


@pytest.mark.parametrize("flavour", ["woff", "woff2"])
def test_a_font_that_is_wrapped_for_the_web_tells_the_same(read, flavour) -> None:
    found = read(wrapped(made("Quillmark", style="Bold", postscript="QM-Bd", fs_type=0x4), flavour))
    plain = read(font("Quillmark", style="Bold", postscript="QM-Bd", fs_type=0x4))
    assert found == replace(plain, format=flavour)
    with pytest.raises(FontNotEmbeddable):
        read(wrapped(made("Quillmark", fs_type=0x2), flavour))


@pytest.mark.parametrize("flavour", ["woff", "woff2"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.9])
def test_half_of_a_wrapped_font_is_refused_or_told_without_its_end(read, flavour, share) -> None:
    whole = wrapped(made("Quillmark"), flavour)
    try:
        found = read(whole[: int(len(whole) * share)])
    except (CorruptInput, UnsupportedFormat):
        return
    assert found.faces[0].family == "Quillmark"


def woff(tag: bytes, packed: bytes, says: int) -> bytes:
    """With a table that says how long it is."""
    head = struct.pack(">4s4sLHHL", b"wOFF", b"\0\1\0\0", 0, 1, 0, 0).ljust(44, b"\0")
    return head + struct.pack(">4s4L", tag, 64, len(packed), says, 0) + packed


def woff2(tables: bytes, count: int, stream: bytes) -> bytes:
    head = struct.pack(">4s4sLHHLL", b"wOF2", b"\0\1\0\0", 0, count, 0, 0, len(stream))
    return head.ljust(48, b"\0") + tables + stream


_A_GIGABYTE = b"\x84\x80\x80\x80\x00"  # as the lengths of tables are written in a WOFF2
_NAME, _GLYF_AS_IT_IS = b"\x05", bytes([10 | 3 << 6])


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (woff(b"name", zlib.compress(bytes(1 << 20)), 1 << 10), CorruptInput),
        (woff(b"name", zlib.compress(bytes(3 << 20)), 3 << 20), CorruptInput),
        (woff(b"glyf", b"", 1 << 30), ArchiveBomb),
        (woff2(_GLYF_AS_IT_IS + _A_GIGABYTE, 1, brotli.compress(bytes(8 << 20))), ArchiveBomb),
        (woff2(_NAME + _A_GIGABYTE, 1, brotli.compress(bytes(8 << 20))), ArchiveBomb),
        (woff2(_NAME + b"\x10", 1, b"no brotli"), CorruptInput),
        (woff2(_NAME + b"\x10", 1, b""), CorruptInput),
        (woff2(b"", 0, b""), CorruptInput),
        (woff2(b"", 60_000, b""), CorruptInput),
        (b"wOF2ttcf" + bytes(60), UnsupportedFormat),
        (b"wOFF", UnsupportedFormat),
    ],
)
def test_what_a_wrapper_says_of_itself_is_not_believed(read, data, refusal) -> None:
    with pytest.raises(refusal):
        read(data)


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
