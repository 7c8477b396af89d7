"""Small pictures of large things; looked at by ImageMagick and exiftool, which did not make them."""

import io
import subprocess
from dataclasses import replace

import pikepdf
import pytest
from PIL import Image

from filewright.converter.engines import libreoffice_filters as filters
from filewright.converter.engines.inside.office.samples import SAMPLES
from filewright.converter.errors import CorruptInput, ImageTooLarge, InvalidOptions
from filewright.converter.tiers import LOCAL


def packed(picture, kind, **more):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def identify(path, what="%m %wx%h"):
    command = ["identify", "-format", what, f"{path}[0]"]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode()


def pixel(path, place):
    command = ["convert", f"{path}[0]", "-alpha", "on", "-format", f"%[pixel:p{{{place}}}]", "info:"]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode()


def a_pdf(*sizes):
    with pikepdf.new() as pdf:
        for size in sizes:
            pdf.add_blank_page(page_size=size)
        buffer = io.BytesIO()
        pdf.save(buffer)
    return buffer.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="5"><rect width="10" height="5" fill="red"/></svg>'


@pytest.mark.parametrize(("fit", "size"), [("contain", "100x50"), ("cover", "100x100"), ("pad", "100x100")])
@pytest.mark.parametrize("target", ["png", "jpg", "webp"])
async def test_a_photo_fits_the_box_as_asked(made_of, fit, size, target):
    photo = packed(Image.new("RGB", (800, 400), "red"), "JPEG")
    box = {"width": 100, "height": 100, "fit": fit}
    [product] = await made_of("thumbnail", photo, "jpg", target, box)
    assert identify(product) == f"{ {'jpg': 'JPEG'}.get(target, target.upper()) } {size}"


async def test_a_small_picture_is_not_enlarged_and_keeps_its_holes(made_of):
    picture = packed(Image.new("RGBA", (20, 10), "#ff000000"), "PNG")
    [product] = await made_of("thumbnail", picture, "png", "png")
    assert identify(product) == "PNG 20x10"
    assert Image.open(product).convert("RGBA").getpixel((5, 5))[3] == 0


async def test_the_sheet_has_the_colour_that_was_asked_for(made_of):
    picture = packed(Image.new("RGB", (200, 100), "lime"), "PNG")
    options = {"width": 60, "height": 60, "fit": "pad", "background": "#0000ff"}
    [product] = await made_of("thumbnail", picture, "png", "png", options)
    assert "0,0,255" in pixel(product, "30,2")
    assert "0,255,0" in pixel(product, "30,30")


async def test_a_photo_stands_upright_and_says_nothing_of_its_camera(made_of):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Cam"
    photo = packed(Image.new("RGB", (400, 200), "red"), "JPEG", exif=exif)
    [product] = await made_of("thumbnail", photo, "jpg", "jpg", {"width": 100, "height": 100})
    assert identify(product) == "JPEG 50x100"
    assert b"Cam" not in product.read_bytes()


async def test_a_drawing_is_drawn_in_the_size_that_is_wanted(made_of):
    [product] = await made_of("thumbnail", SVG, "svg", "png", {"width": 200, "height": 200})
    assert identify(product) == "PNG 200x100"
    assert "255,0,0" in pixel(product, "5,5").replace("red", "255,0,0")


async def test_a_page_of_a_pdf_is_shown(made_of):
    pdf = a_pdf((200, 400), (400, 200))
    [first] = await made_of("thumbnail", pdf, "pdf", "png")
    assert identify(first) == "PNG 128x256"
    [second] = await made_of("thumbnail", pdf, "pdf", "jpg", {"page": 2})
    assert identify(second) == "JPEG 256x128"
    with pytest.raises(InvalidOptions):
        await made_of("thumbnail", pdf, "pdf", "png", {"page": 3})


async def test_damage_and_size_are_named(made_of):
    photo = packed(Image.effect_noise((200, 200), 50), "PNG")
    with pytest.raises(CorruptInput):
        await made_of("thumbnail", photo[:1000], "png", "png")
    with pytest.raises(ImageTooLarge):
        await made_of("thumbnail", photo, "png", "png", tier=replace(LOCAL, max_pixels=1000))
    with pytest.raises(CorruptInput):
        await made_of("thumbnail", b"%PDF-1.7 nothing", "pdf", "png")


async def test_a_film_is_shown_by_one_of_its_pictures(made_of, a_film):
    [product] = await made_of("thumbnail", a_film("mp4"), "mp4", "jpg", {"width": 80, "height": 80})
    assert identify(product) == "JPEG 80x60"
    [later] = await made_of("thumbnail", a_film("webm"), "webm", "png", {"at": 0.5})
    assert identify(later) == "PNG 160x120"
    with pytest.raises(CorruptInput):
        await made_of("thumbnail", b"\0\0\0\x18ftypmp42" + bytes(500), "mp4", "jpg")


@pytest.mark.engine("libreoffice")
async def test_for_the_first_page_of_a_document_no_other_is_made(made_of, monkeypatch):
    exported = []
    in_earnest = filters.export

    def noted(conversion, options):
        exported.append(options["preview"])
        return in_earnest(conversion, options)

    monkeypatch.setattr(filters, "export", noted)
    letter = SAMPLES[0].document.encode()
    assert identify((await made_of("thumbnail", letter, "fodt", "png"))[0]).startswith("PNG ")
    with pytest.raises(InvalidOptions):
        await made_of("thumbnail", letter, "fodt", "png", {"page": 2})
    assert exported == [True, False]
