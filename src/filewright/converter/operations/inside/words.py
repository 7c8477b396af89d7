"""What goes into a reader of letters and what is made of its findings. Runs in the sandbox, before and after it.

Of a PDF only the pages that have no text are read. The letters found are laid invisibly over those pages, which stay
as they are: nothing that was sharp becomes a picture.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
from PIL import Image

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside import pdfium, unlocked
from filewright.converter.engines.inside.pictures.colours import flattened, has_alpha
from filewright.converter.operations.inside import frames

_LIST = Path("tmp/pages.txt")
_FEW = 3
"""Letters on a page that are no text yet: a number, a stamp."""
_LARGEST = 10_000
"""Pixels of a side; the reader takes 32,767 and needs none of them."""


def prepare(
    *,
    report: Report,
    source: str,
    source_format: str,
    options: Mapping[str, Any],
    password: str | None,
    max_pixels: int,
    max_pages: int,
) -> dict[str, Any]:
    """Draw what is to be read into `tmp/`, listed in `tmp/pages.txt`; gives the numbers of those pages, from 0."""
    if source_format == "pdf":
        numbers = _of_pdf(source, options, password, max_pixels, max_pages, report)
    else:
        opened = frames.opened(source, source_format, max_pixels, max_pages)
        count = opened.count if opened.pages else 1
        for number in range(count):
            _draw(opened.frame(number), number)
        numbers = list(range(count))
    _LIST.write_text("".join(f"{_page(number)}\n" for number in numbers), encoding="ascii")
    return {"pages": numbers}


def _page(number: int) -> str:
    return f"tmp/page-{number + 1:05}.png"


def _draw(picture: Image.Image, number: int) -> None:
    plain = flattened(picture, "#ffffff") if has_alpha(picture) else picture
    plain = plain if plain.mode in {"1", "L", "RGB"} else plain.convert("RGB")
    if max(plain.size) > _LARGEST:
        plain.thumbnail((_LARGEST, _LARGEST))
    plain.info = {}
    plain.save(_page(number), compress_level=1)


def _of_pdf(
    source: str, options: Mapping[str, Any], password: str | None, max_pixels: int, max_pages: int, report: Report
) -> list[int]:
    document = pdfium.open_document(source, password, max_pages)
    pdfium.init_forms(document)
    numbers = []
    for number in range(len(document)):
        report(0.3 * number / len(document))
        if options["again"] or not _has_text(document, number):
            _draw(pdfium.drawn(document, number, {"dpi": options["dpi"]}, max_pixels), number)
            numbers.append(number)
    return numbers


def _has_text(document: pypdfium2.PdfDocument, number: int) -> bool:
    page = document[number]
    text = page.get_textpage()
    found = len("".join(text.get_text_range(errors="ignore").split()))
    text.close()
    page.close()
    return found > _FEW


def lay_over(
    *, report: Report, source: str, letters: str | None, pages: Sequence[int], password: str | None
) -> list[str]:
    """Write `out/output.pdf`: the source, with page after page of `letters` over those pages of it."""
    out = "out/output.pdf"
    if unlocked.is_encrypted(source, password):
        source = unlocked.write(source, password)
    if letters is None:
        shutil.copyfile(source, out)
        return ["output.pdf"]
    try:
        with pikepdf.open(source) as pdf, pikepdf.open(letters) as found:
            if len(found.pages) != len(pages):
                raise Refusal("output_invalid")
            for number, layer in zip(pages, found.pages, strict=True):
                _lay(pdf, pdf.pages[number], layer)
            pdf.save(out)
    except pikepdf.PdfError as error:
        raise Refusal("corrupt_input") from error
    return ["output.pdf"]


def _lay(pdf: pikepdf.Pdf, page: pikepdf.Page, layer: pikepdf.Page) -> None:
    """The letters were found on the page as it is shown: turned, and cut to its box."""
    left, bottom, right, top = (float(side) for side in page.cropbox)
    width, height = right - left, top - bottom
    turn = int(page.obj.get("/Rotate", 0)) % 360
    across, down = (float(side) for side in list(layer.mediabox)[2:])
    form = pdf.copy_foreign(layer.as_form_xobject())
    name = page.add_resource(form, pikepdf.Name.XObject)
    shown = (height, width) if turn in {90, 270} else (width, height)
    x, y = shown[0] / across, shown[1] / down
    matrix = {
        0: (x, 0, 0, y, left, bottom),
        90: (0, x, -y, 0, right, bottom),
        180: (-x, 0, 0, -y, right, top),
        270: (0, -x, y, 0, left, top),
    }[turn if turn in {90, 180, 270} else 0]
    placed = " ".join(f"{number:.5f}" for number in matrix)
    page.contents_add(b"q", prepend=True)
    page.contents_add(f"Q q {placed} cm {name} Do Q".encode())
