"""Pages of a PDF turned, without drawing them again."""

from __future__ import annotations

from filewright.converter.operations.inside.order import Order, Product
from filewright.converter.operations.inside.pdf.documents import chosen, opened, save


def rotate(order: Order) -> list[Product]:
    """Clockwise, from how they stand now."""
    with opened(order.sources[0], order.password, order.max_pages) as document:
        for number in chosen(order.options.get("pages"), len(document.pages)):
            document.pages[number].rotate(order.options["degrees"] % 360, relative=True)
        return [save(document)]
