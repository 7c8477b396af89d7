"""Convert on this machine, without a server: a workbench for the length of the command."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.verdicts import Verdicts
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.commands.converting.own_fonts import own_pack
from filewright.converter.commands.converting.places import (
    STANDARD,
    Request,
    check_source,
    destinations,
    place,
    read_stdin,
    refuse_to_overwrite,
    write_stdout,
)
from filewright.converter.commands.converting.results import Output, Result
from filewright.converter.commands.converting.typed import typed
from filewright.converter.commands.converting.wishes import Operation, Wishes
from filewright.converter.commands.exits import UsageProblem
from filewright.converter.commands.showing import OnProgress
from filewright.converter.commands.workbench import Workbench, open_workbench
from filewright.converter.conversion.converter import known_target
from filewright.converter.conversion.names import product_names
from filewright.converter.conversion.orders import Assignment, Product
from filewright.converter.engines.font_packs import FontPack, shared_configuration
from filewright.converter.engines.libreoffice_warm import standing
from filewright.converter.engines.plugins.gathering import gather
from filewright.converter.operations.offers import merged
from filewright.converter.operations.orders import Given, OrderedStep, Task
from filewright.converter.settings import Settings, SettingsError, load
from filewright.converter.tiers import LOCAL

_WORTH_WARMING = 8
"""Files from which on LibreOffice in a warm parent takes less time than a start for each."""


class LocalConverter:
    """Converts one source after the other, and does other things with them."""

    def __init__(self, bench: Workbench, jobs_dir: Path, fonts: FontPack | None) -> None:
        self._bench = bench
        self._jobs_dir = jobs_dir
        self._fonts = fonts

    async def convert(self, source: str, request: Request, wishes: Wishes, on_progress: OnProgress) -> Result:
        """Raises what `exits.described` can describe."""
        started = time.monotonic()
        check_source(source)
        with Workspace.create(self._jobs_dir) as workspace:
            given, filename = self._given(source, workspace)
            target = known_target(request.to)
            if not request.to_stdout:
                likely = destinations(request, source, product_names(filename, target, 1))
                refuse_to_overwrite(likely, [source], force=wishes.force)
            assignment = await self._assignment(given, filename, request, wishes)
            converted = await self._bench.converter.convert(
                assignment, workspace=workspace.path, on_progress=on_progress
            )
            outputs = await asyncio.to_thread(_deliver, converted.products, request, [source], force=wishes.force)
            return Result(
                source=source,
                route=[hop.as_json() for hop in converted.route],
                outputs=outputs,
                seconds=time.monotonic() - started,
                fidelity=None if converted.fidelity is None else converted.fidelity.as_json(),
            )

    async def operate(
        self, sources: Sequence[str], operation: Operation, request: Request, wishes: Wishes, on_progress: OnProgress
    ) -> Result:
        """Raises what `exits.described` can describe."""
        started = time.monotonic()
        for source in sources:
            check_source(source)
        if request.file is not None:
            refuse_to_overwrite([request.file], sources, force=wishes.force)
        options = typed(wishes.settings, merged(self._bench.operations.offers.abilities(operation.name)))
        with Workspace.create(self._jobs_dir) as workspace:
            given = tuple(Given(*self._given(source, workspace), wishes.from_format) for source in sources)
            step = OrderedStep(operation.name, operation.to, options)
            task = Task(given, (step,), LOCAL, wishes.password, fonts=self._fonts)
            converted = await self._bench.operations.carry_out(task, workspace=workspace.path, on_progress=on_progress)
            outputs = await asyncio.to_thread(_deliver, converted.products, request, sources, force=wishes.force)
            return Result(
                source=sources[0],
                route=[hop.as_json() for hop in converted.route],
                outputs=outputs,
                seconds=time.monotonic() - started,
                fidelity=None if converted.fidelity is None else converted.fidelity.as_json(),
            )

    def _given(self, source: str, workspace: Workspace) -> tuple[Path, str]:
        if source != STANDARD:
            return Path(source), Path(source).name
        into = workspace.path / "stdin"
        read_stdin(into)
        return into, ""

    async def _assignment(self, given: Path, filename: str, request: Request, wishes: Wishes) -> Assignment:
        options = await self._options(given, filename, request, wishes)
        return Assignment(
            source=given,
            filename=filename,
            target_format=request.to,
            tier=LOCAL,
            source_format=wishes.from_format,
            options=options,
            password=wishes.password,
            fonts=self._fonts,
        )

    async def _options(self, given: Path, filename: str, request: Request, wishes: Wishes) -> Mapping[str, object]:
        """Typed by the schema of the route that will be taken; unknown ones stay text, and are refused later."""
        if not wishes.settings:
            return {}
        inspection = await self._bench.converter.inspect(
            given, filename, tier=LOCAL, from_format=wishes.from_format, password=wishes.password
        )
        schemas = self._bench.converter.schemas(inspection.format, request.to)
        return typed(wishes.settings, schemas)


@contextlib.asynccontextmanager
async def open_local(sources: int, fonts: Sequence[Path] = ()) -> AsyncIterator[LocalConverter]:
    """A workbench for so many files in a private temporary directory, which is gone afterwards.

    Raises UsageProblem, and what a font among `fonts` is refused for.
    """
    with tempfile.TemporaryDirectory(prefix="filewright-") as directory:
        jobs_dir = Path(directory)
        settings = _settings()
        engines = gather(settings.engines_dir).engines
        minimum = SandboxLevel[settings.sandbox.upper()]
        opening = open_workbench(jobs_dir, minimum, verdicts=_verdicts(), fonts=settings.fonts, engines=engines)
        async with opening as bench:
            if sources < _WORTH_WARMING or settings.office == "cold":
                standing(bench.sandbox).keep_cold("it is not worth while for a few files")
            shared = None if settings.fonts is None else shared_configuration(jobs_dir)
            pack = await own_pack(fonts, bench.sandbox, jobs_dir, shared) if fonts else None
            yield LocalConverter(bench, jobs_dir, pack)


def _verdicts() -> Verdicts | None:
    """In the user's own cache; none for a user without a home."""
    with contextlib.suppress(RuntimeError):
        return Verdicts(Path("~/.cache/filewright").expanduser())
    return None


def _settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        raise UsageProblem(str(error)) from None


def _deliver(products: tuple[Product, ...], request: Request, sources: Sequence[str], *, force: bool) -> list[Output]:
    if request.to_stdout:
        if len(products) > 1:
            raise UsageProblem(f"The result is {len(products)} files. Name a directory as the destination.")
        write_stdout(products[0].path)
        return [_output(products[0], STANDARD)]
    places = destinations(request, sources[0], [product.name for product in products])
    refuse_to_overwrite(places, sources, force=force)
    place([product.path for product in products], places, force=force)
    return [_output(product, str(where)) for product, where in zip(products, places, strict=True)]


def _output(product: Product, path: str) -> Output:
    facts = {"pages": product.pages, "width": product.width, "height": product.height, "duration": product.duration}
    return Output(
        path=path,
        media_type=product.media_type,
        bytes=product.bytes,
        sha256=product.sha256,
        facts={name: value for name, value in facts.items() if value is not None},
    )
