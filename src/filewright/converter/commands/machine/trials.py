"""Try an engine on a sample, as its author should before anybody else does.

Every conversion that takes the sample is tried with its defaults and at the ends of each option, in the real sandbox
and through the checks that jobs go through.

What the program said is kept here, which a job never shows to strangers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filewright.chassis.errors import ProblemError
from filewright.chassis.sandbox.port import Command, Outcome, Program, Sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Product
from filewright.converter.engines.port import Availability, Conversion, Engine, Work
from filewright.converter.engines.registry import Registry
from filewright.converter.errors import EngineError, InputError, LimitError, Timeout
from filewright.converter.tiers import LOCAL

_SECONDS = 60.0
_SAID_LINES = 5
_SAID_LENGTH = 200
_MANY_VALUES = 8


@dataclass(frozen=True)
class Trial:
    """How one try ended."""

    what: str
    """The conversion and its options, or what was done to the sample."""
    ok: bool
    told: str
    """What was made, or what went wrong."""
    command: str = ""
    said: Sequence[str] = ()
    """The last that the program wrote, when something went wrong."""

    def as_json(self) -> Mapping[str, Any]:
        return {"what": self.what, "ok": self.ok, "told": self.told, "command": self.command, "said": list(self.said)}


async def tried(
    engine: Engine, sample: Path, source: str, *, target: str | None, sandbox: Sandbox, jobs_dir: Path
) -> AsyncIterator[Trial]:
    """Every try, as it ends. `source` is the sample's format; `target` narrows it to one."""
    for conversion in engine.conversions:
        if conversion.source != source or target not in {None, conversion.target}:
            continue
        bench = _Bench(engine, conversion, sandbox, jobs_dir)
        for options in _worth_trying(conversion):
            yield await bench.try_whole(sample, options)
        yield await bench.try_cut(sample)


class _Bench:
    """Tries one conversion, and nothing that another engine could help out with."""

    def __init__(self, engine: Engine, conversion: Conversion, sandbox: Sandbox, jobs_dir: Path) -> None:
        self._conversion = conversion
        self._heard = _Overheard(sandbox)
        self._converter = Converter(Registry([_Only(engine, conversion)]), self._heard)
        self._jobs_dir = jobs_dir

    async def try_whole(self, sample: Path, options: Mapping[str, Any]) -> Trial:
        said = " ".join(f"{name}={value}" for name, value in options.items())
        what = f"{self._conversion.source} to {self._conversion.target} {said}".strip()
        try:
            made = await self._convert(sample, options)
        except ProblemError as error:
            return self._failed(what, error)
        return Trial(what, ok=True, told=made, command=self._heard.command)

    async def try_cut(self, sample: Path) -> Trial:
        """Half a file has to end in an error of the file's or in something that can be read, and soon."""
        what = f"{self._conversion.source} to {self._conversion.target}, cut off in the middle"
        with Workspace.create(self._jobs_dir) as workspace:
            cut = workspace.path / f"cut{sample.suffix}"
            await asyncio.to_thread(_halve, sample, cut)
            try:
                made = await self._convert(cut, {})
            except Timeout as error:
                return self._failed(what, error)
            except (InputError, LimitError) as error:
                return Trial(what, ok=True, told=f"refused: {error.code}", command=self._heard.command)
            except EngineError as error:
                return self._failed(what, error, hint="; if the exit status says so, put it under `exits`")
        return Trial(what, ok=True, told=f"read as far as it goes: {made}", command=self._heard.command)

    async def _convert(self, sample: Path, options: Mapping[str, Any]) -> str:
        self._heard.forget()
        tier = replace(LOCAL, max_wall_seconds=_SECONDS)
        conversion = self._conversion
        order = Assignment(sample, sample.name, conversion.target, tier, conversion.source, options)
        with Workspace.create(self._jobs_dir) as workspace:
            done = await self._converter.convert(order, workspace=workspace.path)
            return f"{_described(done.products)}, {done.seconds:.2f} s"

    def _failed(self, what: str, error: ProblemError, hint: str = "") -> Trial:
        told = f"{error.detail} [{error.code}{self._heard.ending}]{hint}"
        return Trial(what, ok=False, told=told, command=self._heard.command, said=self._heard.said)


class _Only:
    """One conversion of an engine."""

    def __init__(self, engine: Engine, conversion: Conversion) -> None:
        self.name = engine.name
        self.conversions: Sequence[Conversion] = (conversion,)
        self._engine = engine

    def check(self) -> Availability:
        return self._engine.check()

    async def convert(self, work: Work) -> Sequence[Path]:
        return await self._engine.convert(work)


class _Overheard:
    """A sandbox that remembers the last command and what it said."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.level = sandbox.level
        self._sandbox = sandbox
        self.forget()

    def forget(self) -> None:
        self.command, self.ending = "", ""
        self.said: Sequence[str] = ()

    async def run(self, program: Program, **terms: Any) -> Outcome:
        outcome = await self._sandbox.run(program, **terms)
        if isinstance(program, Command):
            self.command = " ".join(map(repr, program.argv))
            self.ending = f", {outcome.ending}" + (f" {outcome.exit_code}" if outcome.exit_code else "")
            self.said = _last_lines(outcome.untrusted_stderr or outcome.untrusted_stdout)
        return outcome

    async def close(self) -> None:
        await self._sandbox.close()


def _worth_trying(conversion: Conversion) -> Iterator[Mapping[str, Any]]:
    """The defaults; then each option alone, at its ends."""
    yield {}
    for name, schema in conversion.options.items():
        for value in _ends(schema):
            if value != schema.get("default"):
                yield {name: value}


def _halve(sample: Path, into: Path) -> None:
    whole = sample.read_bytes()
    into.write_bytes(whole[: len(whole) // 2])


def _ends(schema: Mapping[str, Any]) -> Sequence[Any]:
    if schema.get("type") == "boolean":
        return (True, False)
    if "enum" in schema:
        return tuple(schema["enum"])[:_MANY_VALUES]
    return tuple(schema[name] for name in ("minimum", "maximum") if name in schema)


def _described(products: Sequence[Product]) -> str:
    first = products[0]
    facts = {"pages": first.pages, "width": first.width, "height": first.height, "seconds": first.duration}
    words = [f"{name} {value:g}" for name, value in facts.items() if value is not None]
    several = [f"{len(products)} files"] if len(products) > 1 else []
    return ", ".join([*several, f"{sum(product.bytes for product in products):,} bytes", *words])


def _last_lines(said: bytes) -> Sequence[str]:
    lines = said.decode("utf-8", "replace").splitlines()[-_SAID_LINES:]
    return ["".join(c for c in line if c.isprintable())[:_SAID_LENGTH] for line in lines]
