"""PDF into SVG, HTML and PostScript by poppler's programs. GPL: they run as processes of their own, never linked.

The password of a protected file never stands on a command line: `inside.unlocked` makes a plain copy first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from filewright.chassis.sandbox.port import Ending
from filewright.converter.engines.installed import check_programs
from filewright.converter.engines.plain_pdf import plain_pdf
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.errors import CorruptInput, OutputInvalid, UnsupportedConversion

_RANGE: Mapping[str, Mapping[str, object]] = {
    "first_page": {"type": "integer", "minimum": 1, "default": 1, "description": "Where to begin"},
    "last_page": {"type": "integer", "minimum": 1, "description": "Where to end; the last page if not given"},
}
_ONE_PAGE: Mapping[str, Mapping[str, object]] = {
    "page": {"type": "integer", "minimum": 1, "description": "Only this page"},
}
_PAGE_WRITERS = {"svg": ("pdftocairo", "-svg"), "eps": ("pdftops", "-q", "-eps")}
"""Formats that hold one page each, with the program that writes it."""


class Poppler:
    """pdftocairo, pdftohtml and pdftops."""

    name = "poppler"
    conversions: Sequence[Conversion] = (
        Conversion("pdf", "svg", cost=60, loss=Loss.SMALL, many=True, options=_RANGE),
        Conversion("pdf", "html", cost=150, loss=Loss.LARGE, facsimile=True, options=_RANGE),
        Conversion("pdf", "ps", cost=90, loss=Loss.SMALL, options=_RANGE),
        Conversion("pdf", "eps", cost=90, loss=Loss.SMALL, many=True, options={**_RANGE, **_ONE_PAGE}),
    )

    def check(self) -> Availability:
        return check_programs("pdftocairo", "pdftohtml", "pdftops", package="poppler-utils")

    async def convert(self, work: Work) -> Sequence[Path]:
        document, pages = await plain_pdf(work)
        path = work.inside(document)
        first = work.options.get("page") or work.options.get("first_page", 1)
        last = work.options.get("page") or min(work.options.get("last_page", pages), pages)
        if first > last or last > pages:
            raise UnsupportedConversion(f"The document has {pages} pages; ask for some of those.")
        if work.conversion.target in _PAGE_WRITERS:
            return [await _page(work, path, number, alone=first == last) for number in range(first, last + 1)]
        await _whole(work, path, first, last)
        return [work.target]


async def _page(work: Work, path: str, number: int, *, alone: bool) -> Path:
    target = work.conversion.target
    product = work.out / (f"output.{target}" if alone else f"output-{number:04}.{target}")
    page = ("-f", str(number), "-l", str(number))
    await _run(work, *_PAGE_WRITERS[target], *page, path, work.inside(product))
    return _made(product)


async def _whole(work: Work, path: str, first: int, last: int) -> None:
    pages = ("-f", str(first), "-l", str(last))
    product = work.inside(work.target)
    match work.conversion.target:
        case "html":
            # Laid out as the page is, in one file: pictures and fonts stand in it as data.
            await _run(
                work, "pdftohtml", "-q", "-s", "-c", "-noframes", "-dataurls", "-fmt", "jpg", *pages, path, product
            )
        case "ps":
            await _run(work, "pdftops", "-q", *pages, path, product)
    _made(work.target)


async def _run(work: Work, *argv: str) -> None:
    outcome = await work.command(*argv)
    if outcome.ending is not Ending.COMPLETED:
        raise CorruptInput


def _made(product: Path) -> Path:
    if product.is_symlink() or not product.is_file() or product.stat().st_size == 0:
        raise OutputInvalid
    return product
