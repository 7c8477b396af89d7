"""SVG into pictures by both renderers and into a vector PDF: what it looks like, and what it may not do."""

import asyncio
import base64
import gzip
import io
import re
import subprocess

import pytest
from PIL import Image

from filewright.chassis.sandbox.port import Limits
from filewright.converter.engines.resvg import RESVG
from filewright.converter.engines.vector import VECTOR
from filewright.converter.engines.vips import VIPS
from filewright.converter.errors import ConversionError, CorruptInput, ImageTooLarge, InputError, LimitError

pytestmark = [pytest.mark.engine("resvg"), pytest.mark.engine("vips")]
BOTH = pytest.mark.parametrize("engine", [VIPS, RESVG], ids=lambda engine: engine.name)
EVERY = pytest.mark.parametrize(
    ("engine", "target"), [(VIPS, "png"), (RESVG, "png"), (VECTOR, "pdf")], ids=["vips", "resvg", "svg2pdf"]
)
TIGHT = Limits(wall_seconds=30, cpu_seconds=30, memory_bytes=1 << 30)


def svg(body="", head='width="60" height="40"'):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {head}>{body}</svg>'
    ).encode()


RED = '<rect width="30" height="40" fill="#f00"/>'


def look(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


@BOTH
async def test_a_drawing_becomes_a_picture_of_its_own_size_on_nothing(convert, engine):
    [product] = await convert(engine, svg(RED), "svg", "png")
    picture = look(product)
    assert picture.size == (60, 40)
    assert [picture.getpixel(place) for place in ((10, 20), (50, 20))] == [(255, 0, 0, 255), (0, 0, 0, 0)]


@BOTH
async def test_a_picture_without_transparency_lies_on_white_or_on_the_colour_asked_for(convert, engine):
    [plain] = await convert(engine, svg(RED), "svg", "bmp")
    [blue] = await convert(engine, svg(RED), "svg", "png", options={"background": "#0000ff"})
    assert look(plain).getpixel((50, 20)) == (255, 255, 255)
    assert look(blue).convert("RGB").getpixel((50, 20)) == (0, 0, 255)


@BOTH
@pytest.mark.parametrize(
    ("options", "size"),
    [({"width": 300}, (300, 200)), ({"height": 20}, (30, 20)), ({"dpi": 192}, (120, 80)),
     ({"width": 90, "height": 20}, (30, 20))],
)  # fmt: skip
async def test_a_drawing_is_drawn_at_the_size_asked_for(convert, engine, options, size):
    [product] = await convert(engine, svg(RED), "svg", "png", options=options)
    assert look(product).size == size


@BOTH
@pytest.mark.parametrize(
    ("head", "size"),
    [('viewBox="0 0 80 20"', (80, 20)), ("", (512, 512)), ('width="1in" height="48pt"', (96, 64)),
     ('width="100%" height="100%" viewBox="0 0 30 10"', (30, 10)), ('width="90" viewBox="0 0 30 10"', (90, 30))],
)  # fmt: skip
async def test_a_drawing_that_does_not_say_its_size_gets_a_sensible_one(convert, engine, head, size):
    [product] = await convert(engine, svg(RED, head), "svg", "png")
    assert look(product).size == size


@BOTH
async def test_a_gzipped_drawing_and_one_without_its_namespace_are_read(convert, engine):
    [packed] = await convert(engine, gzip.compress(svg(RED), mtime=0), "svg", "png")
    [bare] = await convert(engine, b'<svg width="60" height="40">' + RED.encode() + b"</svg>", "svg", "png")
    assert look(packed).getpixel((10, 20)) == look(bare).getpixel((10, 20)) == (255, 0, 0, 255)


@EVERY
async def test_a_picture_inside_the_drawing_is_drawn(convert, engine, target):
    inner = io.BytesIO()
    Image.new("RGB", (2, 2), "lime").save(inner, "PNG")
    data = base64.b64encode(inner.getvalue()).decode()
    image = f'<image width="60" height="40" preserveAspectRatio="none" xlink:href="data:image/png;base64,{data}"/>'
    [product] = await convert(engine, svg(image), "svg", target)
    picture = _rendered(product)
    assert picture.convert("RGB").getpixel((30, 20)) == (0, 255, 0)


def _rendered(product):
    if product.suffix != ".pdf":
        return look(product)
    run("pdftoppm", "-r", "96", "-png", "-singlefile", product, product.with_suffix(""))
    return look(product.with_suffix(".png"))


async def test_the_pdf_of_a_drawing_is_still_a_drawing(convert):
    text = '<text x="5" y="25" font-family="DejaVu Sans" font-size="14">Hello</text>'
    [product] = await convert(VECTOR, svg(RED + text), "svg", "pdf")
    assert "Hello" in run("pdftotext", product, "-")
    assert len(run("pdfimages", "-list", product).splitlines()) == 2
    assert re.search(r"Page size: +45 x 30 pts", run("pdfinfo", product))


@pytest.fixture
async def listener():
    """A server that nobody should call; gives its port and the list of calls."""
    calls = []

    async def answer(_, writer):
        calls.append("called")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], calls
    server.close()
    await server.wait_closed()


