"""Web pages to PDF with their style sheets: WeasyPrint, which asks no one for anything.

The page is all there is: a fetcher refuses every address but `data:`, and the sandbox has no network and no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.engines.utf8 import as_utf8

_PANGO = "libpango-1.0.so.0"
_INSTALL = "apt-get install -y --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0"
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"type": "string", "enum": ["A4", "letter", "A5", "legal"], "default": "A4", "description": "Paper"},
    "landscape": {"type": "boolean", "default": False, "description": "Turn the paper"},
    "margin_mm": {"type": "number", "minimum": 0, "maximum": 100, "default": 20, "description": "Margin, millimetres"},
}


class WeasyPrint:
    """The `weasyprint` wheel (BSD) on the system's Pango."""

    name = "weasyprint"
    conversions: Sequence[Conversion] = (Conversion("html", "pdf", cost=280, loss=Loss.SMALL, options=_OPTIONS),)

    def check(self) -> Availability:
        try:
            wheel = version("weasyprint")
        except PackageNotFoundError:
            return Availability(available=False, missing="weasyprint", install="pip install weasyprint")
        if not _has_library(_PANGO):
            return Availability(available=False, version=wheel, missing="Pango", install=_INSTALL)
        return Availability(available=True, version=wheel)

    async def convert(self, work: Work) -> Sequence[Path]:
        source = await as_utf8(work)
        options = work.options
        await work.python(
            "filewright.converter.engines.inside.printing:print_page",
            warm=("filewright.converter.engines.inside.printing",),
            source=work.inside(source),
            target=work.inside(work.target),
            paper=f"{options.get('paper', 'A4')}{' landscape' if options.get('landscape') else ''}",
            margin_mm=options.get("margin_mm", 20),
        )
        return [work.target]


def _has_library(name: str) -> bool:
    folders = ("/usr/lib", "/usr/local/lib", "/lib", "/usr/lib64", *map(str, Path("/usr/lib").glob("*-linux-gnu")))
    return any(Path(folder, name).exists() for folder in folders)
