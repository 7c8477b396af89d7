"""Real pictures and PDF files that nobody here wrote, and facts about them that other tools established.

Each picture must become a png, a jpg, a webp and a pdf, by the route that the planner takes.
"""

import json
import os
import re
import subprocess
import unicodedata
from pathlib import Path

import pytest

from filewright.converter.engines.pdfium import PDFIUM
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.errors import CorruptInput, ImageTooLarge, PasswordRequired, WrongPassword
from filewright.converter.formats.catalogue import FORMATS, Family
from filewright.converter.routing.planner import Planner

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif("FILEWRIGHT_CORPUS" not in os.environ, reason="FILEWRIGHT_CORPUS names no corpus"),
]

ROOT = Path(os.environ.get("FILEWRIGHT_CORPUS", "/nonexistent"))
REASONS = {"corrupt": CorruptInput, "truncated": CorruptInput, "too-many-pixels": ImageTooLarge,
           "password-required": PasswordRequired}  # fmt: skip
REGISTRY = Registry(standard_engines())
PLANNER = Planner(REGISTRY.abilities())


def format_of(entry):
    kinds = {kind: item.id for item in FORMATS.values() for kind in item.media_types}
    return kinds.get(entry["media_type"])


def entries(family, expectation):
    manifest = ROOT / "manifest.json"
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.is_file() else []
    return [
        pytest.param(entry, id=entry["path"])
        for entry in files
        if entry["expectation"] == expectation
        and entry["family"] in {"images", "pdf", "tricky"}
        and format_of(entry)
        and FORMATS[format_of(entry)].family is family
    ]


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "replace")


def plain(text):
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


async def by_route(convert, source, source_format, target):
    products = [source]
    for step in PLANNER.cheapest(source_format, target).steps:
        engine = REGISTRY.engine(step.engine)
        products = await convert(engine, products[0], step.conversion.source, step.conversion.target)
    return products


def sizes_of(facts):
    """The widths and heights that would be right; none for drawings, which may be drawn at any size."""
    if "upright_width_height" in facts:
        return {tuple(facts["upright_width_height"])}
    return {(facts["width"], facts["height"])} if isinstance(facts.get("width"), int) else set()


@pytest.mark.parametrize("target", ["png", "jpg", "webp", "pdf"])
@pytest.mark.parametrize("entry", entries(Family.IMAGE, "converts"))
async def test_a_picture_becomes_what_people_ask_for(convert, entry, target):
    source_format = format_of(entry)
    products = await by_route(convert, ROOT / entry["path"], source_format, target)
    facts = entry["facts"]
    if target == "pdf":
        pages = facts["frames"] if source_format == "tiff" else 1
        assert f"Pages:           {pages}\n" in run("pdfinfo", products[0])
        return
    found = run("exiftool", "-s3", "-ImageSize", products[0]).strip()
    size = tuple(int(side) for side in found.split("x"))
    if source_format == "ico":
        assert size[0] >= facts["width"]
    elif sizes_of(facts):
        assert size in sizes_of(facts)
    orientation = run("exiftool", "-s3", "-n", "-Orientation", products[0]).strip()
    assert orientation in {"", "1"}


@pytest.mark.parametrize("target", ["png", "pdf"])
@pytest.mark.parametrize("entry", entries(Family.IMAGE, "must-reject"))
async def test_a_picture_that_must_not_pass_is_refused_by_name(convert, entry, target):
    with pytest.raises(REASONS[entry["reason"]]):
        await by_route(convert, ROOT / entry["path"], format_of(entry), target)


@pytest.mark.parametrize("entry", entries(Family.PDF, "converts"))
async def test_every_page_is_drawn_and_every_word_is_found(convert, entry):
    facts = entry["facts"]
    pictures = await convert(PDFIUM, ROOT / entry["path"], "pdf", "jpg", options={"dpi": 36})
    [text] = await convert(PDFIUM, ROOT / entry["path"], "pdf", "txt")
    assert len(pictures) == facts["pages"]
    assert text.read_text(encoding="utf-8").count("\f") == facts["pages"]
    assert plain(facts.get("text", "")) in plain(text.read_text(encoding="utf-8"))


SHORT = [entry for entry in entries(Family.PDF, "converts") if entry.values[0]["facts"]["pages"] <= 50]
"""A long document takes a minute to become Word, and shows nothing that these do not."""


@pytest.mark.parametrize("target", ["docx", "html", "svg"])
@pytest.mark.parametrize("entry", SHORT)
async def test_a_pdf_becomes_word_web_page_and_drawing(convert, entry, target):
    products = await by_route(convert, ROOT / entry["path"], "pdf", target)
    assert len(products) == (entry["facts"]["pages"] if target == "svg" else 1)
    assert all(product.stat().st_size > 100 for product in products)


@pytest.mark.requirement("B28")
@pytest.mark.parametrize("entry", entries(Family.PDF, "must-reject"))
async def test_a_locked_or_broken_pdf_is_refused_by_name_and_opens_with_its_password(convert, entry):
    source = ROOT / entry["path"]
    with pytest.raises(REASONS[entry["reason"]]):
        await convert(PDFIUM, source, "pdf", "png")
    if "password" in entry:
        with pytest.raises(WrongPassword):
            await convert(PDFIUM, source, "pdf", "png", password="not it")
        assert await convert(PDFIUM, source, "pdf", "png", password=entry["password"])
