"""Mark-up to PDF without LaTeX or a browser: pandoc writes Typst, Typst typesets. About 80 ms for a page.

Fast and handsome for documents made of headings, paragraphs, lists, tables and formulas. Pages whose look is their own
(HTML with style sheets) go to `weasyprint`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filewright.converter.engines import pandoc
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.engines.utf8 import as_utf8
from filewright.converter.formats.catalogue import FORMATS

_SOURCES = ("md", "rst", "adoc", "org", "tex", "textile", "mediawiki", "docbook", "jats", "ipynb", "opml", "man")
_CONTENT_ONLY = ("html", "epub", "fb2", "odt", "docx", "rtf")
"""Sources with a look of their own, which this way does not keep: the last resort where nothing else is installed."""

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"type": "string", "enum": ["a4", "us-letter", "a5", "us-legal"], "default": "a4", "description": "Paper"},
    "toc": {"type": "boolean", "default": False, "description": "Put a table of contents in front"},
    "number_sections": {"type": "boolean", "default": False, "description": "Number the headings"},
}


class Typst:
    """The `typst` wheel (Apache-2.0), after pandoc."""

    name = "typst"
    conversions: Sequence[Conversion] = (
        Conversion("typ", "pdf", cost=35, loss=Loss.SMALL),
        *(Conversion(source, "pdf", cost=90, loss=Loss.SMALL, options=_OPTIONS) for source in _SOURCES),
        *(Conversion(source, "pdf", cost=900, loss=Loss.LARGE, options=_OPTIONS) for source in _CONTENT_ONLY),
    )

    def check(self) -> Availability:
        try:
            wheel = version("typst")
        except PackageNotFoundError:
            return Availability(available=False, missing="typst", install="pip install typst")
        below = pandoc.Pandoc().check()
        return Availability(below.available, wheel, below.missing, below.install)

    async def convert(self, work: Work) -> Sequence[Path]:
        source = await self._typst_source(work)
        work.on_progress(0.5)
        await work.python(
            "filewright.converter.engines.inside.typesetting:compile_pdf",
            warm=("filewright.converter.engines.inside.typesetting",),
            source=work.inside(source),
            target=work.inside(work.target),
            media=None if work.conversion.source == "typ" else "tmp/media",
        )
        return [work.target]

    async def _typst_source(self, work: Work) -> Path:
        source = await as_utf8(work) if FORMATS[work.conversion.source].text else work.source
        if work.conversion.source == "typ":
            return source
        written = work.workspace / "tmp" / "document.typ"
        await pandoc.write(
            work,
            source,
            # Citations as the words that stand for them: Typst would want the bibliography, which is another file.
            "typst-citations",
            written,
            "--extract-media=tmp/media",
            f"--variable=papersize:{work.options.get('paper', 'a4')}",
        )
        return written
