"""Draw the pages of a PDF and take its text, with PDFium; see `engines.pdfium`."""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium_c
from PIL import Image

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.pictures import writing
from filewright.converter.engines.inside.pictures.page_range import chosen_pages

_POINTS_PER_INCH = 72
_LARGEST_SIDE = 65_500


def convert(
    *,
    report: Report,
    source: str,
    source_format: str,
    target: str,
    options: Mapping[str, Any],
    password: str | None,
    max_pixels: int,
    max_pages: int,
) -> list[str]:
    """Write the products into `out/` and give their names, in the order of the pages."""
    document = open_document(source, password, max_pages)
    pages = chosen_pages(options.get("pages"), len(document))
    if target == "txt":
        return _text(document, pages, report)
    if target == "html":
        return _html(document, pages, report, max_pixels)
    init_forms(document)
    names = []
    for done, number in enumerate(pages):
        report(done / len(pages))
        name = f"output.{target}" if len(pages) == 1 else f"output-{number + 1:04}.{target}"
        picture = drawn(document, number, options, max_pixels)
        _save(picture, name, target, options, max_pixels)
        names.append(name)
    return names


def open_document(source: str, password: str | None, max_pages: int) -> pypdfium2.PdfDocument:
    """The document, its pages counted. The words of PDFium's refusal tell a wrong password from a broken file."""
    try:
        document = pypdfium2.PdfDocument(source, password=password)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium_c.FPDF_ERR_PASSWORD:
            raise Refusal("wrong_password" if password else "password_required") from error
        raise Refusal("corrupt_input") from error
    if count == 0:
        raise Refusal("corrupt_input")
    if count > max_pages:
        raise Refusal("too_many_pages")
    return document


def init_forms(document: pypdfium2.PdfDocument) -> None:
    """Before drawing, so that what is filled in is seen."""
    try:
        document.init_forms()
    except pypdfium2.PdfiumError:
        return  # a broken form leaves the page as it is printed without one


def _page(document: pypdfium2.PdfDocument, number: int) -> pypdfium2.PdfPage:
    try:
        return document[number]
    except pypdfium2.PdfiumError as error:
        raise Refusal("corrupt_input") from error


def check_pages(document: pypdfium2.PdfDocument) -> None:
    """Refuse a document of which a page cannot be read at all."""
    for number in range(len(document)):
        _page(document, number).close()


def page_size(document: pypdfium2.PdfDocument, number: int) -> tuple[float, float]:
    """Width and height in points, as it is shown."""
    page = _page(document, number)
    width, height = page.get_size()
    page.close()
    if not all(math.isfinite(side) and side > 0 for side in (width, height)):
        raise Refusal("corrupt_input")
    return width, height


def drawn(document: pypdfium2.PdfDocument, number: int, options: Mapping[str, Any], max_pixels: int) -> Image.Image:
    page = _page(document, number)
    width, height = page.get_size()
    scale = _scale(width, height, options, max_pixels)
    sheet = Image.new("RGB", (1, 1), options.get("background", "#ffffff")).getpixel((0, 0))
    try:
        # A hair smaller, so that 1650.0000000000002 pixels are not drawn as 1651.
        bitmap = page.render(scale=scale * (1 - 1e-7), fill_color=(*sheet, 255), rev_byteorder=True)  # type: ignore[misc]
        picture: Image.Image = bitmap.to_pil().convert("RGB")
    except pypdfium2.PdfiumError as error:
        raise Refusal("corrupt_input") from error
    page.close()
    return picture


