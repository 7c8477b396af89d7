from __future__ import annotations

import io
import json
import os
import random
import struct
import wave
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from filewright.chassis.testing.effort import cpu_seconds
from filewright.converter.conversion.inspection import Inspection, inspect
from filewright.converter.errors import ConversionError, CorruptInput, EmptyInput, ImageTooLarge, TooLarge
from filewright.converter.tiers import ANONYMOUS, LOCAL


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Inspection]:
    def looked(data: bytes, name: str, **more: str) -> Inspection:
        path = tmp_path / "input"
        path.write_bytes(data)
        return inspect(path, name, tier=ANONYMOUS, **more)

    return looked


def picture(kind: str, size: tuple[int, int] = (64, 40)) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(out, kind)
    return out.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


HUGE = 30_000
FLOODS = {
    "x.png": lambda: png_that_claims(HUGE, HUGE),
    "x.gif": lambda: patched(picture("GIF"), 6, struct.pack("<HH", 65535, 65535)),
    "x.bmp": lambda: patched(picture("BMP"), 18, struct.pack("<ii", HUGE, -HUGE)),
    "x.psd": lambda: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, HUGE, HUGE, 8, 3) + bytes(40),
    "x.qoi": lambda: b"qoif" + struct.pack(">IIBB", HUGE, HUGE, 3, 0) + bytes(20),
    "x.jxl": lambda: b"\xff\x0a" + jxl_size(HUGE, HUGE) + bytes(40),
    "x.jpg": lambda: jpeg_that_claims(picture("JPEG"), 65500),
    "x.webp": lambda: webp_that_claims(picture("WEBP"), 16383),
    "x.tiff": lambda: tiff_that_claims(picture("TIFF"), HUGE),
    "x.ppm": lambda: b"P6\n# made up\n30000 30000\n255\n" + bytes(64),
    "x.avif": lambda: ispe_that_claims(picture("AVIF"), HUGE),
    "x.jp2": lambda: jp2_that_claims(picture("JPEG2000"), HUGE),
}


def jxl_size(width: int, height: int) -> bytes:
    bits, at = 0, 0
    for value, count in ((0, 1), (3, 2), (height - 1, 30), (0, 3), (3, 2), (width - 1, 30)):
        bits |= value << at
        at += count
    return bits.to_bytes(9, "little")


def jpeg_that_claims(data: bytes, side: int) -> bytes:
    return patched(data, data.index(b"\xff\xc0") + 5, struct.pack(">HH", side, side))


def webp_that_claims(data: bytes, side: int) -> bytes:
    return patched(data, data.index(b"\x9d\x01\x2a") + 3, struct.pack("<HH", side, side))


def tiff_that_claims(data: bytes, side: int) -> bytes:
    for tag in (256, 257):
        at = data.index(struct.pack("<HHI", tag, 4, 1)) if struct.pack("<HHI", tag, 4, 1) in data else -1
        if at < 0:
            at = data.index(struct.pack("<HHI", tag, 3, 1))
        data = patched(data, at + 8, struct.pack("<I", side))
    return data


def ispe_that_claims(data: bytes, side: int) -> bytes:
    return patched(data, data.index(b"ispe") + 8, struct.pack(">II", side, side))


def jp2_that_claims(data: bytes, side: int) -> bytes:
    return patched(data, data.index(b"ihdr") + 4, struct.pack(">II", side, side))


@pytest.mark.requirement("B21")
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_pixels_is_refused_by_its_header(look: Callable[..., Inspection], name: str) -> None:
    data = FLOODS[name]()

    def refused() -> None:
        with pytest.raises(ImageTooLarge, match="pixels are allowed"):
            look(data, name)

    assert cpu_seconds(refused, enough=0.1) < 0.1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "PCX", "DDS"])
def test_the_size_of_a_picture_is_read_from_its_header(look: Callable[..., Inspection], kind: str) -> None:
    found = look(picture(kind), "picture")
    assert (found.width, found.height) == (64, 40)


@pytest.mark.requirement("B31")
@pytest.mark.parametrize(
    ("kind", "name"), [("JPEG", "x.jpg"), ("PNG", "x.png"), ("WEBP", "x.webp"), ("AVIF", "x.avif")]
)
def test_a_picture_without_its_end_is_damaged(look: Callable[..., Inspection], kind: str, name: str) -> None:
    whole = picture(kind, (320, 200))
    assert look(whole, name)
    assert look(whole + b"something behind it", name)
    for part in (0.3, 0.6, 0.95):
        with pytest.raises(CorruptInput):
            look(whole[: int(len(whole) * part)], name)


@pytest.mark.requirement("B31")
def test_a_sound_without_its_end_is_damaged(look: Callable[..., Inspection]) -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    assert look(out.getvalue(), "x.wav").format == "wav"
    streamed = patched(out.getvalue(), 40, b"\xff\xff\xff\xff")
    assert look(streamed, "x.wav").format == "wav"
    for cut in (8000, 30, 20):
        with pytest.raises(CorruptInput):
            look(out.getvalue()[:cut], "x.wav")


