"""PDF to Word; see `engines.exactdoc`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import docx
import exactdoc
import exactdoc.convert
import exactdoc.docxout
import exactdoc.infer
import exactdoc.parse_pdfium
import pypdfium2
from docx.enum.section import WD_SECTION
from docx.shared import Pt
from exactdoc.errors import ParseError, ResourceLimitError, UnsupportedInputError

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside import pdfium, unlocked, words_in_pictures

_SCAN_DPI = 150


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
    """Write `out/output.docx`. The document is opened with PDFium first, which names what is wrong with it."""
    document = pdfium.open_document(source, password, max_pages)
    plain = unlocked.write(source, password) if unlocked.is_encrypted(source, password) else source
    report(0.05)
    try:
        exactdoc.convert.convert(plain, "out/output.docx", refine_rounds=0, oracle="none", max_pages=max_pages)
    except ParseError as error:
        raise Refusal("corrupt_input") from error
    except ResourceLimitError as error:
        raise Refusal("resource_limit") from error
    except UnsupportedInputError:
        _pages_as_pictures(document, max_pixels, report)
    except Exception:
        pdfium.check_pages(document)
        raise
    else:
        words_in_pictures.repeat(document, "out/output.docx")
    return ["output.docx"]


def _pages_as_pictures(document: pypdfium2.PdfDocument, max_pixels: int, report: Report) -> None:
    """A section for each page, in the page's size, filled by its picture."""
    made = docx.Document()
    for number in range(len(document)):
        report(number / len(document))
        picture = pdfium.drawn(document, number, {"dpi": _SCAN_DPI}, max_pixels)
        section = made.sections[-1] if number == 0 else made.add_section(WD_SECTION.NEW_PAGE)
        width, height = (side * 72 / _SCAN_DPI for side in picture.size)
        section.page_width, section.page_height = Pt(width), Pt(height)
        for margin in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
            setattr(section, margin, Pt(0))
        section.header_distance = section.footer_distance = Pt(0)
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=85)
        paragraph = made.paragraphs[-1] if number == 0 and made.paragraphs else made.add_paragraph()
        paragraph.paragraph_format.space_after = Pt(0)
        paragraph.paragraph_format.line_spacing = 1.0
        # A little less than the page, so that the line it stands on still fits.
        paragraph.add_run().add_picture(packed, width=Pt(width * 0.97))
    made.save("out/output.docx")
