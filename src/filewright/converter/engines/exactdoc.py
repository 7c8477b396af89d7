"""PDF to an editable Word document, by exactdoc: headings, paragraphs, lists, tables and columns, no pinned boxes.

Runs in one pass, without LibreOffice looking over its shoulder. A scan has no text to build from; its pages go into
the document as pictures, which is what a person without OCR can have.
"""

from __future__ import annotations

from filewright.converter.engines.pixels import PixelEngine
from filewright.converter.engines.port import Conversion, Loss

EXACTDOC = PixelEngine(
    name="exactdoc",
    packages=("exactdoc", "pypdfium2", "pikepdf", "python-docx", "pillow"),
    function="filewright.converter.engines.inside.exactdoc:convert",
    conversions=(Conversion("pdf", "docx", cost=600, loss=Loss.LARGE, rebuilds=True),),
    warm=("filewright.converter.engines.inside.exactdoc",),
)
