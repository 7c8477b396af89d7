"""`filewright formats`, `routes` and `doctor`: what can be done here, how, and what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from filewright.converter.commands.exits import described, printable

if TYPE_CHECKING:
    from filewright.chassis.sandbox.port import Sandbox
    from filewright.converter.engines.plugins.gathering import Gathered
    from filewright.converter.engines.registry import Diagnosis, Registry
    from filewright.converter.formats.catalogue import Format
    from filewright.converter.routing.planner import Planner, Route

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]


def formats(
    *,
    source: Annotated[
        str | None, typer.Option("--from", "-f", metavar="FMT", help="Only what this format can become.")
    ] = None,
    target: Annotated[str | None, typer.Option("--to", "-t", metavar="FMT", help="Only what can become this.")] = None,
    as_json: AsJson = False,
) -> None:
    """List formats: all, what one can become, or what can become one.

    \b
    Examples:
      filewright formats
      filewright formats --from docx
      filewright formats --to pdf --json
    """  # noqa: D301 - click keeps the lines after this mark
    from filewright.converter.formats.catalogue import FORMATS  # noqa: PLC0415 - keeps --help quick

    planner = _planner(_registry())
    start, end = _known(source), _known(target)
    targets = {one: [route.target for route in planner.targets(one)] for one in FORMATS}
    shown = [
        entry
        for entry in FORMATS.values()
        if _belongs(entry.id, targets, start.id if start else None, end.id if end else None)
    ]
    if as_json:
        typer.echo(json.dumps([_entry(entry, targets[entry.id]) for entry in shown], ensure_ascii=False))
        return
    for family in dict.fromkeys(entry.family for entry in shown):
        typer.echo(f"{family}:")
        rows = [
            (entry.id, entry.name, f"{len(targets[entry.id])} targets") for entry in shown if entry.family == family
        ]
        _table(rows, indent=2)


def routes(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Format of the source, as docx.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Format of the result, as pdf.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show how one format becomes another: each step, its engine, and whether something is lost.

    \b
    Examples:
      filewright routes docx pdf
      filewright routes md pdf --json
    """  # noqa: D301 - click keeps the lines after this mark
    from filewright.chassis.errors import ProblemError  # noqa: PLC0415 - keeps --help quick

    registry = _registry()  # first: engines may bring formats
    start, end = _known(source), _known(target)
    assert start is not None
    assert end is not None
    try:
        route = _planner(registry).cheapest(start.id, end.id)
    except ProblemError as error:
        code, detail, exit_code = described(error)
        if as_json:
            typer.echo(json.dumps({"status": "failed", "code": code, "detail": detail}, ensure_ascii=False))
        typer.echo(f"filewright routes: {detail} [{code}]", err=True)
        raise typer.Exit(exit_code) from None
    hops = _hops(route, registry)
    if as_json:
        shown = {"from": route.source, "to": route.target, "lossy": route.lossy, "route": hops}
        typer.echo(json.dumps({**shown, "options": route.options}, ensure_ascii=False))
        return
    rows = [
        (
            f"{hop['from']} → {hop['to']}",
            f"{hop['engine']} {hop['engine_version']}".strip(),
            "lossy" if hop["lossy"] else "",
        )
        for hop in hops
    ]
    _table(rows)
    for name, schema in route.options.items():
        typer.echo(f"  --set {name}=…  {schema.get('description', '')}")


def doctor(*, as_json: AsJson = False) -> None:
    """Say which engines work here, what is missing and how to install it, how strong the sandbox is, and what scans.

    \b
    Examples:
      filewright doctor
      filewright doctor --json
    """  # noqa: D301 - click keeps the lines after this mark
    gathered = _gathered()
    diagnoses = _diagnoses(gathered)
    sandbox = asyncio.run(_sandbox())
    database = asyncio.run(_database())
    scanner = asyncio.run(_scanner())
    fonts = _fonts()
    if as_json:
        engines = [
            {
                "name": found.engine,
                "available": found.available,
                "version": found.version,
                "missing": found.missing,
                "install": found.install,
                "conversions": found.conversions,
                **({"origin": found.origin} if found.origin else {}),
            }
            for found in diagnoses
        ]
        left_out = [{"where": one.where, "line": one.line, "what": one.what} for one in gathered.problems]
        found = {
            "engines": engines,
            "engines_left_out": left_out,
            "sandbox": sandbox,
            "database": database,
            "scanner": scanner,
            "fonts": fonts,
        }
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    typer.echo("engines:")
    _table(
        [
            (
                "ok" if found.available else "missing",
                found.engine,
                found.version if found.available else f"{found.missing}: {found.install}".strip(": "),
                f"{found.conversions} conversions",
                found.origin,
            )
            for found in diagnoses
        ],
        indent=2,
    )
    _table([("LEFT OUT", str(problem)) for problem in gathered.problems], indent=2)
    typer.echo(f"sandbox: {sandbox['level'] or 'none'}")
    _table(
        [("held" if probe["held"] else "BROKEN", probe["name"], probe["detail"]) for probe in sandbox["probes"]],
        indent=2,
    )
    _table([("not", level, reason) for level, reason in sandbox["reasons"].items()], indent=2)
    for note in sandbox["notes"]:
        typer.echo(f"  {note}")
    office = sandbox["office"]
    typer.echo(f"LibreOffice: {office['way']}" + (f" ({office['reason']})" if "reason" in office else ""))
    _say_fonts(fonts)
    pool = database.get("pool", {})
    typer.echo(f"database: {database['kind']}")
    if pool:
        allowed = "whatever the pooler allows; describe it" if pool["allowed"] is None else f"{pool['allowed']} allowed"
        typer.echo(f"  {pool['connections']} connections at most, {allowed}")
    if "row_security" in database:
        typer.echo(f"  {_kept_apart(**database['row_security'])}")
    if "problem" in database:
        typer.echo(f"  {database['problem']}")
    typer.echo(f"virus scanner: {scanner['kind']}")
    if "note" in scanner:
        typer.echo(f"  {scanner['note']}")
    _table([("ok" if one["ok"] else "BROKEN", one["address"], one["trouble"]) for one in scanner["scanners"]], indent=2)


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


