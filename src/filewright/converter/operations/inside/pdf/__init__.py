"""Operations on PDFs: the pages by pikepdf (qpdf), which keeps everything it does not have to change."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.operations.inside.order import Order, Product
from filewright.converter.operations.inside.pdf import documents

_MODULES = {
    "merge": "merging",
    "split": "parting",
    "rotate": "turning",
    "compress": "shrinking",
    "metadata": "noting",
    "extract": "taking",
    "watermark": "stamping",
}


def operate(order: Order) -> list[Product]:
    """Each operation is a function of its name in a module of its own, so that a child loads only what it needs."""
    module = import_module(f"{__name__}.{_MODULES[order.operation]}")
    function: Callable[[Order], list[Product]] = getattr(module, order.operation)
    try:
        return function(order)
    except documents.BROKEN as error:
        raise Refusal("corrupt_input") from error
