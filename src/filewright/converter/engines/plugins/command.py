"""An engine that is one command line, as an engine file describes it.

Runs in the same sandbox as every other engine, and what it leaves is checked like theirs.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from filewright.chassis.sandbox.asking import ask
from filewright.chassis.sandbox.port import Command, Ending, Outcome
from filewright.chassis.sandbox.system import is_readable, search_path
from filewright.converter.engines.installed import package_version
from filewright.converter.engines.plugins.arguments import Piece, arguments
from filewright.converter.engines.port import Availability, Conversion, Work
from filewright.converter.errors import ConversionError, OutputInvalid, conversion_errors

_MAX_STDOUT = 64 << 20
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Way:
    """How one conversion is done."""

    pieces: Sequence[Piece]
    to_stdout: bool = False


@dataclass(frozen=True)
class VersionQuestion:
    """How the program is asked for its version, and where in the answer that stands."""

    arguments: tuple[str, ...]
    pattern: str


@dataclass(frozen=True)
class CommandEngine:
    """A program, and its arguments for each pair of formats."""

    name: str
    origin: str
    """The file that describes it."""
    program: str
    package: str | None
    install: str
    ways: Sequence[tuple[Conversion, Way]]
    question: VersionQuestion | None = None
    readable: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    exits: Mapping[int, str] = field(default_factory=dict)
    """What an exit status says of the file, as a code of `converter.errors`."""

    @property
    def conversions(self) -> Sequence[Conversion]:
        return tuple(conversion for conversion, _ in self.ways)

    def check(self) -> Availability:
        found = shutil.which(self.program, path=search_path())
        if found is None:
            return Availability(available=False, missing=self.program, install=self.install)
        return Availability(available=True, version=self._version(found))

    async def convert(self, work: Work) -> Sequence[Path]:
        way = next(way for conversion, way in self.ways if conversion == work.conversion)
        outcome = await self._run(work, way)
        if outcome.ending is not Ending.COMPLETED:
            raise self._meaning(outcome)
        if way.to_stdout:
            work.target.write_bytes(outcome.untrusted_stdout)
            return [work.target]
        return _products(work)

    async def _run(self, work: Work, way: Way) -> Outcome:
        line = arguments(way.pieces, _places(work), work.options)
        command = Command((self.program, *line), env=self.environment, readable=self._readable())
        if way.to_stdout:
            limits = replace(work.limits, output_bytes=min(_MAX_STDOUT, work.limits.write_bytes))
            work = replace(work, limits=limits)
        return await work.run(command)

    def _readable(self) -> tuple[Path, ...]:
        """A program that was named by its path may at least be read itself."""
        wanted = (*self.readable, Path(self.program)) if "/" in self.program else self.readable
        return tuple(path for path in wanted if not is_readable(path))

    def _version(self, program: str) -> str:
        """What it says itself; else what the package manager has down for it."""
        if self.question is not None:
            said = ask((program, *self.question.arguments), readable=self._readable())
            match = re.search(self.question.pattern, said)
            if match is not None:
                return match[1][:40]
        return package_version(self.package) if self.package is not None else ""

    def _meaning(self, outcome: Outcome) -> ConversionError:
        """An exit status that the file says nothing of is no verdict about the input: another way may still do."""
        code = self.exits.get(outcome.exit_code or 0)
        return conversion_errors()[code]() if code is not None else OutputInvalid()


def _places(work: Work) -> Mapping[str, str]:
    out, target = work.inside(work.out), work.conversion.target
    return {
        "<input>": work.inside(work.source),
        "<output>": work.inside(work.target),
        "<numbered>": f"{out}/output-%04d.{target}",
        "<stem>": f"{out}/output",
        "<folder>": out,
    }


def _products(work: Work) -> Sequence[Path]:
    """What lies in `out/`, in the order in which a person would count it. A single one may be called anything."""
    made = sorted(work.out.iterdir(), key=_counted)
    if work.conversion.many:
        return made
    if work.target in made:
        return [work.target]
    if len(made) != 1:
        raise OutputInvalid("The conversion ended without a result." if not made else None)
    return [made[0].rename(work.target)]


def _counted(path: Path) -> list[tuple[int, str]]:
    """`page-10` after `page-9`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(path.name)]
