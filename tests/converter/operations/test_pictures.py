"""Pictures and films turned, marked, read and stripped; looked at by ImageMagick, exiftool and ffprobe."""

import io
import json
import subprocess

import pytest
from PIL import Image, ImageDraw

from filewright.converter.errors import CorruptInput, InvalidOptions

RED, LIME, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def packed(picture, kind, **more):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def told_by_exiftool(path):
    [told] = json.loads(run("exiftool", "-json", "-n", path))
    return told


def form(kind):
    return {"jpg": "JPEG"}.get(kind, kind.upper())


def quarters(size=(80, 40)):
    """Red, lime over blue, white: shows any turn."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill="red")
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill="lime")
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill="blue")
    return picture


def corners(path, tmp_path):
    """Top left, top right, bottom left, bottom right, as ImageMagick decodes the file."""
    plain = tmp_path / "plain.ppm"
    run("convert", f"{path}[0]", "-alpha", "off", "-depth", "8", plain)
    picture = Image.open(plain)
    width, height = picture.size
    places = [(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    return [min((RED, LIME, BLUE, WHITE), key=lambda c, p=place: _far(picture.getpixel(p), c)) for place in places]


def _far(one, other):
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


CLOCKWISE = [BLUE, RED, WHITE, LIME]


@pytest.mark.parametrize(
    ("kind", "options", "expected", "size"),
    [
        ("png", {"degrees": 180}, [WHITE, BLUE, LIME, RED], "80x40"),
        ("png", {"degrees": -90}, [LIME, WHITE, RED, BLUE], "40x80"),
        ("png", {"flip": "horizontal"}, [LIME, RED, WHITE, BLUE], "80x40"),
        ("png", {"flip": "vertical", "degrees": 90}, [RED, BLUE, LIME, WHITE], "40x80"),
        *((kind, {}, CLOCKWISE, "40x80") for kind in ("png", "jpg", "webp", "tiff")),
    ],
)
async def test_a_picture_is_turned_clockwise(made_of, tmp_path, kind, options, expected, size):
    [product] = await made_of("rotate", packed(quarters(), form(kind)), kind, options=options)
    assert run("identify", "-format", "%wx%h", product) == size
    assert corners(product, tmp_path) == expected
    assert product.suffix == f".{kind}"


async def test_a_photo_is_turned_from_how_it_is_seen_and_keeps_what_its_camera_wrote(made_of, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "KeptCam"  # seen with its left side up
    photo = packed(quarters(), "JPEG", exif=exif, quality=60)
    [upright] = await made_of("rotate", photo, "jpg", options={"degrees": 0})
    assert corners(upright, tmp_path) == [BLUE, RED, WHITE, LIME]
    told = told_by_exiftool(upright)
    assert told["Make"] == "KeptCam"
    assert told.get("Orientation", 1) == 1
    assert upright.stat().st_size < 2 * len(photo), "coded by its own tables"
    [back] = await made_of("rotate", photo, "jpg", options={"degrees": 270})
    assert corners(back, tmp_path) == [RED, LIME, BLUE, WHITE]


async def test_an_animation_is_turned_as_a_whole(made_of):
    frames = [quarters(), Image.new("RGB", (80, 40), "blue")]
    source = packed(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[100, 300], loop=0)
    [product] = await made_of("rotate", source, "gif")
    assert run("identify", "-format", "%wx%h %T;", product) == "40x80 10;40x80 30;"


async def test_a_film_is_turned_and_keeps_its_sound(made_of, a_film):
    [product] = await made_of("rotate", a_film("mp4"), "mp4")
    seen = json.loads(run("ffprobe", "-v", "error", "-show_streams", "-of", "json", product))["streams"]
    assert {(stream.get("width"), stream.get("height")) for stream in seen} == {(120, 160), (None, None)}
    with pytest.raises(CorruptInput):
        await made_of("rotate", a_film("mp4").read_bytes()[:2000], "mp4")


def changed(before, after, tmp_path):
    """Which ninths of the picture are not as before, row by row."""
    one, other = Image.open(io.BytesIO(before)).convert("RGB"), Image.open(after).convert("RGB")
    third = one.width // 3, one.height // 3
    found = []
    for row in range(3):
        for column in range(3):
            box = (column * third[0], row * third[1], (column + 1) * third[0], (row + 1) * third[1])
            found.append(one.crop(box).tobytes() != other.crop(box).tobytes())
    return found


@pytest.mark.parametrize(
    ("place", "ninths"), [("center", {4}), ("top-left", {0}), ("bottom-right", {8}), ("tiled", set(range(9)))]
)
async def test_words_stand_where_they_should(made_of, tmp_path, place, ninths):
    source = packed(Image.new("RGB", (300, 300), "white"), "PNG")
    options = {"text": "FW", "place": place, "size": 20, "opacity": 0.5, "color": "#ff0000"}
    [product] = await made_of("watermark", source, "png", options=options)
    assert {at for at, is_changed in enumerate(changed(source, product, tmp_path)) if is_changed} == ninths
    colours = run("convert", product, "-unique-colors", "-depth", "8", "txt:").upper()
    assert "#FF0000" not in colours, "half of it is the white below"
    assert "#FF7F7F" in colours or "#FF8080" in colours


@pytest.mark.parametrize("kind", ["jpg", "webp", "gif", "tiff"])
async def test_words_are_written_on_every_kind_of_picture(made_of, kind):
    source = packed(Image.new("RGB", (200, 100), "white"), form(kind))
    [product] = await made_of("watermark", source, kind, options={"text": "Übung Ж", "angle": 30, "opacity": 1})
    assert run("identify", "-format", "%wx%h", product) == "200x100"
    assert float(run("convert", product, "-colorspace", "Gray", "-format", "%[fx:minima]", "info:")) < 0.75


async def test_words_have_to_be_said_and_holes_stay(made_of):
    source = packed(Image.new("RGBA", (200, 100), "#00000000"), "PNG")
    with pytest.raises(InvalidOptions):
        await made_of("watermark", source, "png")
    with pytest.raises(InvalidOptions):
        await made_of("watermark", source, "png", options={"text": "\x07"})
    [product] = await made_of("watermark", source, "png", options={"text": "FW"})
    assert Image.open(product).getpixel((1, 1))[3] == 0


def a_told_photo(kind="JPEG"):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "SecretCam", 6
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 30.0, 0.0), 3: "W", 4: (9.0, 15.0, 0.0)})
    return packed(quarters(), kind, exif=exif)


async def test_what_a_photo_says_is_read(made_of):
    [product] = await made_of("metadata", a_told_photo(), "jpg")
    told = json.loads(product.read_text(encoding="utf-8"))
    assert told["format"] == "jpg"
    assert (told["width"], told["height"], told["orientation"]) == (80, 40, 6)
    assert told["exif"]["Make"] == "SecretCam"
    assert told["position"] == [48.5, -9.25]


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
async def test_a_photo_is_stripped_without_touching_a_pixel(made_of, tmp_path, kind):
    source = a_told_photo(form(kind))
    [product] = await made_of("metadata", source, kind, options={"action": "strip"})
    told = told_by_exiftool(product)
    assert "SecretCam" not in json.dumps(told)
    assert not any("GPS" in key for key in told)
    assert told["Orientation"] == 6
    assert Image.open(io.BytesIO(source)).tobytes() == Image.open(product).tobytes()
    with pytest.raises(CorruptInput):
        await made_of("metadata", source[: len(source) * 2 // 3], kind, options={"action": "strip"})


async def test_flac_in_an_mp4_is_stripped_too(made_of, a_sound):
    source = a_sound("mp4", "-c:a", "flac", "-strict", "-2")
    [bare] = await made_of("metadata", source, "m4a", options={"action": "strip"})
    assert b"A secret place" not in bare.read_bytes()
    assert "flac" in run("ffprobe", "-v", "error", "-show_streams", bare)


@pytest.mark.parametrize("kind", ["mp3", "flac", "mp4", "mkv"])
async def test_sound_and_films_are_read_and_stripped(made_of, a_film, a_sound, kind):
    source = a_film(kind) if kind in {"mp4", "mkv"} else a_sound(kind)
    [read] = await made_of("metadata", source, kind)
    assert "A secret place" in read.read_text(encoding="utf-8")
    assert str(source.parent) not in read.read_text(encoding="utf-8")
    [bare] = await made_of("metadata", source, kind, options={"action": "strip"})
    assert b"A secret place" not in bare.read_bytes()
    told = json.loads(run("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", bare))
    assert "title" not in {key.lower() for key in told["format"].get("tags", {})}
    assert float(told["format"]["duration"]) == pytest.approx(1.0 if kind in {"mp4", "mkv"} else 2.0, abs=0.2)
