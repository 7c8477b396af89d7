"""Parts of files, looked at by ffprobe, ImageMagick and poppler."""

import io
import json
import subprocess

import pytest
from PIL import Image

from filewright.converter.errors import CorruptInput, InvalidOptions, UnsupportedConversion


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def probe(path):
    return json.loads(run("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", path))


async def test_the_sound_of_a_film_comes_out_as_it_is_coded(made_of, a_film):
    [product] = await made_of("extract", a_film("mp4"), "mp4")
    seen = probe(product)
    assert [stream["codec_name"] for stream in seen["streams"]] == ["aac"]
    assert float(seen["format"]["duration"]) == pytest.approx(1.0, abs=0.15)
    assert product.suffix == ".m4a"
    [chosen] = await made_of("extract", a_film("mp4"), "mp4", "mp3", {"what": "audio"})
    assert probe(chosen)["streams"][0]["codec_name"] == "mp3"
    with pytest.raises(CorruptInput):
        await made_of("extract", a_film("mp4").read_bytes()[:900], "mp4")


async def test_pictures_of_a_film_come_out_at_their_times(made_of, a_film):
    products = await made_of("extract", a_film("mp4"), "mp4", "png", {"what": "frames", "every": 0.25})
    assert len(products) in {4, 5}
    assert {run("identify", "-format", "%m %wx%h", product) for product in products} == {"PNG 160x120"}
    few = await made_of("extract", a_film("mp4"), "mp4", options={"what": "frames", "every": 0.1, "most": 3})
    assert [product.suffix for product in few] == [".jpg"] * 3
    with pytest.raises(UnsupportedConversion):
        await made_of("extract", a_film("mp4"), "mp4", options={"what": "frames", "start": 60})
    with pytest.raises(InvalidOptions):
        await made_of("extract", a_film("mp4"), "mp4", options={"what": "soul"})


async def test_every_picture_of_an_animation_comes_out(made_of):
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    products = await made_of("extract", buffer.getvalue(), "gif")
    assert [Image.open(product).convert("RGB").getpixel((5, 5)) for product in products] == [
        (255, 0, 0), (0, 255, 0), (0, 0, 255),
    ]  # fmt: skip


async def test_the_words_of_a_document_come_out(made_of):
    [product] = await made_of("extract", b"First words.\n\nLast words.\n", "txt", options={"what": "text"})
    assert "First words." in product.read_text(encoding="utf-8")
