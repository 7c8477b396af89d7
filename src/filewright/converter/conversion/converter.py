"""The way of one file from what it is to what it should be. This is the heart of the product:

    inspect    is it what it says, readable, harmless to read?            inspection.py
    plan       which engines, in which order, with which options?         routing, options.py
    run        each step in a workspace and a sandbox of its own          engines
    check      open every product with a reader that did not make it      checks.py

When an engine crashes, gives something broken or cannot use the password, and another way leads to the same target,
that one is tried, within the same time. What is the file's own fault is never tried twice.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio import to_thread
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from filewright.chassis.clock import Clock, SystemClock
from filewright.chassis.sandbox.port import Sandbox
from filewright.chassis.storage.port import SeenFile
from filewright.chassis.tasks import together
from filewright.converter.conversion import checks
from filewright.converter.conversion.attempt import Attempt, OnProgress, Progress
from filewright.converter.conversion.fidelity import Fidelity, Original, is_measured
from filewright.converter.conversion.inspection import Inspection, inspect
from filewright.converter.conversion.looks import Looks
from filewright.converter.conversion.names import product_names
from filewright.converter.conversion.options import check_options, part_of
from filewright.converter.conversion.orders import UNKNOWN_MEDIA_TYPE, Assignment, Converted, Hop, Plan, Product, Stage
from filewright.converter.engines.port import Work
from filewright.converter.engines.registry import Registry
from filewright.converter.errors import (
    CorruptInput,
    EmptyInput,
    EngineCrashed,
    EngineMissing,
    InvalidOptions,
    OutputInvalid,
    PasswordRequired,
    UnsupportedConversion,
    UnsupportedFormat,
)
from filewright.converter.formats.catalogue import FORMATS, by_name
from filewright.converter.routing.planner import Planner, Route, Step
from filewright.converter.tiers import Tier

_TRIES = 3
"""Routes tried for one file."""
_PROBE_SECONDS = 60.0
_SHARE_OF_STEPS = 0.97
"""Of the progress; the rest is checking."""
_PLANS = 4096
"""That are remembered; a small part of all that there are."""

_MAY_BE_EMPTY = frozenset({"txt", "md", "rst", "adoc", "org", "textile", "mediawiki", "csv", "tsv", "ndjson"})
"""Where a file of no bytes is well-formed, and means that there was nothing to write down."""

OnStage = Callable[[Stage], None]


class Converter:
    """Converts files with the engines that are installed here. One instance serves many conversions at once."""

    def __init__(
        self, registry: Registry, sandbox: Sandbox, *, clock: Clock | None = None, looks: Looks | None = None
    ) -> None:
        self.registry = registry
        """The engines."""
        self.looks = looks or Looks(sandbox)
        """Where products are opened."""
        self._sandbox = sandbox
        self._clock = clock or SystemClock()
        self.planner = Planner(registry.abilities())
        """Over what is installed."""
        self._ideal = Planner(registry.declared())
        self._plan_without = lru_cache(_PLANS)(partial(self._plan, options={}))
        """Most orders have no options, and what is installed stays the same."""

    async def inspect(
        self,
        path: Path,
        filename: str | None,
        *,
        tier: Tier,
        from_format: str | None = None,
        password: str | None = None,
    ) -> Inspection:
        """See `inspection.inspect`; raises the error that a caller should see when the file is no good."""
        return await to_thread(inspect, path, filename, tier=tier, from_format=from_format, password=password)

    def plan(self, source_format: str, target: str, options: Mapping[str, Any] | None = None) -> Plan:
        """How a file of that format would be converted; `target` is a format id, an extension or a media type.

        Raises UnsupportedFormat, UnsupportedConversion, EngineMissing (a way exists, but not installed here) or
        InvalidOptions.
        """
        return self._plan(source_format, target, options) if options else self._plan_without(source_format, target)

    def _plan(self, source_format: str, target: str, options: Mapping[str, Any]) -> Plan:
        route = self._route(source_format, known_target(target), options)
        return Plan(
            source_format=route.source,
            target_format=route.target,
            route=self._hops(route),
            options=check_options(route, options),
            estimated_seconds=round(route.cpu_seconds, 3),
            many=route.many,
        )

    def schemas(self, source_format: str, target: str) -> Mapping[str, Mapping[str, Any]]:
        """JSON Schema of every option that some way from here to there takes, by name."""
        route = self._route(source_format, known_target(target), {})
        direct = [
            conversion.options
            for _, conversion in self.registry.abilities()
            if (conversion.source, conversion.target) == (route.steps[-1].conversion.source, route.target)
        ]
        return {name: schema for options in (*direct, route.options) for name, schema in options.items()}

    async def convert(
        self,
        assignment: Assignment,
        *,
        workspace: Path,
        on_stage: OnStage = lambda _: None,
        on_progress: OnProgress = lambda _: None,
        cancel: asyncio.Event | None = None,
    ) -> Converted:
        """Carry an assignment out; the products lie below `workspace`, which the caller made and removes.

        `on_progress` takes 0..1, never falling, over all steps. Setting `cancel` ends it within a second. Raises a
        ConversionError, or SandboxUnavailable and OSError for what is this machine's fault.
        """
        started = self._clock.monotonic()
        inspection = await self.inspect(
            assignment.source,
            assignment.filename,
            tier=assignment.tier,
            from_format=assignment.source_format,
            password=assignment.password,
        )
        attempt = _Attempt(
            assignment.tier, workspace, cancel, Progress(on_progress), started, self._clock, assignment=assignment
        )
        failed: list[str] = []
        nothing = False
        left_out: list[Step] = []
        while True:
            route = self._route(inspection.format, known_target(assignment.target_format), assignment.options, left_out)
            check_options(route, assignment.options)
            try:
                on_stage(Stage.CONVERTING)
                files = await self._run(attempt, route)
                on_stage(Stage.CHECKING)
                products, fidelity = await self._finish(attempt, route, files)
            except _StepFailed as failure:
                failed.append(failure.step.engine)
                nothing = nothing or (isinstance(failure.error, checks.NothingInIt) and route.target in _MAY_BE_EMPTY)
                left_out.extend(self._not_again(failure))
                if len(failed) >= _TRIES or not self._has_way(inspection.format, assignment, left_out):
                    raise (_nothing_for(route.target) if nothing else failure.error) from None
                continue
            attempt.progress.report(1.0)
            return Converted(
                source_format=inspection.format,
                target_format=route.target,
                route=self._hops(route),
                products=products,
                seconds=round(self._clock.monotonic() - started, 3),
                fallen_back_from=tuple(failed),
                fidelity=fidelity,
            )

    def _not_again(self, failure: _StepFailed) -> Sequence[Step]:
        """The steps not to try any more: of an engine that died or is not there, all, whatever detour leads to it."""
        if not isinstance(failure.error, EngineCrashed | EngineMissing):
            return [failure.step]
        return [
            Step(conversion, engine)
            for engine, conversion in self.registry.abilities()
            if engine == failure.step.engine
        ]

    def _route(self, source: str, target: str, options: Mapping[str, Any], without: Sequence[Step] = ()) -> Route:
        """The cheapest route that knows all the options; when none does, the cheapest, for its error to be told."""
        try:
            first = route = self.planner.cheapest(source, target, without=without)
        except (UnsupportedFormat, UnsupportedConversion):
            if not without:
                self._complain_of_missing(source, target)
            raise
        left_out = list(without)
        while not set(options) <= set(route.options):
            left_out.append(route.steps[-1])
            try:
                route = self.planner.cheapest(source, target, without=left_out)
            except (UnsupportedFormat, UnsupportedConversion):
                return first
        return route

    def _has_way(self, source: str, assignment: Assignment, failed: Sequence[Step]) -> bool:
        try:
            route = self._route(source, known_target(assignment.target_format), assignment.options, failed)
            check_options(route, assignment.options)
        except (UnsupportedFormat, UnsupportedConversion, InvalidOptions):
            return False
        return True

    def _complain_of_missing(self, source: str, target: str) -> None:
        """When the way exists and only an engine is not installed, that is what a person should hear."""
        try:
            route = self._ideal.cheapest(source, target)
        except (UnsupportedFormat, UnsupportedConversion):
            return
        missing = [step.engine for step in route.steps if not self.registry.availability(step.engine).available]
        install = self.registry.availability(missing[0]).install if missing else ""
        raise EngineMissing(
            f"{source} to {target} needs {' and '.join(missing)}, which is not installed here. {install}".strip()
        )

    def _hops(self, route: Route) -> tuple[Hop, ...]:
        return tuple(
            Hop(
                engine=step.engine,
                engine_version=self.registry.version(step.engine),
                source=step.conversion.source,
                target=step.conversion.target,
                lossy=step.lossy,
            )
            for step in route.steps
        )

    async def _run(self, attempt: _Attempt, route: Route) -> Sequence[Path]:
        """All steps; each takes the one product of the step before."""
        sources: Sequence[Path] = [attempt.assignment.source]
        whole, done = sum(step.conversion.cost for step in route.steps) or 1, 0
        for number, step in enumerate(route.steps):
            share = (_SHARE_OF_STEPS * done / whole, _SHARE_OF_STEPS * (done + step.conversion.cost) / whole)
            try:
                sources = await self._run_step(attempt, route, step, sources[0], share)
            except (EngineCrashed, EngineMissing, OutputInvalid) as error:
                raise _StepFailed(step, error) from error
            except PasswordRequired as error:
                if not attempt.assignment.password:
                    raise
                raise _StepFailed(step, error) from error  # this engine cannot use the password; another may
            except (CorruptInput, EmptyInput) as error:
                if number == 0:
                    raise
                raise _StepFailed(route.steps[number - 1], OutputInvalid()) from error
            done += step.conversion.cost
        return sources

    async def _run_step(
        self, attempt: _Attempt, route: Route, step: Step, source: Path, share: tuple[float, float]
    ) -> Sequence[Path]:
        workspace = attempt.next_workspace()
        given = workspace / "in" / f"input.{FORMATS[step.conversion.source].extension}"
        await to_thread(hand_over, source, given, attempt.workspace)
        tier = attempt.assignment.tier
        work = Work(
            source=given,
            workspace=workspace,
            conversion=step.conversion,
            sandbox=self._sandbox,
            limits=attempt.limits(),
            options=part_of(step.conversion, attempt.assignment.options),
            password=attempt.assignment.password if step is route.steps[0] else None,
            on_progress=attempt.progress.part(*share),
            cancel=attempt.cancel,
            max_pixels=tier.max_pixels,
            max_pages=tier.max_pages,
            party=attempt.assignment.party,
            fonts=attempt.assignment.fonts,
        )
        products = await self.registry.engine(step.engine).convert(work)
        await to_thread(checks.check_files, products, work.out, step.conversion.target, max_bytes=tier.max_output_bytes)
        attempt.progress.report(share[1])
        return products

    async def _finish(
        self, attempt: _Attempt, route: Route, files: Sequence[Path]
    ) -> tuple[tuple[Product, ...], Fidelity | None]:
        """Read by two at once: one looks at what it is, the other takes its digest."""
        works: list[Coroutine[Any, Any, Any]] = [self._look(attempt, route, files), to_thread(_seen, files)]
        try:
            (sheets, fidelity), all_seen = await together(works)
        except OutputInvalid as error:
            raise _StepFailed(route.steps[-1], error) from error
        names = product_names(attempt.assignment.filename, route.target, len(files))
        made = zip(files, names, sheets, all_seen, strict=True)
        return tuple(product_of(path, name, route.target, facts, seen) for path, name, facts, seen in made), fidelity

    async def _look(
        self, attempt: _Attempt, route: Route, files: Sequence[Path]
    ) -> tuple[Sequence[checks.Sheet], Fidelity | None]:
        """Open the products, and hold the one of an office document against that document."""
        limits, party = attempt.limits(at_most=_PROBE_SECONDS), attempt.assignment.party
        sight = checks.Sight(self.looks, attempt.current_workspace, limits, party)
        original = None
        if len(files) == 1:  # what has to be linked or copied first, on a thread
            original = attempt.original(route) if len(route.steps) == 1 else await to_thread(attempt.original, route)
        if original is not None:
            return await checks.probe_beside(files, route.target, original, sight)
        return await checks.probe(files, route.target, sight), None


def _nothing_for(target: str) -> EmptyInput:
    return EmptyInput(
        f"There is nothing in the file that {FORMATS[target].name} could hold, such as text or filled cells. If it has "
        "pictures of text, make a searchable PDF of it first."
    )


def known_target(name: str) -> str:
    """The format id that a person means; UnsupportedConversion when there is no such format."""
    found = by_name(name)
    if found is None:
        printable = "".join(c for c in name if c.isprintable())[:32]
        raise UnsupportedConversion(f"There is no format called {printable!r}. `filewright formats` lists them all.")
    return found.id


def hand_over(source: Path, given: Path, workspace: Path) -> None:
    """What is the job's own is linked; a file of the user's is copied, because an engine could write to it."""
    if source.resolve().is_relative_to(workspace.resolve()):
        os.link(source, given)
    else:
        shutil.copyfile(source, given)


def _seen(files: Sequence[Path]) -> Sequence[SeenFile]:
    return [checks.seen(path) for path in files]


def product_of(path: Path, name: str, target: str | None, facts: Mapping[str, float], seen: SeenFile) -> Product:
    """What is told of a finished file. `target`: None for one that nobody recognises."""
    duration = facts.get("duration")
    return Product(
        path=path,
        name=name,
        format=target,
        media_type=FORMATS[target].media_type if target is not None else UNKNOWN_MEDIA_TYPE,
        seen=seen,
        pages=_whole(facts.get("pages")),
        width=_whole(facts.get("width")),
        height=_whole(facts.get("height")),
        duration=float(duration) if duration is not None else None,
    )


def _whole(number: float | None) -> int | None:
    return int(number) if number is not None else None


class _StepFailed(Exception):
    """An engine, not the file, is at fault: another route may do."""

    def __init__(self, step: Step, error: EngineCrashed | EngineMissing | OutputInvalid | PasswordRequired) -> None:
        self.step = step
        self.error = error
        super().__init__(step.engine)


@dataclass
class _Attempt(Attempt):
    """One file's way."""

    assignment: Assignment = field(kw_only=True)

    def original(self, route: Route) -> Original | None:
        """What the product can be held against, in the workspace of the last step."""
        assignment = self.assignment
        size = assignment.source.stat().st_size
        if assignment.password or not is_measured(route.source, route.target, assignment.options, size=size):
            return None
        folder, extension = self.current_workspace / "in", FORMATS[route.source].extension
        names = {} if assignment.fonts is None else assignment.fonts.names
        if len(route.steps) == 1:
            return Original(folder / f"input.{extension}", route.source, names)
        hand_over(assignment.source, folder / f"original.{extension}", self.workspace)
        return Original(folder / f"original.{extension}", route.source, names)
