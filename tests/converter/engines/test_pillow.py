"""Pictures into pictures and PDF. Products are opened by ImageMagick, exiftool, pdfimages and pdfinfo."""

import io
import struct
import subprocess
import zlib

import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageDraw

from filewright.chassis.sandbox.port import Limits
from filewright.converter.engines.pillow import PILLOW
from filewright.converter.engines.pixels import WRITTEN
from filewright.converter.errors import CorruptInput, ImageTooLarge, LimitError, TooManyPages, UnsupportedConversion

pillow_heif.register_heif_opener()
pytestmark = pytest.mark.engine("pillow")
COLOURS = ["red", "lime", "blue", "white"]


def packed(picture, kind, **more):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def look(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def quarters(size=(40, 20), mode="RGB"):
    """Red, green over blue, white: shows any turn or flip."""
    picture = Image.new(mode, size, "white")
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill="red")
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill="lime")
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill="blue")
    return picture


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def identify(path, what="%m %wx%h %n\n"):
    return run("identify", "-format", what, path).strip().splitlines()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, body, *extra, depth=8, colour=0):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize("target", [name for name in WRITTEN if name != "png"])
async def test_every_written_format_holds_the_picture(convert, target):
    [product] = await convert(PILLOW, packed(quarters((64, 64)), "PNG"), "png", target)
    if target in {"qoi", "icns", "dds", "heic"}:  # which this ImageMagick cannot read
        assert _corners(look(product).resize((64, 64))) == COLOURS
        return
    assert "64x64" in [line.split()[1] for line in identify(product)]
    product = product.rename(product.with_suffix(f".{target}"))
    flat = product.with_name("flat.ppm")
    run(
        "convert",
        f"{target}:{product}[{-1 if target == 'ico' else 0}]",
        "-auto-orient",
        "-background",
        "white",
        "-flatten",
        flat,
    )
    assert _corners(look(flat)) == COLOURS


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_photo_comes_out_upright_whatever_way_the_camera_was_held(convert, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = _stored_for(orientation, quarters((64, 32)))
    source = packed(turned, "JPEG", quality=95, exif=exif)
    [png] = await convert(PILLOW, source, "jpg", "png")
    [pdf] = await convert(PILLOW, source, "jpg", "pdf")
    assert identify(png) == ["PNG 64x32 1"]
    assert run("exiftool", "-s3", "-Orientation#", png).strip() in {"", "1"}
    assert _corners(look(png)) == COLOURS
    run("pdftoppm", "-r", "96", "-png", "-singlefile", pdf, pdf.with_suffix(""))
    assert _corners(look(pdf.with_suffix(".png"))) == COLOURS


def _stored_for(orientation, upright):
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    return upright.transpose(inverse[orientation]) if orientation in inverse else upright


def _corners(picture):
    named = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    width, height = picture.size
    places = [(width // 4, height // 4), (width * 3 // 4, height // 4), (width // 4, height * 3 // 4),
              (width * 3 // 4, height * 3 // 4)]  # fmt: skip
    pixels = [picture.convert("RGB").getpixel(place) for place in places]
    return [
        min(named, key=lambda name: sum(abs(a - b) for a, b in zip(named[name], pixel, strict=True)))
        for pixel in pixels
    ]


async def test_a_jpeg_goes_into_a_pdf_without_being_compressed_again(convert, tmp_path):
    source = packed(quarters(), "JPEG", quality=90)
    [pdf] = await convert(PILLOW, source, "jpg", "pdf")
    run("pdfimages", "-all", pdf, tmp_path / "found")
    assert (tmp_path / "found-000.jpg").read_bytes() == source


async def test_a_cmyk_jpeg_keeps_its_inks_in_a_pdf_and_its_looks_in_a_png(convert):
    source = packed(Image.new("CMYK", (60, 40), (0, 255, 255, 0)), "JPEG", quality=95)
    [png] = await convert(PILLOW, source, "jpg", "png")
    [pdf] = await convert(PILLOW, source, "jpg", "pdf")
    run("pdftoppm", "-r", "96", "-png", "-singlefile", pdf, pdf.with_suffix(""))
    for picture in (look(png), look(pdf.with_suffix(".png"))):
        red, green, blue = picture.convert("RGB").getpixel((30, 20))
        assert red > 200
        assert max(green, blue) < 60


async def test_transparency_becomes_white_or_the_colour_asked_for(convert):
    source = packed(Image.new("RGBA", (10, 10), (0, 0, 0, 0)), "PNG")
    [white] = await convert(PILLOW, source, "png", "jpg")
    [red] = await convert(PILLOW, source, "png", "jpg", options={"background": "#ff0000"})
    assert look(white).getpixel((5, 5)) == (255, 255, 255)
    assert look(red).getpixel((5, 5)) == (254, 0, 0)


@pytest.mark.parametrize("target", ["png", "webp", "tiff", "avif"])
async def test_transparency_stays_where_the_target_has_it(convert, target):
    [product] = await convert(
        PILLOW, packed(Image.new("RGBA", (10, 10), (9, 9, 9, 128)), "WEBP", lossless=True), "webp", target
    )
    assert abs(look(product).convert("RGBA").getpixel((5, 5))[3] - 128) < 3


def film(count=3):
    return [Image.new("RGB", (16, 12), colour) for colour in ("red", "lime", "blue", "white")[:count]]


@pytest.mark.parametrize("source_format", ["gif", "webp", "png", "avif"])
@pytest.mark.parametrize("target", ["gif", "webp", "png", "avif"])
async def test_an_animation_stays_one(convert, source_format, target):
    first, *rest = film()
    source = packed(first, source_format.upper(), save_all=True, append_images=rest, duration=120, loop=0)
    [product] = await convert(PILLOW, source, source_format, target)
    again = look(product)
    shown = 0
    for number in range(3):
        again.seek(number)
        again.load()
        shown += again.info["duration"]
    assert (again.n_frames, shown) == (3, 360)


async def test_a_frame_of_an_animation_can_be_picked_and_the_first_is_taken_otherwise(convert):
    first, *rest = film()
    source = packed(first, "GIF", save_all=True, append_images=rest, duration=50)
    [plain] = await convert(PILLOW, source, "gif", "bmp")
    [second] = await convert(PILLOW, source, "gif", "bmp", options={"frame": 2})
    each = await convert(PILLOW, source, "gif", "bmp", options={"frame": "all"})
    assert [look(path).convert("RGB").getpixel((3, 3)) for path in (plain, second)] == [(255, 0, 0), (0, 255, 0)]
    assert [path.name for path in each] == ["output-0001.bmp", "output-0002.bmp", "output-0003.bmp"]
    with pytest.raises(UnsupportedConversion):
        await convert(PILLOW, source, "gif", "bmp", options={"frame": 9})


async def test_every_page_of_a_fax_becomes_a_page_of_the_pdf(convert):
    pages = [Image.new("1", (200, 100), number % 2) for number in range(3)]
    source = packed(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="group4", dpi=(100, 100))
    [pdf] = await convert(PILLOW, source, "tiff", "pdf")
    info = run("pdfinfo", pdf)
    assert "Pages:           3" in info
    assert "Page size:       144 x 72 pts" in info


async def test_every_page_of_a_fax_becomes_a_picture_or_stays_a_page(convert):
    pages = [Image.new("1", (200 + number, 100), number % 2) for number in range(3)]
    source = packed(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="group4")
    pictures = await convert(PILLOW, source, "tiff", "png")
    [again] = await convert(PILLOW, source, "tiff", "tiff")
    [second] = await convert(PILLOW, source, "tiff", "jpg", options={"frame": 2})
    assert [identify(path)[0].split()[1] for path in pictures] == ["200x100", "201x100", "202x100"]
    assert [line.split()[1] for line in identify(again)] == ["200x100", "201x100", "202x100"]
    assert identify(second)[0].split()[1] == "201x100"


async def test_sizes_keep_proportions_and_fit_inside_what_was_asked(convert):
    source = packed(quarters((403, 302)), "JPEG")
    [by_width] = await convert(PILLOW, source, "jpg", "webp", options={"width": 100})
    [inside] = await convert(PILLOW, source, "jpg", "webp", options={"width": 100, "height": 50})
    assert [identify(path)[0].split()[1] for path in (by_width, inside)] == ["100x75", "67x50"]


async def test_a_colour_profile_is_kept_where_there_is_a_place_and_computed_away_where_there_is_none(convert):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = packed(quarters(), "PNG", icc_profile=srgb)
    [kept] = await convert(PILLOW, source, "png", "jpg")
    [none] = await convert(PILLOW, source, "png", "bmp")
    [stripped] = await convert(PILLOW, source, "png", "jpg", options={"strip": True})
    assert look(kept).info["icc_profile"] == srgb
    assert "icc_profile" not in look(stripped).info
    assert _corners(look(none)) == COLOURS


async def test_strip_takes_out_where_and_when_and_keeps_the_picture(convert):
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)
    source = packed(quarters(), "JPEG", exif=exif)
    [kept] = await convert(PILLOW, source, "jpg", "webp")
    [stripped] = await convert(PILLOW, source, "jpg", "webp", options={"strip": True})
    assert "SecretCamera" in run("exiftool", kept)
    assert "SecretCamera" not in run("exiftool", stripped)
    assert "GPS" not in run("exiftool", stripped)


async def test_sixteen_bits_of_grey_stay_sixteen(convert):
    source = packed(Image.new("I;16", (20, 10), 12345), "PNG")
    [product] = await convert(PILLOW, source, "png", "tiff")
    assert identify(product, "%z %[fx:round(mean*65535)]") == ["16 12345"]


async def test_an_icon_holds_the_usual_sizes_and_the_largest_is_read(convert):
    [ico] = await convert(PILLOW, packed(quarters((300, 200)), "PNG"), "png", "ico")
    assert {line.split()[1] for line in identify(ico)} == {f"{side}x{side}" for side in (16, 24, 32, 48, 64, 128, 256)}
    [png] = await convert(PILLOW, ico, "ico", "png")
    assert identify(png)[0].split()[1] == "256x256"


@pytest.mark.requirement("B21")
async def test_a_pixel_flood_is_refused_before_it_is_decoded(convert):
    flood = png_of(30_000, 30_000, bytes(1000))
    with pytest.raises(ImageTooLarge):
        await convert(PILLOW, flood, "png", "jpg", limits=Limits(wall_seconds=20, memory_bytes=256 << 20))


@pytest.mark.requirement("B21")
@pytest.mark.parametrize(
    ("source_format", "hostile"),
    [
        ("gif", b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x00\x3b"),
        (
            "bmp",
            b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 0x7FFFFFF, 0x7FFFFFF, 1, 24, 0, 0, 0, 0, 0, 0),
        ),
        ("ppm", b"P6 99999 99999 255\n" + bytes(100)),
        ("tga", struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 65535, 65535, 24, 0) + bytes(100)),
        ("qoi", b"qoif" + struct.pack(">IIBB", 100_000, 100_000, 3, 0) + bytes(20)),
        ("psd", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3) + bytes(14)),
    ],
)
async def test_every_header_that_claims_too_much_is_refused_by_name(convert, source_format, hostile):
    with pytest.raises(ImageTooLarge):
        await convert(PILLOW, hostile, source_format, "png", limits=Limits(wall_seconds=20, memory_bytes=256 << 20))


@pytest.mark.requirement("B21")
@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"])
async def test_a_chunk_that_unpacks_without_end_does_no_harm(convert, kind):
    bomb = chunk(kind, b"name\0\0" + zlib.compress(bytes(64 << 20)))
    source = png_of(4, 4, bytes(20), bomb)
    try:
        [product] = await convert(PILLOW, source, "png", "jpg", limits=Limits(wall_seconds=20, memory_bytes=300 << 20))
    except (CorruptInput, LimitError):
        return
    assert identify(product) == ["JPEG 4x4 1"]


def _tiff(ifds, loop=False):
    """Pages of one grey pixel; each has the tags a reader needs."""
    out = b"II*\0" + struct.pack("<I", 8)
    size = 2 + 8 * 12 + 4
    for number in range(ifds):
        at = 8 + number * size
        tags = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 4),
                (278, 4, 1, 1), (279, 4, 1, 1)]  # fmt: skip
        following = at + size if number + 1 < ifds else (8 if loop else 0)
        out += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        out += struct.pack("<I", following)
    return out


