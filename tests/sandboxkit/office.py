"""LibreOffice as tests of it are in want of it: a conversion without a converter around it, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pypdfium2

from filewright.chassis.sandbox.port import Sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.port import Work


async def converted(
    sandbox: Sandbox, jobs_dir: Path, document: bytes, source: str, target: str, **work: Any
) -> list[bytes]:
    """The bytes of the products, with the defaults of all options. Keywords (`limits`, `party`) go to the `Work`."""
    conversion = next(c for c in LibreOffice.conversions if (c.source, c.target) == (source, target))
    options = {name: schema["default"] for name, schema in conversion.options.items()}
    with Workspace.create(jobs_dir) as workspace:
        given = workspace.path / "in" / f"input.{source}"
        given.write_bytes(document)
        asked = Work(given, workspace.path, conversion, sandbox, options=options, **work)
        return [product.read_bytes() for product in await LibreOffice().convert(asked)]


def words_of(pdf: bytes) -> list[str]:
    """Of each page."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()
