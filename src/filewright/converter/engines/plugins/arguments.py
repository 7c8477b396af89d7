"""The arguments of a program, from a template: whole arguments only, and nothing that a shell would ever see.

A placeholder stands for a path that we chose, or for the value of an option that was checked against its schema. What
a user called a file, and a password, can not get into an argument at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from filewright.converter.errors import InvalidOptions

VALUE = "<value>"
PLACES = frozenset({"<input>", "<output>", "<numbered>", "<stem>", "<folder>"})
"""The file to convert; the file to make, or one per page (`output-%04d.png`), or its name without the ending, or only
the folder where it has to be."""
_PLACEHOLDER = re.compile(r"<[a-z]+>")
_EXACT = 1 << 53


@dataclass(frozen=True)
class OptionArguments:
    """Arguments that depend on an option."""

    option: str
    arguments: tuple[str, ...]
    """When it was set; of a boolean, when it is true."""
    otherwise: tuple[str, ...] = ()


Piece = str | OptionArguments


def placeholders(text: str) -> Sequence[str]:
    """All that look like one, known or not."""
    return _PLACEHOLDER.findall(text)


def arguments(pieces: Sequence[Piece], places: Mapping[str, str], options: Mapping[str, Any]) -> tuple[str, ...]:
    """The command line after the program's name. Raises InvalidOptions for a value that no argument should hold."""
    return tuple(argument for piece in pieces for argument in _of(piece, places, options))


def _of(piece: Piece, places: Mapping[str, str], options: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(piece, str):
        yield places.get(piece, piece)
        return
    value = options.get(piece.option)
    if value is None or value is False:
        yield from piece.otherwise
        return
    for text in piece.arguments:
        yield text.removesuffix(VALUE) + written(piece.option, value) if text.endswith(VALUE) else text


def written(name: str, value: Any) -> str:
    """A checked value as a program should read it. What slips through the widest schema is stopped here once more."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value) or abs(value) > _EXACT:
            raise InvalidOptions(f"Option {name}: this number is too large.")
        return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")
    if not isinstance(value, str) or not value.isprintable() or "{work}" in value:
        raise InvalidOptions(f"Option {name}: use printable characters only.")
    return value