@pytest.mark.requirement("B21")
async def test_a_tiff_of_too_many_pages_is_refused(convert):
    with pytest.raises(TooManyPages):
        await convert(PILLOW, _tiff(2_000), "tiff", "pdf", max_pages=500)


@pytest.mark.requirement("B21")
async def test_a_tiff_whose_chain_of_pages_bites_its_tail_ends(convert):
    limits = Limits(wall_seconds=20, memory_bytes=300 << 20)
    try:
        [product] = await convert(PILLOW, _tiff(3, loop=True), "tiff", "pdf", limits=limits)
    except (CorruptInput, TooManyPages):
        return
    assert "Pages:           3" in run("pdfinfo", product)


@pytest.mark.requirement("B21")
async def test_an_animation_of_too_many_frames_is_refused(convert):
    frame = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    flood = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 20_000 + b";"
    with pytest.raises(TooManyPages):
        await convert(PILLOW, flood, "gif", "webp", max_pages=5_000)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000"])
async def test_half_a_picture_is_called_damaged(convert, kind):
    names = {"JPEG": "jpg", "JPEG2000": "jp2"}
    whole = packed(Image.effect_noise((120, 120), 80), kind)
    with pytest.raises(CorruptInput):
        await convert(PILLOW, whole[: len(whole) // 2], names.get(kind, kind.lower()), "pdf")


@pytest.mark.requirement("B14", "B29")
@pytest.mark.parametrize(
    "text",
    [
        b"push graphic-context\nviewbox 0 0 9 9\nimage over 0,0 0,0 'label:@canary.txt'\npop graphic-context\n",
        b"<?xml version='1.0'?><image><read filename='canary.txt'/><write filename='out/pwn'/></image>",
        b"%!PS\n(canary.txt) (r) file\nshowpage\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='canary.txt'/></svg>",
    ],
)
async def test_a_script_that_is_called_a_picture_is_only_a_damaged_picture(convert, text):
    for source_format in ("png", "jpg", "gif", "tiff"):
        with pytest.raises(CorruptInput):
            await convert(PILLOW, text, source_format, "webp")


@pytest.mark.requirement("B15")
async def test_text_in_a_png_that_names_a_file_brings_nothing_of_that_file(convert):
    told = chunk(b"tEXt", b"profile\0/etc/passwd")
    [product] = await convert(PILLOW, png_of(2, 2, b"\0\0\0\0\0\0", told), "png", "png")
    assert b"profile" not in product.read_bytes()
    assert b"root:" not in product.read_bytes()