def _scale(width: float, height: float, options: Mapping[str, Any], max_pixels: int) -> float:
    """Pixels for each point, from `width` and `height` if given, else from `dpi`; refuses what would be too large."""
    sane = all(math.isfinite(side) and side > 0 for side in (width, height))
    if not sane:
        raise Refusal("corrupt_input")
    asked = [options[name] / side for name, side in (("width", width), ("height", height)) if options.get(name)]
    scale = min(asked, default=options.get("dpi", 150) / _POINTS_PER_INCH)
    across, down = math.ceil(width * scale), math.ceil(height * scale)
    if across * down > max_pixels or max(across, down) > _LARGEST_SIDE:
        raise Refusal("image_too_large")
    return float(scale)


def _save(picture: Image.Image, name: str, target: str, options: Mapping[str, Any], max_pixels: int) -> None:
    dpi = options.get("dpi", 150)
    exact = {} if "width" in options or "height" in options else {"dpi": dpi}
    rest = {key: value for key, value in options.items() if key != "dpi"}
    writing.save(picture, f"out/{name}", target, {**rest, **exact}, max_pixels=max_pixels)


def _page_texts(document: pypdfium2.PdfDocument, pages: list[int], report: Report) -> Iterator[str]:
    for done, number in enumerate(pages):
        report(done / len(pages))
        page = _page(document, number)
        try:
            yield _tidy(page.get_textpage().get_text_range(errors="replace"))
        except pypdfium2.PdfiumError as error:
            raise Refusal("corrupt_input") from error
        page.close()


def _tidy(text: str) -> str:
    """Line ends of this system; the mark that PDFium leaves for a hyphen at the end of a line becomes one."""
    text = re.sub(r"\r\n?", "\n", text).replace("\ufffe", "-").replace("\x02", "-").replace("\xad", "-")
    text = "".join(character for character in text if character in "\n\t" or character >= " ")
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _text(document: pypdfium2.PdfDocument, pages: list[int], report: Report) -> list[str]:
    """Each page's text, ended by a form feed as readers of text expect; a page of pictures is an empty one."""
    with Path("out/output.txt").open("w", encoding="utf-8") as file:
        file.writelines(f"{text}\n\f" if text else "\f" for text in _page_texts(document, pages, report))
    return ["output.txt"]


def _html(document: pypdfium2.PdfDocument, pages: list[int], report: Report, max_pixels: int) -> list[str]:
    """One page that needs nothing else: the text in paragraphs; for pages without text, their picture."""
    title = html.escape((document.get_metadata_dict().get("Title") or "").strip() or "Document")
    with Path("out/output.html").open("w", encoding="utf-8") as file:
        file.write(f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{title}</title></head>\n<body>\n')
        for number, text in zip(pages, _page_texts(document, pages, report), strict=True):
            file.write("<hr>\n" if number != pages[0] else "")  # by which writers of slides know where one ends
            file.write(f'<section id="page-{number + 1}">\n')
            file.write(_paragraphs(text) if text.strip() else _picture(document, number, max_pixels))
            file.write("</section>\n")
        file.write("</body></html>\n")
    return ["output.html"]


def _paragraphs(text: str) -> str:
    """Lines joined into paragraphs: one ends at an empty line, or at a sentence's end in a line clearly shorter."""
    lines = text.split("\n")
    longest = max(len(line) for line in lines)
    done, open_lines = [], []
    for line in lines:
        if line.strip():
            open_lines.append(html.escape(line.strip()))
        if open_lines and (not line.strip() or len(line) < 0.7 * longest):
            done.append(f"<p>{'<br>'.join(open_lines) if len(open_lines) == 1 else ' '.join(open_lines)}</p>\n")
            open_lines = []
    return "".join(done) + (f"<p>{' '.join(open_lines)}</p>\n" if open_lines else "")


def _picture(document: pypdfium2.PdfDocument, number: int, max_pixels: int) -> str:
    packed = io.BytesIO()
    drawn(document, number, {"dpi": 110}, max_pixels).save(packed, "JPEG", quality=85)
    data = base64.b64encode(packed.getvalue()).decode()
    return f'<img alt="Page {number + 1}" style="max-width:100%" src="data:image/jpeg;base64,{data}">\n'
