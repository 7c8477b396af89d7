"""The same in fewer bytes; products are opened by ImageMagick, exiftool and ffprobe."""

import io
import json
import subprocess
from dataclasses import replace

import pytest
from PIL import Image

from filewright.converter.errors import CorruptInput, ImageTooLarge, UnsupportedConversion
from filewright.converter.tiers import LOCAL


def packed(picture, kind, **more):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def identify(path, what="%m %wx%h %n\n"):
    return run("identify", "-format", what, path).strip().splitlines()


def probe(path):
    return json.loads(run("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", path))


def a_photo(size=(300, 200)):
    """Smooth and noisy at once, as photos are."""
    base = Image.linear_gradient("L").resize(size)
    noise = Image.effect_noise(size, 40)
    return Image.merge("RGB", (base, noise, Image.blend(base, noise, 0.5)))


def likeness(one, other):
    """Root mean square distance of two pictures, 0 to 255."""
    command = ["compare", "-metric", "RMSE", str(one), str(other), "null:"]
    said = subprocess.run(command, capture_output=True, timeout=60, check=False).stderr.decode()
    return float(said.split("(")[1].rstrip(")")) * 255


@pytest.mark.parametrize("kind", ["jpg", "webp", "avif", "png"])
async def test_a_picture_gets_smaller_by_level_and_stays_like_itself(made_of, tmp_path, kind):
    form = {"jpg": "JPEG"}.get(kind, kind.upper())
    source = tmp_path / f"source.{kind}"
    source.write_bytes(packed(a_photo(), form, **({"quality": 95} if kind != "png" else {})))
    sizes = [source.stat().st_size]
    for level in ("balanced", "strong"):
        [product] = await made_of("compress", source, kind, options={"level": level})
        assert identify(product) == [f"{'HEIC' if kind == 'avif' else form} 300x200 1"]  # ImageMagick's word for both
        sizes.append(product.stat().st_size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < 0.7 * sizes[0]
    if kind != "avif":  # not every ImageMagick reads it
        assert likeness(source, product) < 40


async def test_light_keeps_every_pixel_of_a_png(made_of, tmp_path):
    source = tmp_path / "source.png"
    picture = a_photo().quantize(256).resize((1200, 800)).convert("RGB")
    picture.putpixel((0, 0), (1, 2, 3))
    source.write_bytes(packed(picture, "PNG", compress_level=1))
    [product] = await made_of("compress", source, "png", options={"level": "light"})
    assert product.stat().st_size < source.stat().st_size
    assert likeness(source, product) == 0


async def test_a_drawing_with_holes_keeps_its_pixels_and_holes(made_of, tmp_path):
    drawing = Image.new("RGBA", (200, 100), "#00000000")
    drawing.paste((255, 0, 0, 255), (20, 20, 90, 90))
    source = tmp_path / "source.png"
    source.write_bytes(packed(drawing, "PNG", compress_level=0))
    [product] = await made_of("compress", source, "png")
    assert product.stat().st_size < source.stat().st_size / 10
    seen = Image.open(product).convert("RGBA")
    assert seen.getpixel((50, 50)) == (255, 0, 0, 255)
    assert seen.getpixel((5, 5))[3] == 0


@pytest.mark.parametrize("kind", ["jpg", "webp"])
async def test_what_is_small_already_comes_back_no_larger(made_of, kind):
    form = {"jpg": "JPEG"}.get(kind, kind.upper())
    source = packed(a_photo(), form, quality=5)
    [product] = await made_of("compress", source, kind, options={"quality": 95})
    assert product.stat().st_size <= len(source)
    assert identify(product) == [f"{form} 300x200 1"]


async def test_place_and_device_are_left_out_but_the_turn_stays_right(made_of):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "SecretCam"
    for quality in (95, 5):  # coded again, and only stripped
        source = packed(a_photo(), "JPEG", exif=exif, quality=quality)
        [product] = await made_of("compress", source, "jpg")
        assert b"SecretCam" not in product.read_bytes()
        assert run("convert", product, "-auto-orient", "-format", "%wx%h", "info:") == "200x300"
    [kept] = await made_of("compress", source, "jpg", options={"strip": False})
    assert "SecretCam" in run("exiftool", kept)


async def test_an_animation_still_moves(made_of):
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "lime", "blue")]
    source = packed(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0)
    [product] = await made_of("compress", source, "gif")
    assert identify(product, "%m %T\n") == ["GIF 10", "GIF 20", "GIF 30"]
    assert product.stat().st_size <= len(source)


async def test_hostile_pictures_are_named(made_of):
    source = packed(a_photo(), "PNG")
    with pytest.raises(CorruptInput):
        await made_of("compress", source[: len(source) // 2], "png")
    with pytest.raises(ImageTooLarge):
        await made_of("compress", source, "png", tier=replace(LOCAL, max_pixels=1000))


@pytest.mark.parametrize("kind", ["mp4", "webm"])
async def test_a_film_gets_smaller_and_is_whole(made_of, a_film, kind):
    source = a_film(kind)
    [product] = await made_of("compress", source, kind, options={"level": "strong", "height": 60})
    seen = probe(product)
    [picture] = [stream for stream in seen["streams"] if stream["codec_type"] == "video"]
    assert (picture["width"], picture["height"]) == (80, 60)
    assert {stream["codec_type"] for stream in seen["streams"]} == {"video", "audio"}
    assert float(seen["format"]["duration"]) == pytest.approx(1.0, abs=0.15)
    assert product.stat().st_size < source.stat().st_size


async def test_a_film_that_gains_nothing_comes_back_as_it_is(made_of, a_film):
    [small] = await made_of("compress", a_film("mp4"), "mp4", options={"level": "strong"})
    [again] = await made_of("compress", small, "mp4", options={"level": "light", "bitrate_kbps": 320})
    assert again.read_bytes() == small.read_bytes()


async def test_sound_gets_smaller(made_of, a_sound):
    source = a_sound("mp3", "-b:a", "256k")
    [product] = await made_of("compress", source, "mp3")
    seen = probe(product)
    assert seen["streams"][0]["codec_name"] == "mp3"
    assert float(seen["format"]["duration"]) == pytest.approx(2.0, abs=0.15)
    assert product.stat().st_size < source.stat().st_size * 0.6
    with pytest.raises(CorruptInput):
        await made_of("compress", b"ID3\4\0\0\0\0\0\0" + bytes(400), "mp3")


def samples_of(path):
    """The sound itself, decoded by ffmpeg as 24 bits."""
    return subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-f", "s24le", "-c:a", "pcm_s24le", "-"],
        check=True, capture_output=True, timeout=60,
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("wav", ("-c:a", "pcm_s24le")), ("aiff", ()), ("flac", ("-compression_level", "0"))],
)
async def test_plain_samples_get_smaller_and_every_one_is_kept(made_of, a_sound, kind, settings):
    source = a_sound(kind, *settings)
    [product] = await made_of("compress", source, kind, options={"level": "strong"})
    seen = probe(product)
    assert seen["format"]["format_name"] == "flac"
    assert seen["format"]["tags"].get("title", seen["format"]["tags"].get("TITLE")) == "A secret place"
    assert product.stat().st_size < source.stat().st_size
    assert samples_of(product) == samples_of(source)


async def test_samples_that_flac_would_round_are_refused(made_of, a_sound):
    with pytest.raises(UnsupportedConversion, match="FLAC"):
        await made_of("compress", a_sound("wav", "-c:a", "pcm_f32le"), "wav")
