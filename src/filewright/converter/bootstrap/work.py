"""What converts: the sandbox, the scanner before it, and the slots that run jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from filewright.chassis.clock import Clock
from filewright.chassis.queue.port import LANES
from filewright.chassis.sandbox.port import Sandbox, SandboxLevel
from filewright.chassis.sandbox.runner import open_sandbox
from filewright.chassis.sandbox.workspace import Workspace, sweep
from filewright.chassis.scanning.address import parse_addresses
from filewright.chassis.scanning.nothing import NoScanner
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.scanning.several import ClamdPool
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.bootstrap.features import Features
from filewright.converter.bootstrap.platform import Platform
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.looks import Looks
from filewright.converter.engines.font_packs import read_fonts, with_fonts
from filewright.converter.engines.libreoffice_installation import installation
from filewright.converter.engines.libreoffice_warm import Rules, standing, try_warm
from filewright.converter.engines.plugins.gathering import gather
from filewright.converter.engines.registry import Registry
from filewright.converter.fonts.packs import Packs
from filewright.converter.jobs.running.lease import LeaseRules
from filewright.converter.jobs.running.readiness import Readiness
from filewright.converter.jobs.running.runner import JobRunner
from filewright.converter.jobs.running.worker import Worker, WorkerRules
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.operations.chains import Operations
from filewright.converter.operations.registry import Operators
from filewright.converter.operations.standard import standard_operators
from filewright.converter.settings import Settings, SettingsError

log = get_logger(__name__)
_LEVELS = {level.name.lower(): level for level in SandboxLevel}


MakeConverter = Callable[[Sandbox, Clock], Converter]
"""What each process is given to convert with, or to plan with where it runs no engine, instead of what is installed."""


def operations_on(on: Platform, converter: Converter, sandbox: Sandbox) -> Operations:
    """Everything else that can be done with files here."""
    return Operations(Operators(standard_operators()), converter, sandbox, clock=on.clock)


def converter_on(on: Platform, sandbox: Sandbox, make: MakeConverter | None, looks: Looks | None = None) -> Converter:
    """Drives every engine that is installed here. Raises SettingsError for a broken plug-in, if it is to be strict."""
    if make is not None:
        return make(sandbox, on.clock)
    found = gather(on.settings.engines_dir)
    if found.problems and on.settings.engines_strict:
        raise SettingsError("\n".join(["FILEWRIGHT_ENGINES_STRICT: mend these engines", *map(str, found.problems)]))
    for problem in found.problems:
        log.warning("engine_left_out", problem=str(problem))
    return Converter(Registry(found.engines), sandbox, clock=on.clock, looks=looks)


@asynccontextmanager
async def opened_looks(on: Platform, sandbox: Sandbox) -> AsyncIterator[Looks]:
    """Where the products of jobs are opened; within the sandbox's time."""
    looks = Looks(sandbox, on.jobs_dir, products=on.settings.look_products)
    try:
        yield looks
    finally:
        await looks.close()


@asynccontextmanager
async def opened_sandbox(on: Platform) -> AsyncIterator[Sandbox]:
    sweep(on.jobs_dir)
    fonts = on.settings.fonts
    common = with_fonts(fonts, on.jobs_dir)
    sandbox = await open_sandbox(jobs_dir=on.jobs_dir, minimum=_LEVELS[on.settings.sandbox], common=common)
    try:
        if fonts is not None:
            await read_fonts(sandbox, on.jobs_dir)
        await _prepare_office(on, sandbox)
        yield sandbox
    finally:
        await standing(sandbox).close()
        await sandbox.close()


@asynccontextmanager
async def opened_packs(on: Platform, sandbox: Sandbox, scanner: Scanner) -> AsyncIterator[Packs]:
    """Fonts of tenants, where jobs run; within the sandbox's time."""
    files = Artifacts(on.database, on.store, on.ids)
    packs = Packs(on.database, files, sandbox, scanner, on.jobs_dir, operators=on.settings.fonts is not None)
    try:
        yield packs
    finally:
        await packs.close()


async def _prepare_office(on: Platform, sandbox: Sandbox) -> None:
    """By default LibreOffice is warmed when its third document comes: until then it costs no memory."""
    now = standing(sandbox)
    now.rules, now.is_missing = office_rules(on.settings, on.jobs_dir), installation() is None
    if on.settings.office == "cold":
        now.keep_cold("FILEWRIGHT_OFFICE asks for it")
    elif on.settings.office == "ready":
        with Workspace.create(on.jobs_dir) as workspace:
            await try_warm(sandbox, workspace.tmp)


def office_rules(settings: Settings, jobs_dir: Path) -> Rules:
    """Which ways to run LibreOffice these settings allow."""
    return Rules(
        fork=settings.office != "daemon",
        daemon=settings.office != "fork",
        documents=settings.office_documents,
        jobs_dir=jobs_dir.resolve(),
    )


def scanner_on(on: Platform) -> Scanner:
    """What looks at files before they are opened. To convert without any is the operator's choice, and is said."""
    found = scanner_of(on.settings, on.clock, on.metrics)
    if not found.active:
        log.info("files_are_not_scanned", hint="FILEWRIGHT_CLAMD_URL=unix:///run/clamav/clamd.ctl")
    return found


def scanner_of(settings: Settings, clock: Clock, metrics: Metrics) -> Scanner:
    """The scanner that these settings name."""
    if settings.clamd_url is None or settings.scanning == "off":
        return NoScanner()
    return ClamdPool(parse_addresses(settings.clamd_url), clock, metrics)


def worker_on(
    on: Platform,
    converter: Converter,
    operations: Operations,
    features: Features,
    scanner: Scanner,
    packs: Packs,
    lanes: Sequence[str] = LANES,
) -> Worker:
    runner = JobRunner(
        database=on.database,
        store=on.store,
        files=features.artifacts,
        converter=converter,
        operations=operations,
        notifier=on.notifier,
        ids=on.ids,
        clock=on.clock,
        sealer=Sealer(on.secret),
        jobs_dir=on.jobs_dir,
        instance=on.ids.new("wrk"),
        metrics=on.metrics,
        watch=on.watch,
        rules=_lease_rules(on.settings.lease_seconds),
        scanner=scanner,
        paces=features.paces,
        fonts=packs,
    )
    return Worker(
        runner,
        on.queue,
        clock=on.clock,
        metrics=on.metrics,
        rules=WorkerRules(slots=on.settings.slots, lanes=lanes),
        may_claim=Readiness(on.store, on.jobs_dir, on.clock, scanner=scanner),
    )


def _lease_rules(seconds: float) -> LeaseRules:
    return LeaseRules(lease=seconds, heartbeat=seconds / 6, margin=seconds / 3, patience=seconds / 2)
