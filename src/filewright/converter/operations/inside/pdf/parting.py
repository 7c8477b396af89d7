"""A PDF in parts, each a PDF of its own with what belongs to its pages."""

from __future__ import annotations

from collections.abc import Sequence

import pikepdf

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.operations.inside.order import Order, Product
from filewright.converter.operations.inside.pdf.bookmarks import read, within, write
from filewright.converter.operations.inside.pdf.documents import BROKEN, opened, ranges, save

_MOST_PARTS = 10_000


def split(order: Order) -> list[Product]:
    """By `ranges`, each a file, else after every so many pages."""
    with opened(order.sources[0], order.password, order.max_pages) as document:
        parts = _parts(order, len(document.pages))
        if len(parts) > _MOST_PARTS:
            raise Refusal("too_many_pages")
        outline = read(document)
        names: list[Product] = []
        for number, pages in enumerate(parts, 1):
            order.report((number - 1) / len(parts))
            part = taken(document, pages)
            write(part, within(outline, pages))
            names.append(save(part, f"output-{number:05}.pdf"))
        return names


def taken(document: pikepdf.Pdf, pages: Sequence[int]) -> pikepdf.Pdf:
    """A new document of these pages."""
    part = pikepdf.Pdf.new()
    try:
        part.add_pages_from(document, pages)
        part.remove_unreferenced_resources()
    except BROKEN as error:
        raise Refusal("corrupt_input") from error
    return part


def _parts(order: Order, count: int) -> list[range]:
    if "ranges" in order.options:
        return ranges(order.options["ranges"], count, "ranges")
    every = order.options["every"]
    return [range(first, min(first + every, count)) for first in range(0, count, every)]
