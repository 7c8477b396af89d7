"""What holds for every source of one command, and who carries it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from filewright.converter.commands.converting.places import Request
from filewright.converter.commands.converting.results import Result
from filewright.converter.commands.showing import OnProgress


@dataclass(frozen=True)
class Wishes:
    """The options of the command."""

    settings: Mapping[str, str]
    from_format: str | None
    password: str | None = field(repr=False)
    force: bool


class SourceConverter(Protocol):
    """Converts one source after the other; this machine or a server."""

    async def convert(self, source: str, request: Request, wishes: Wishes, on_progress: OnProgress) -> Result:
        """Results are in their places when this returns. Raises what `exits.described` can describe."""
        ...


@dataclass(frozen=True)
class Operation:
    """What is to be done with the files."""

    name: str
    to: str | None = None


class SourceOperator(Protocol):
    """Does one operation after the other; this machine or a server."""

    async def operate(
        self, sources: Sequence[str], operation: Operation, request: Request, wishes: Wishes, on_progress: OnProgress
    ) -> Result:
        """With these files together. Results are in their places when this returns. Raises as `convert` does."""
        ...
