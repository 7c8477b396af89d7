"""How much there is to work on in a file is seen when it comes, where its bytes do not tell."""

from __future__ import annotations

import io
import random

import pytest
from docx import Document
from PIL import Image

from filewright.converter.uploads.recognition import recognise


def letter(paragraphs, *, picture=None) -> bytes:
    document, out = Document(), io.BytesIO()
    for number in range(paragraphs):
        document.add_paragraph(f"{number}. Every good word stands where the one before it has ended.")
    if picture is not None:
        document.add_picture(io.BytesIO(picture))
    document.save(out)
    return out.getvalue()


def drawn(size, kind, *, noise=False) -> bytes:
    picture = Image.effect_noise(size, 60).convert("RGB") if noise else Image.new("RGB", size, "navy")
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


@pytest.fixture
def load_of(tmp_path):
    def look(name: str, data: bytes) -> int | None:
        path = tmp_path / "file"
        path.write_bytes(data)
        return recognise(path, name).load

    return look


def test_of_a_document_its_texts_count_and_its_pictures_do_not(load_of):
    noise = drawn((400, 400), "PNG", noise=True)
    short, long = letter(5), letter(500)
    assert load_of("a.docx", long) - load_of("a.docx", short) > 495 * 60
    illustrated = letter(5, picture=noise)
    assert len(illustrated) > len(short) + len(noise) // 2
    assert load_of("a.docx", illustrated) - load_of("a.docx", short) < 5_000


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_of_a_picture_its_pixels_count(load_of, kind):
    assert load_of("a", drawn((640, 300), kind)) == load_of("a", drawn((640, 300), kind, noise=True)) == 640 * 300


@pytest.mark.parametrize("data", [b"a,b\n1,2\n", b"", random.Random(1).randbytes(2000), b"PK\x05\x06" + bytes(18)])
def test_of_others_the_bytes_tell(load_of, data):
    assert load_of("a.csv", data) is None


def test_a_header_that_lies_tells_a_number_that_can_be_kept(load_of):
    assert 0 <= load_of("a.png", drawn((2, 2), "PNG").replace(bytes(3) + b"\2", b"\xff\xff\xff\xff", 2)) < 1 << 63
