"""Sixteen bits a channel, OpenEXR, JPEG XL and Radiance. Products are opened by ImageMagick and by ffmpeg."""

import io
import subprocess

import numpy
import OpenEXR
import pytest
from PIL import Image

from filewright.converter.engines.high_range import OPENEXR
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.engines.stills import Stills
from filewright.converter.engines.vips import VIPS
from filewright.converter.errors import CorruptInput, ImageTooLarge
from filewright.converter.routing.planner import Planner


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def look(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def deep_tiff(tmp_path):
    path = tmp_path / "deep.tif"
    run("convert", "-size", "32x20", "xc:rgb(10%,50%,90%)", "-depth", "16", path)
    return path


@pytest.mark.engine("vips")
async def test_sixteen_bits_a_channel_stay_from_tiff_to_png_and_back(convert, tmp_path):
    [png] = await convert(VIPS, deep_tiff(tmp_path), "tiff", "png")
    [tiff] = await convert(VIPS, png, "png", "tiff")
    for product in (png, tiff):
        found = run(
            "convert", product, "-depth", "16", "-crop", "1x1+5+5", "-format", "%z %w %[fx:round(u.r*65535)]", "info:"
        )
        assert found == "16 1 6554" or found.startswith("16 32 6554")


@pytest.mark.engine("vips")
async def test_a_smaller_copy_of_a_deep_picture_is_as_deep(convert, tmp_path):
    tiff = deep_tiff(tmp_path)
    png = tmp_path / "deep.png"
    run("convert", tiff, "-depth", "16", f"PNG48:{png}")
    for source in (tiff, png):
        kind = "tiff" if source is tiff else "png"
        route = Planner(Registry(standard_engines()).abilities()).cheapest(kind, kind)
        assert [step.engine for step in route.steps] == ["vips"]
        [product] = await convert(VIPS, source, kind, kind, options={"width": 16})
        found = run("identify", "-format", "%m %z %w %[channels]", product)
        assert found.startswith(f"{kind.upper()} 16 16 srgb")
        assert run("convert", product, "-format", "%[fx:round(p{5,5}.r*65535)]", "info:") == "6554"


@pytest.mark.engine("vips")
async def test_half_a_deep_picture_is_called_damaged(convert, tmp_path):
    whole = deep_tiff(tmp_path).read_bytes()
    with pytest.raises(CorruptInput):
        await convert(VIPS, whole[: len(whole) // 2], "tiff", "png")


def exr(tmp_path, values, **header):
    path = tmp_path / "light.exr"
    channels = {name: numpy.full((12, 16), value, dtype=numpy.float32) for name, value in values.items()}
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}, channels).write(
        str(path)
    )
    return path


@pytest.mark.engine("openexr")
async def test_light_that_a_screen_can_show_is_shown_as_it_is(convert, tmp_path):
    [product] = await convert(OPENEXR, exr(tmp_path, {"R": 1.0, "G": 0.5, "B": 0.0}), "exr", "png")
    picture = look(product)
    assert picture.size == (16, 12)
    assert picture.getpixel((3, 3)) == (255, 188, 0)


@pytest.mark.engine("openexr")
async def test_light_beyond_white_is_bent_into_it_and_keeps_its_hue(convert, tmp_path):
    [product] = await convert(OPENEXR, exr(tmp_path, {"R": 40.0, "G": 20.0, "B": 20.0}), "exr", "png")
    red, green, blue = look(product).getpixel((3, 3))
    assert red == 255
    assert 180 < green == blue < 255


@pytest.mark.engine("openexr")
async def test_transparency_and_exposure_are_respected(convert, tmp_path):
    source = exr(tmp_path, {"R": 0.25, "G": 0.25, "B": 0.25, "A": 0.5})
    [product] = await convert(OPENEXR, source, "exr", "png", options={"exposure": 2})
    assert look(product).getpixel((3, 3)) == (255, 255, 255, 128)


@pytest.mark.engine("openexr")
@pytest.mark.requirement("B21")
async def test_an_exr_over_the_limit_or_cut_short_is_refused(convert, tmp_path):
    source = exr(tmp_path, {"R": 1.0, "G": 1.0, "B": 1.0})
    with pytest.raises(ImageTooLarge):
        await convert(OPENEXR, source, "exr", "png", max_pixels=100)
    with pytest.raises(CorruptInput):
        await convert(OPENEXR, source.read_bytes()[:200], "exr", "png")
    with pytest.raises(CorruptInput):
        await convert(OPENEXR, b"not light", "exr", "png")


def noise_png():
    packed = io.BytesIO()
    Image.effect_noise((60, 40), 60).convert("RGB").save(packed, "PNG")
    return packed.getvalue()


@pytest.mark.engine("ffmpeg-stills")
async def test_jpeg_xl_of_quality_100_gives_every_pixel_back(convert):
    source = noise_png()
    [jxl] = await convert(Stills(), source, "png", "jxl", options={"quality": 100})
    [again] = await convert(Stills(), jxl, "jxl", "png")
    assert look(again).convert("RGB").tobytes() == Image.open(io.BytesIO(source)).tobytes()


@pytest.mark.engine("ffmpeg-stills")
@pytest.mark.requirement("B21")
async def test_a_jpeg_xl_over_the_limit_or_cut_short_is_refused(convert):
    [jxl] = await convert(Stills(), noise_png(), "png", "jxl")
    with pytest.raises(ImageTooLarge):
        await convert(Stills(), jxl, "jxl", "png", max_pixels=1000)
    with pytest.raises(CorruptInput):
        await convert(Stills(), jxl.read_bytes()[:300], "jxl", "png")


@pytest.mark.engine("ffmpeg-stills")
async def test_radiance_becomes_openexr_with_the_same_light(convert, tmp_path):
    pixels = bytes([128, 64, 32, 129]) * (16 * 12)
    source = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 12 +X 16\n" + pixels
    [product] = await convert(Stills(), source, "hdr", "exr")
    channels = OpenEXR.File(str(product), separate_channels=True).channels()
    assert [round(float(channels[name].pixels[3, 3]), 2) for name in "RGB"] == [1.0, 0.5, 0.25]


@pytest.mark.engine("ffmpeg-stills")
@pytest.mark.requirement("B19")
async def test_a_playlist_that_is_called_a_picture_is_only_damaged(convert, tmp_path):
    canary = tmp_path / "canary.txt"
    canary.write_text("c0ffee-canary")
    for text in (f"#EXTM3U\n#EXTINF:1,\n{canary.as_uri()}\n", f"ffconcat version 1.0\nfile {canary}\n"):
        with pytest.raises(CorruptInput):
            await convert(Stills(), text.encode(), "jxl", "png")
