"""Operations on PDFs: the pages by pikepdf (qpdf), which keeps everything it does not have to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.operations.inside.pdf import documents

Product = str | list[str]
"""The name of a file in `out/`; or that, and what a caller may call it."""


@dataclass(frozen=True)
class Order:
    """What a function here is asked for."""

    sources: Sequence[str]
    names: Sequence[str]
    source_format: str
    target: str
    options: Mapping[str, Any]
    password: str | None
    max_pixels: int
    max_pages: int
    report: Report


_MODULES = {
    "merge": "merging",
    "split": "parting",
    "rotate": "turning",
    "compress": "shrinking",
    "metadata": "noting",
    "extract": "taking",
    "watermark": "stamping",
}


def operate(*, operation: str, **order: Any) -> list[Product]:
    """Each operation is a function of its name in a module of its own, so that a child loads only what it needs."""
    module = import_module(f"{__name__}.{_MODULES[operation]}")
    function: Callable[[Order], list[Product]] = getattr(module, operation)
    try:
        return function(Order(**order))
    except documents.BROKEN as error:
        raise Refusal("corrupt_input") from error