@pytest.mark.requirement("B31")
@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"[" * 100_000, "x.json"),
        (b'{"a":' * 100_000, "x.json"),
        (b"<a>" * 100_000, "x.xml"),
        (b"<svg>" + b"<g>" * 1_000_000, "x.svg"),
        (b"<html>" + b"<div>" * 100_000, "x.html"),
        (b"\xff\xfe" + ("<a>" * 100_000).encode("utf-16-le"), "x.xml"),
    ],
)
def test_text_nested_beyond_meaning_is_refused_at_once(look: Callable[..., Inspection], data: bytes, name: str) -> None:
    def refused() -> None:
        with pytest.raises(CorruptInput):
            look(data, name)

    assert cpu_seconds(refused, enough=0.5) < 0.5


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"[" * 500 + b"]" * 500, "x.json"),
        (json.dumps(["[" * 9000, {"{": ["\\", '"']}] * 9).encode(), "x.json"),
        (b"<a>" * 500 + b"</a>" * 500, "x.xml"),
        (b"<html><body>" + b"<p>line<br>" * 20_000, "x.html"),
        (b"<svg>" + b"<g></g><path d='x'/>" * 20_000 + b"</svg>", "x.svg"),
        (b"<x>" + b"<!-- <a> -->" * 20_000 + b"</x>", "x.xml"),
    ],
)
def test_text_that_is_only_long_passes(look: Callable[..., Inspection], data: bytes, name: str) -> None:
    assert look(data, name).bytes == len(data)


def test_no_bytes_at_all_are_refused_under_any_name(look: Callable[..., Inspection]) -> None:
    for name in ("x.docx", "x.unknown", ""):
        with pytest.raises(EmptyInput):
            look(b"", name)


def test_a_file_beyond_the_limit_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(ANONYMOUS.max_input_bytes + 1)
    with pytest.raises(TooLarge):
        inspect(path, "big.txt", tier=ANONYMOUS)


def test_a_picture_under_another_pictures_name_goes_by_its_content(look: Callable[..., Inspection]) -> None:
    found = look(picture("JPEG"), "photo.png")
    assert (found.format, found.renamed) == ("jpg", True)


@pytest.mark.corpus
@pytest.mark.requirement("B31")
@pytest.mark.skipif("FILEWRIGHT_CORPUS" not in os.environ, reason="FILEWRIGHT_CORPUS names no corpus")
def test_files_of_the_world_are_let_in_or_refused_for_the_right_reason() -> None:
    root = Path(os.environ["FILEWRIGHT_CORPUS"])
    codes = {
        "empty": "empty_input",
        "wrong-extension": "type_mismatch",
        "password-required": "password_required",
        "too-many-pixels": "image_too_large",
    }
    left_to_engines = {"7z", "parquet", "pdf"}
    wrong = {}
    for entry in json.loads((root / "manifest.json").read_text())["files"]:
        path = root / entry["path"]
        expected = codes.get(entry["reason"], "corrupt_input") if entry["expectation"] != "converts" else None
        found, refusal = looked_at(path)
        seconds = cpu_seconds(partial(looked_at, path), enough=0.1)
        right = refusal == expected or (found is not None and found.format in left_to_engines)
        if not right or seconds > 0.1:
            wrong[entry["path"]] = (expected, refusal, seconds)
    assert wrong == {}


def looked_at(path: Path) -> tuple[Inspection | None, str | None]:
    try:
        return inspect(path, path.name, tier=LOCAL), None
    except ConversionError as error:
        return None, error.code


@pytest.mark.corpus
@pytest.mark.requirement("B31")
@pytest.mark.skipif("FILEWRIGHT_CORPUS" not in os.environ, reason="FILEWRIGHT_CORPUS names no corpus")
def test_mutated_files_of_the_world_get_a_typed_answer_in_time(look: Callable[..., Inspection]) -> None:
    chance = random.Random(11)
    root = Path(os.environ["FILEWRIGHT_CORPUS"])
    for entry in json.loads((root / "manifest.json").read_text())["files"]:
        data = (root / entry["path"]).read_bytes()
        name = Path(entry["path"]).name
        flipped = bytearray(data)
        for _ in range(20 if data else 0):
            flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        noisy = data + chance.randbytes(1 << 20)
        for mutant in (bytes(flipped), data[: len(data) // 2], noisy, data[:1]):
            seconds = cpu_seconds(partial(answered, look, mutant, name), enough=0.3)
            assert seconds < 0.3, (entry["path"], len(mutant))


def answered(look: Callable[..., Inspection], data: bytes, name: str) -> None:
    try:
        look(data, name)
    except ConversionError as error:
        assert error.exit_code in {3, 4, 5}
