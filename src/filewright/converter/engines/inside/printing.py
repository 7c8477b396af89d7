"""Runs in the sandbox: a web page to PDF."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from weasyprint import CSS, HTML
from weasyprint.urls import URLFetcher

from filewright.chassis.sandbox.child import Refusal, Report

logging.getLogger("weasyprint").setLevel(logging.CRITICAL)


class OnlyData(URLFetcher):  # type: ignore[misc]
    """Fetches `data:` addresses, which hold their own content, and refuses every other."""

    def fetch(self, url: str, headers: Any = None) -> Any:
        if not url.lower().startswith("data:"):
            raise ValueError("nothing outside the page is fetched")
        return super().fetch(url, headers)


def print_page(source: str, target: str, paper: str, margin_mm: float, report: Report) -> None:
    """Print `source`. `paper` is a CSS page size; the page's own `@page` rules win over it."""
    sheet = CSS(string=f"@page {{ size: {paper}; margin: {margin_mm}mm }} img, svg, table {{ max-width: 100% }}")
    fetcher = OnlyData(allowed_protocols=["data"], allow_redirects=False)
    text = Path(source).read_text(encoding="utf-8")
    try:
        page = HTML(string=text, encoding="utf-8", url_fetcher=fetcher, base_url="about:blank")
    except (ValueError, AssertionError) as error:
        raise Refusal("corrupt_input") from error
    page.write_pdf(target, stylesheets=[sheet])
