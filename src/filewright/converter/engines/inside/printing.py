"""Runs in the sandbox: a web page to PDF."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from weasyprint import CSS, HTML, Document
from weasyprint.formatting_structure.boxes import TableBox
from weasyprint.urls import URLFetcher

from filewright.chassis.sandbox.child import Refusal, Report

logging.getLogger("weasyprint").setLevel(logging.CRITICAL)

_PAPERS = {"A4": (210, 297), "A5": (148, 210), "letter": (215.9, 279.4), "legal": (215.9, 355.6)}
"""In millimetres, upright."""
_OVERFLOW_MATTERS_FROM = 1.005
_MOST = 4.0
"""Smaller than that nobody reads it."""


class OnlyData(URLFetcher):  # type: ignore[misc]
    """Fetches `data:` addresses, which hold their own content, and refuses every other."""

    def fetch(self, url: str, headers: Any = None) -> Any:
        if not url.lower().startswith("data:"):
            raise ValueError("nothing outside the page is fetched")
        return super().fetch(url, headers)


def print_page(source: str, target: str, paper: str, margin_mm: float, report: Report) -> None:
    """Print `source`. `paper` is a name of `_PAPERS`, maybe turned; the page's own `@page` rules win over it.

    A table that is wider than the paper makes everything smaller, as browsers do, and is not cut off.
    """
    fetcher = OnlyData(allowed_protocols=["data"], allow_redirects=False)
    text = Path(source).read_text(encoding="utf-8")
    try:
        page = HTML(string=text, encoding="utf-8", url_fetcher=fetcher, base_url="about:blank")
    except (ValueError, AssertionError) as error:
        raise Refusal("corrupt_input") from error
    document = page.render(stylesheets=[_sheet(paper, margin_mm)])
    shrink = min(_MOST, _overflow(document))
    if shrink > _OVERFLOW_MATTERS_FROM:
        document = page.render(stylesheets=[_sheet(paper, margin_mm, shrink)])
        document.write_pdf(target, zoom=1 / shrink)
    else:
        document.write_pdf(target)


def _sheet(paper: str, margin_mm: float, scale: float = 1.0) -> CSS:
    name, _, turned = paper.partition(" ")
    width, height = sorted(_PAPERS[name], reverse=bool(turned))
    return CSS(
        string=f"@page {{ size: {width * scale}mm {height * scale}mm; margin: {margin_mm * scale}mm }} "
        "img, svg, table { max-width: 100% } "
        # A formula's source in another language, which browsers do not show either.
        "annotation, annotation-xml { display: none }"
    )


def _overflow(document: Document) -> float:
    """How many times too wide the widest table is."""
    widest = 1.0
    for page in document.pages:
        box = page._page_box  # noqa: SLF001 - the laid-out page; nothing public tells where its tables end
        end = box.content_box_x() + box.width
        for table in box.descendants():
            if isinstance(table, TableBox) and table.width != "auto" and box.width > 0:
                over = table.border_box_x() + table.border_width() - end
                widest = max(widest, 1 + over / box.width)
    return widest