def _say_fonts(fonts: Mapping[str, Any]) -> None:
    own = f", and those of {printable(fonts['folder'])}" if fonts["folder"] else ""
    typer.echo(f"fonts: the system's{own}")
    _table(
        [("missing", font["name"], f"stands for {font['stands_for']}: {font['install']}") for font in fonts["missing"]],
        indent=2,
    )


def _diagnoses(gathered: Gathered) -> Sequence[Diagnosis]:
    from filewright.converter.engines.registry import Registry  # noqa: PLC0415 - keeps --help quick

    return Registry(gathered.engines).diagnose()


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
    configure_logs("console", "CRITICAL")  # what is wrong is shown below
    await scanner.usable()
    return {"scanners": [], **scanner.facts()}


def _kept_apart(*, in_force: bool, closed: bool) -> str:
    if not in_force:
        return "row security: BYPASSED, the role is a superuser or has BYPASSRLS; connect as an ordinary one"
    undeclared = "nothing" if closed else "everything; close it when no older version runs"
    return f"row security: in force; what does not say for whom it asks is shown {undeclared}"


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


async def _sandbox() -> dict[str, Any]:
    """The level that was proven to work here, each probe of its self-test, and why a stronger one did not."""
    from filewright.chassis.sandbox.port import SandboxLevel, SandboxUnavailable  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.workbench import open_workbench  # noqa: PLC0415

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
    from filewright.converter.engines.libreoffice_warm import try_warm  # noqa: PLC0415
    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415

    with contextlib.suppress(SettingsError):
        if load().office == "cold":
            return {"way": "cold", "reason": "FILEWRIGHT_OFFICE asks for it"}
    with Workspace.create(jobs_dir) as workspace:
        return (await try_warm(sandbox, workspace.tmp)).facts()


def _registry() -> Registry:
    from filewright.converter.engines.registry import Registry  # noqa: PLC0415 - keeps --help quick

    return Registry(_gathered().engines)


def _gathered() -> Gathered:
    """Of the folder that the settings name; what is wrong with the settings themselves is told elsewhere."""
    from filewright.converter.engines.plugins.gathering import gather  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415

    try:
        return gather(load().engines_dir)
    except SettingsError:
        return gather()


def _planner(registry: Registry) -> Planner:
    from filewright.converter.routing.planner import Planner  # noqa: PLC0415 - keeps --help quick

    return Planner(registry.abilities())


def _known(name: str | None) -> Format | None:
    """The format of that name; ends the command when there is none."""
    from filewright.converter.errors import UnsupportedFormat  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.formats.catalogue import by_name  # noqa: PLC0415

    found = by_name(name) if name is not None else None
    if name is not None and found is None:
        typer.echo(
            f"There is no format called {printable(name)!r}. `filewright formats` lists them all. "
            f"[{UnsupportedFormat.code}]",
            err=True,
        )
        raise typer.Exit(UnsupportedFormat.exit_code)
    return found


def _belongs(one: str, targets: Mapping[str, Sequence[str]], start: str | None, end: str | None) -> bool:
    if start is not None and end is not None:
        return one == start and end in targets[start]
    if start is not None:
        return one in targets[start]
    if end is not None:
        return end in targets[one]
    return bool(targets[one]) or any(one in found for found in targets.values())


def _entry(entry: Format, targets: Sequence[str]) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "family": entry.family,
        "extensions": list(entry.extensions),
        "media_types": list(entry.media_types),
        "targets": list(targets),
    }


def _hops(route: Route, registry: Registry) -> list[dict[str, Any]]:
    return [
        {
            "engine": step.engine,
            "engine_version": registry.version(step.engine),
            "from": step.conversion.source,
            "to": step.conversion.target,
            "lossy": step.lossy,
        }
        for step in route.steps
    ]


def _table(rows: Iterable[Sequence[str]], indent: int = 0) -> None:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(" " * indent + cells.rstrip())
