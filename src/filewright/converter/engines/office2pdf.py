"""Word, Excel and PowerPoint files to PDF without LibreOffice: the `office2pdf` library, a Rust wheel.

It sets text, tables and slides well, but leaves charts empty and computes no formula, so it is declared as lossy and
LibreOffice is preferred where there is one. It is what makes `pip install` alone enough for a PDF.
"""

from __future__ import annotations

from filewright.converter.engines.library import LibraryEngine
from filewright.converter.engines.port import Conversion, Loss

_INSIDE = "filewright.converter.engines.inside.office_to_pdf"
# Above LibreOffice's own figure, although it needs a third of the time: fidelity goes first.
_COST = 900
_OPTIONS = {
    "tagged": {
        "type": "boolean",
        "default": True,
        "description": "Keep headings, lists and tables readable for screen readers",
    },
}

OFFICE2PDF = LibraryEngine(
    name="office2pdf",
    packages=("office2pdf-python", "msoffcrypto-tool"),
    function=f"{_INSIDE}:convert",
    warm=(_INSIDE,),
    conversions=tuple(
        Conversion(source, "pdf", cost=_COST, loss=Loss.LARGE, options=_OPTIONS) for source in ("docx", "pptx", "xlsx")
    ),
)
