"""Pages of a PDF as pictures, and its text, by PDFium: the renderer of Chrome, quick and permissively licensed.

Scripts, launches and forms that send themselves are never carried out: the wheel is built without a script engine.
Forms and notes are drawn as a reader would show them.
"""

from __future__ import annotations

from filewright.converter.engines.pixels import WRITTEN, Options, PixelEngine, writing_options
from filewright.converter.engines.port import Conversion, Loss

PAGES: Options = {
    "pages": {
        "type": "string", "pattern": r"^\s*\d+\s*(-\s*\d*)?\s*(,\s*\d+\s*(-\s*\d*)?\s*)*$", "maxLength": 1000,
        "description": "Which pages, such as 1-3,7 or 5-; all if not given",
    },
}  # fmt: skip
_DPI: Options = {
    "dpi": {
        "type": "integer", "minimum": 10, "maximum": 1200, "default": 150,
        "description": "How many pixels make an inch of the page",
    },
}  # fmt: skip
_TRANSPARENT: Options = {
    "background": {
        "type": "string", "pattern": "^#[0-9a-fA-F]{6}$", "default": "#ffffff", "description": "Colour of the paper",
    },
}  # fmt: skip

PDFIUM = PixelEngine(
    name="pdfium",
    packages=("pypdfium2", "pillow"),
    function="filewright.converter.engines.inside.pdfium:convert",
    conversions=(
        *(
            Conversion(
                "pdf",
                target,
                cost=20 + written,
                loss=Loss.MOST,
                many=True,
                options={**writing_options(target), **PAGES, **_DPI, **_TRANSPARENT},
            )
            for target, written in WRITTEN.items()
        ),
        Conversion("pdf", "txt", cost=15, loss=Loss.MOST, options=PAGES),
        # Dearer than the way through a rebuilt document, which knows headings, lists and tables; here all are lines.
        Conversion("pdf", "html", cost=2_000, loss=Loss.LARGE, options=PAGES),
    ),
)
