"""What every function here is asked for, as one value, and the one way by which a child comes to them.

`LibraryOperator` calls `carry_out` with the name of the function. The module of that is loaded in the child, so that
one that merges does not load what turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from filewright.chassis.sandbox.child import Report

Product = str | list[str]
"""The name of a file in `out/`; or that, and what a caller may call it."""


@dataclass(frozen=True)
class Order:
    """One operation on one or several files."""

    operation: str
    sources: Sequence[str]
    """Paths below the working directory."""
    names: Sequence[str]
    """What the user calls each of them."""
    source_format: str
    target: str
    options: Mapping[str, Any]
    password: str | None
    max_pixels: int
    max_pages: int
    report: Report

    @property
    def source(self) -> str:
        """The first of the files, or the only one."""
        return self.sources[0]


def carry_out(*, called: str, **asked: Any) -> Sequence[Product]:
    """Call `called`, a `module:function`, with the order; it writes into `out/` and gives what it wrote, in order."""
    module, _, name = called.partition(":")
    function: Callable[[Order], Sequence[Product]] = getattr(import_module(module), name)
    return function(Order(**asked))
