"""What `filewright doctor` asks of a machine, part by part, as it is printed with `--json`."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filewright.converter.commands.machine.installed import gathered

if TYPE_CHECKING:
    from filewright.chassis.sandbox.port import Sandbox
    from filewright.converter.engines.registry import Diagnosis


def findings() -> dict[str, Any]:
    """All of it, found now."""
    return {
        **_engines(),
        "operators": operators(),
        "sandbox": asyncio.run(_sandbox()),
        "database": asyncio.run(_database()),
        "scanner": asyncio.run(_scanner()),
        "fonts": _fonts(),
    }


def _engines() -> dict[str, Any]:
    from filewright.converter.engines.registry import Registry  # noqa: PLC0415 - keeps --help quick

    all_of_them = gathered()
    return {
        "engines": [
            {
                **_standing(found),
                "conversions": found.conversions,
                **({"origin": found.origin} if found.origin else {}),
            }
            for found in Registry(all_of_them.engines).diagnose()
        ],
        "engines_left_out": [{"where": one.where, "line": one.line, "what": one.what} for one in all_of_them.problems],
    }


def operators() -> list[dict[str, Any]]:
    """What does everything beside converting, and the operations that are missing where it is."""
    from filewright.converter.operations.registry import Operators  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.operations.standard import standard_operators  # noqa: PLC0415

    installed = Operators(standard_operators())
    done = {
        operator.name: list(dict.fromkeys(ability.operation for ability in operator.abilities))
        for operator in standard_operators()
    }
    return [{**_standing(found), "operations": done[found.engine]} for found in installed.diagnose()]


def _standing(found: Diagnosis) -> dict[str, Any]:
    return {
        "name": found.engine,
        "available": found.available,
        "version": found.version,
        "missing": found.missing,
        "install": found.install,
    }


async def _sandbox() -> dict[str, Any]:
    """The level that was proven to work here, each probe of its self-test, and why a stronger one did not."""
    from filewright.chassis.sandbox.port import SandboxLevel, SandboxUnavailable  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.commands.workbench import open_workbench  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="filewright-") as directory:
        try:
            async with open_workbench(Path(directory), SandboxLevel.LIMITED) as bench:
                report = bench.sandbox.report
                office = await _office(bench.sandbox, Path(directory))
        except SandboxUnavailable as error:
            reasons = {"limited": str(error)}
            return {"level": None, "reasons": reasons, "probes": [], "notes": [], "office": {"way": "none"}}
    return {
        "level": report.level.name.lower(),
        "reasons": dict(report.passed_over),
        "probes": [{"name": probe.name, "held": probe.held, "detail": probe.detail} for probe in report.probes],
        "notes": list(report.notes),
        "office": office,
    }


async def _office(sandbox: Sandbox, jobs_dir: Path) -> Mapping[str, str]:
    """How LibreOffice would be run here, tried now."""
    from filewright.chassis.sandbox.workspace import Workspace  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.bootstrap.work import office_rules  # noqa: PLC0415
    from filewright.converter.engines.libreoffice_warm import standing, try_warm  # noqa: PLC0415
    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415

    now = standing(sandbox)
    with contextlib.suppress(SettingsError):
        settings = load()
        if settings.office == "cold":
            return {"way": "cold", "reason": "FILEWRIGHT_OFFICE asks for it"}
        now.rules = office_rules(settings, jobs_dir)
    try:
        with Workspace.create(jobs_dir) as workspace:
            return (await try_warm(sandbox, workspace.tmp)).facts()
    finally:
        await now.close()


async def _database() -> dict[str, Any]:
    """What the settings name, and whether the connections of all processes fit into it."""
    from filewright.chassis.db.database import DatabaseUnavailable  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.bootstrap import database_facts  # noqa: PLC0415
    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415

    try:
        return await database_facts(load())
    except SettingsError as error:
        return {"kind": "unusable", "problem": str(error)}
    except DatabaseUnavailable as error:
        return {"kind": "unreachable", "problem": error.title}


async def _scanner() -> dict[str, Any]:
    """What looks for viruses, each daemon asked now."""
    from filewright.chassis.clock import SystemClock  # noqa: PLC0415 - keeps --help quick
    from filewright.chassis.telemetry.logs import configure_logs  # noqa: PLC0415
    from filewright.chassis.telemetry.metrics import Metrics  # noqa: PLC0415
    from filewright.converter.bootstrap import scanner_of  # noqa: PLC0415
    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415

    try:
        scanner = scanner_of(load(), SystemClock(), Metrics())
    except SettingsError as error:
        return {"kind": "unusable", "note": str(error), "scanners": []}
    configure_logs("console", "CRITICAL")  # what is wrong is shown with the rest
    await scanner.usable()
    return {"scanners": [], **scanner.facts()}


def _fonts() -> dict[str, Any]:
    """The operator's own folder, and what the system lacks of the fonts that stand in for the usual ones."""
    from filewright.converter.engines.font_packs import SYSTEM_FOLDERS, missing_stand_ins  # noqa: PLC0415
    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415 - keeps --help quick

    folder = None
    with contextlib.suppress(SettingsError):
        folder = load().fonts
    missing = missing_stand_ins([*SYSTEM_FOLDERS, *([] if folder is None else [folder])])
    return {
        "folder": None if folder is None else str(folder),
        "missing": [
            {"name": font.name, "stands_for": font.stands_for, "install": f"apt-get install {font.package}"}
            for font in missing
        ],
    }
