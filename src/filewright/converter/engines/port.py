"""What an engine is: it declares conversions as data, and carries one out on one file in one sandbox.

An engine knows nothing of jobs, callers or storage. It gets a `Work` and gives back the files it made. It raises
exactly these, all from `converter.errors`:

* an `InputError` (corrupt, password, unsupported inside): the caller must bring another file; never retried;
* a `LimitError` (pages, pixels, bomb, time, memory): less work or a higher limit helps; never retried;
* `EngineCrashed`: may be retried, and counts towards quarantine;
* `OutputInvalid`: it ran, but what it made is not what was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

from filewright.chassis.sandbox.port import Command, Ending, Limits, Outcome, Program, PythonCall, Sandbox, WarmParent
from filewright.converter.engines.font_packs import FontPack
from filewright.converter.errors import (
    Cancelled,
    EngineCrashed,
    InputError,
    LimitError,
    OutputInvalid,
    ResourceLimit,
    Timeout,
    UnsupportedConversion,
    conversion_errors,
)

FormatId = str
"""A key of `formats.catalogue.FORMATS`, such as `docx`."""


class Loss(IntEnum):
    """What a conversion takes from a document that a person would miss."""

    NONE = 0
    """Nothing: the source could be made again (png to webp lossless, csv to parquet)."""
    SMALL = 1
    """Layout stays; fine points may go (docx to pdf, jpg to webp)."""
    LARGE = 2
    """Content stays; layout goes (docx to md, pdf to docx)."""
    MOST = 3
    """A part is taken out (pdf to txt, video to audio, document to picture). Nothing follows it in a route."""


@dataclass(frozen=True)
class Conversion:
    """One ability: an edge of the graph that routes are found in."""

    source: FormatId
    target: FormatId
    cost: int
    """CPU milliseconds for a typical small file; measured, or a neighbour's. The order matters, not the digit."""
    loss: Loss = Loss.SMALL
    many: bool = False
    """It may make several files (pages, members). Only the last step of a route may."""
    facsimile: bool = False
    """Its product shows pages as they looked, of pieces that are pinned to their places. Good to look at, and nothing
    to make a text of; only the last step of a route may."""
    rebuilds: bool = False
    """It rebuilds a document from how its pages look. The layout that it loses is lost once, so a later step may drop
    what is left of it."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON Schema of each option, by name, with `description` and `default`. Nothing else reaches the engine."""


@dataclass(frozen=True)
class Availability:
    """Whether an engine can run here. `install` is the line that would mend it."""

    available: bool
    version: str = ""
    missing: str = ""
    install: str = ""


@dataclass(frozen=True)
class Work:
    """One conversion of one file, with all that it may use."""

    source: Path
    """The input, named by us (`in/input.docx`), inside `workspace`. Never what the user called it."""
    workspace: Path
    """A private directory; `out/` is empty and takes the products, `tmp/` is scratch."""
    conversion: Conversion
    sandbox: Sandbox
    limits: Limits
    options: Mapping[str, Any] = field(default_factory=dict)
    """Checked against the conversion's schema, defaults filled in."""
    password: str | None = None
    on_progress: Callable[[float], None] = lambda _: None
    cancel: asyncio.Event | None = None
    max_pixels: int = 200_000_000
    max_pages: int = 5_000
    party: str = ""
    """Whose file it is: what outlives a conversion never sees files of two parties."""
    fonts: FontPack | None = None
    """That party's own."""

    @property
    def out(self) -> Path:
        """Where products go: `out/output.<ext>`, or `out/output-0001.<ext>` and on when there are many."""
        return self.workspace / "out"

    @property
    def target(self) -> Path:
        """The usual name of a single product."""
        return self.out / f"output.{self.conversion.target}"

    def inside(self, path: Path) -> str:
        """`path` relative to the workspace, as a program in the sandbox should be given it."""
        return str(path.relative_to(self.workspace))

    async def run(self, program: Program, *, on_line: Callable[[bytes], None] | None = None) -> Outcome:
        """Run in the sandbox; returns only when the program ended by itself (`completed` or `failed`).

        Every other ending becomes the error a caller would see: EngineCrashed, Timeout, ResourceLimit, Cancelled.
        """
        outcome = await self.sandbox.run(
            program if self.fonts is None else self.fonts.lent_to(program),
            workspace=self.workspace,
            limits=self.limits,
            on_line=on_line,
            on_progress=self.on_progress,
            cancel=self.cancel,
        )
        raise_for(outcome.ending)
        return outcome

    async def command(self, *argv: str, on_line: Callable[[bytes], None] | None = None, **more: Any) -> Outcome:
        """`run(Command(argv, **more))`."""
        return await self.run(Command(argv, **more), on_line=on_line)

    async def python(self, function: str, *, warm: tuple[str, ...] | WarmParent = (), **arguments: Any) -> Any:
        """Call a function of ours in the sandbox and give back what it returned.

        A `Refusal(code)` becomes the error of that code, when it is one that an engine may raise; any other exception
        in the child becomes EngineCrashed.
        """
        outcome = await self.run(PythonCall(function, arguments, warm))
        if outcome.ending is Ending.COMPLETED:
            return outcome.untrusted_value
        raise refusal_error(outcome.refusal)


class Engine(Protocol):
    """The port. Engines are stateless and listed in `standard.py`."""

    @property
    def name(self) -> str:
        """As shown in routes: `libreoffice`, `pandoc`, `pillow`."""
        ...

    @property
    def conversions(self) -> Sequence[Conversion]:
        """What it can do, as data."""
        ...

    def check(self) -> Availability:
        """Look whether all that the engine needs is installed; fast (no heavy import), may be called often."""
        ...

    async def convert(self, work: Work) -> Sequence[Path]:
        """Carry the conversion out; the products, in reading order, all inside `work.out`, at least one."""
        ...


def refusal_error(code: str | None) -> Exception:
    """The error for a code that came out of the sandbox; a code that no engine may give is a crash."""
    kind = conversion_errors().get(code or "")
    if kind is UnsupportedConversion:  # or its title would deny the way that was just taken
        return kind("What is in this file has no place in that format. Try another one.")
    if kind is not None and issubclass(kind, (InputError, LimitError, OutputInvalid)):
        return kind()
    return EngineCrashed()


def raise_for(ending: Ending) -> None:
    """The error that a caller would see; nothing for a program that ended by itself."""
    error = _ENDINGS.get(ending)
    if error is not None:
        raise error()


_ENDINGS: Mapping[Ending, type[Exception]] = {
    Ending.CRASHED: EngineCrashed,
    Ending.WALL_LIMIT: Timeout,
    Ending.IDLE_LIMIT: Timeout,
    Ending.CPU_LIMIT: Timeout,
    Ending.MEMORY_LIMIT: ResourceLimit,
    Ending.WRITE_LIMIT: ResourceLimit,
    Ending.OUTPUT_LIMIT: ResourceLimit,
    Ending.CANCELLED: Cancelled,
}