@pytest.mark.requirement("B22")
@EVERY
async def test_nothing_outside_the_drawing_is_ever_read(convert, tmp_path, listener, engine, target):
    port, calls = listener
    canary = tmp_path / "canary.png"
    Image.new("RGB", (60, 40), (1, 200, 3)).save(canary)
    references = []
    for address in (canary.as_uri(), str(canary), f"http://127.0.0.1:{port}/x.png"):
        references += [
            f'<image width="60" height="40" href="{address}"/>',
            f'<image width="60" height="40" xlink:href="{address}"/>',
            f'<filter id="f{len(references)}"><feImage href="{address}"/></filter>',
            f'<rect width="60" height="40" style="filter:url(#f{len(references)})" fill="none"/>',
            f'<use href="{address}#a"/>',
            f'<style>@import "{address}"; rect {{ fill: url({address}); }}</style>',
            f'<rect width="9" height="9" fill="url({address}#g)"/>',
            f'<script href="{address}"/>',
            f'<foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="{address}"/></foreignObject>',
        ]
    [product] = await convert(engine, svg("".join(references)), "svg", target)
    colours = {colour for _, colour in _rendered(product).convert("RGB").getcolors(100_000)}
    assert (1, 200, 3) not in colours
    assert calls == []


@pytest.mark.requirement("B22")
@EVERY
async def test_entities_expand_only_as_far_as_a_drawing_needs(convert, engine, target):
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE svg [<!ENTITY l0 "ha">{laughs}]>'.encode() + svg("<text>&l9;</text>")
    with pytest.raises(CorruptInput):
        await convert(engine, bomb, "svg", target, limits=TIGHT)
    honest = b'<!DOCTYPE svg [<!ENTITY colour "#ff0000">]>' + svg('<rect width="60" height="40" fill="&colour;"/>')
    [product] = await convert(engine, honest, "svg", target)
    assert _rendered(product).convert("RGB").getpixel((30, 20)) == (255, 0, 0)


@pytest.mark.requirement("B22")
@EVERY
async def test_an_external_entity_brings_nothing(convert, tmp_path, listener, engine, target):
    port, calls = listener
    canary = tmp_path / "canary.txt"
    canary.write_text("c0ffee-canary")
    doctype = (
        f'<!DOCTYPE svg [<!ENTITY x SYSTEM "{canary.as_uri()}"><!ENTITY % p SYSTEM "http://127.0.0.1:{port}/">%p;]>'
    )
    try:
        [product] = await convert(engine, doctype.encode() + svg('<text y="20">&x;</text>'), "svg", target)
    except CorruptInput:
        product = None
    assert calls == []
    if product is not None and target == "pdf":
        assert "c0ffee" not in run("pdftotext", product, "-")


@pytest.mark.requirement("B22")
@EVERY
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<g>" * 100_000 + "</g>" * 100_000, id="nested"),
        pytest.param(
            '<g id="a0"><rect width="1" height="1"/></g>'
            + "".join(f'<g id="a{n}"><use href="#a{n - 1}"/><use href="#a{n - 1}"/></g>' for n in range(1, 31)),
            id="doubling",
        ),
        pytest.param('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g><use href="#a"/>', id="cycle"),
        pytest.param(
            '<pattern id="p" width="1e-9" height="1e-9" patternUnits="userSpaceOnUse"><rect width="1" height="1"/>'
            '</pattern><rect width="60" height="40" fill="url(#p)"/>',
            id="tiny-tile",
        ),
        pytest.param('<clipPath id="c" clip-path="url(#c)"><rect width="9" height="9"/></clipPath>'
                     '<rect width="60" height="40" clip-path="url(#c)"/>', id="clip-cycle"),
        pytest.param('<rect width="1e38" height="1e38" stroke-width="1e38" stroke="red" stroke-dasharray="1e-9"/>',
                     id="numbers"),
    ],
)  # fmt: skip
async def test_a_drawing_that_never_ends_is_drawn_or_refused_in_time(convert, engine, target, body):
    try:
        [product] = await convert(engine, svg(body), "svg", target, limits=TIGHT)
    except (InputError, LimitError):
        return
    if target == "pdf":
        assert re.search(r"Page size: +45 x 30 pts", run("pdfinfo", product))
    else:
        assert look(product).size == (60, 40)


@pytest.mark.requirement("B21", "B22")
@BOTH
@pytest.mark.parametrize(
    ("head", "options"),
    [('width="1e9" height="1e9"', {}), ('width="60" height="40"', {"width": 65_000}), ('viewBox="0 0 1e30 1e30"', {})],
)
async def test_a_drawing_too_large_to_draw_is_refused(convert, engine, head, options):
    with pytest.raises(ImageTooLarge):
        await convert(engine, svg(RED, head), "svg", "png", options=options, limits=TIGHT)


@EVERY
@pytest.mark.parametrize("junk", [b"", b"hello", b"<html/>", svg(RED)[:60], gzip.compress(svg(RED), mtime=0)[:30]])
async def test_what_is_no_drawing_is_called_damaged(convert, engine, target, junk):
    with pytest.raises(CorruptInput):
        await convert(engine, junk, "svg", target)


@EVERY
async def test_a_gzipped_flood_is_refused(convert, engine, target):
    flood = gzip.compress(b"<svg>" + b" " * (80 << 20), compresslevel=9, mtime=0)
    with pytest.raises(ConversionError) as caught:
        await convert(engine, flood, "svg", target, limits=TIGHT)
    assert caught.value.code in {"archive_bomb", "resource_limit"}
