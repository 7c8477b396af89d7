"""What holds for every source of one command, and who carries it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

import typer

from filewright.converter.commands.converting.places import Request
from filewright.converter.commands.converting.results import Result
from filewright.converter.commands.exits import UsageProblem
from filewright.converter.commands.showing import OnProgress

ApiKey = Annotated[
    str | None,
    typer.Option(metavar="KEY", envvar="FILEWRIGHT_API_KEY", help="Your key, for a server where people have accounts."),
]
OwnFonts = Annotated[
    list[Path] | None,
    typer.Option(
        "--fonts", metavar="PATH", help="A font, or a folder of fonts, that documents may ask for. Repeatable."
    ),
]


@dataclass(frozen=True)
class Workplace:
    """Where the work is done: on this machine, with fonts of one's own beside those that it has, or on a server.

    Raises UsageProblem for a server and fonts: those have to be there already.
    """

    remote: str | None
    key: str | None = field(repr=False)
    fonts: tuple[Path, ...]

    def __post_init__(self) -> None:
        if self.remote is not None and self.fonts:
            raise UsageProblem(
                "--fonts is for work on this machine. "
                f"`filewright fonts add FILE --remote {self.remote}` brings a font to the server."
            )


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
