"""Take the password off a PDF for programs that should not be told it, and count its pages on the way."""

from __future__ import annotations

import pikepdf

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside import pdfium

_PLAIN = "tmp/plain.pdf"


def prepare(*, report: Report, source: str, password: str | None, max_pages: int) -> dict[str, object]:
    """Open as PDFium does, so that a file is refused for the same reason by every engine.

    Gives `pages`, and `path`: the source, or a copy of it without encryption.
    """
    document = pdfium.open_document(source, password, max_pages)
    pages = len(document)
    document.close()
    return {"pages": pages, "path": write(source, password) if is_encrypted(source, password) else source}


def is_encrypted(source: str, password: str | None) -> bool:
    try:
        with pikepdf.open(source, password=password or "") as opened:
            return bool(opened.is_encrypted)
    except pikepdf.PasswordError as error:
        raise Refusal("wrong_password" if password else "password_required") from error
    except pikepdf.PdfError:
        return False  # too broken for qpdf, but PDFium has opened it


def write(source: str, password: str | None) -> str:
    """A copy without encryption; gives its path."""
    with pikepdf.open(source, password=password or "") as opened:
        opened.save(_PLAIN, encryption=False)
    return _PLAIN
