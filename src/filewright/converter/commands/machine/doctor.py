"""`filewright doctor`: what works on this machine, what is missing, and how to install it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from filewright.converter.commands.exits import printable
from filewright.converter.commands.machine.findings import findings
from filewright.converter.commands.showing import AsJson, table
from filewright.converter.engines.plugins.problem import Problem

Found = Mapping[str, Any]


def doctor(*, as_json: AsJson = False) -> None:
    """Say which engines and operations work here, what is missing and how to install it, how strong the sandbox is,
    and what scans.

    \b
    Examples:
      filewright doctor
      filewright doctor --json
    """  # noqa: D301 - click keeps the lines after this mark
    found = findings()
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    _say_engines(found["engines"], found["engines_left_out"])
    _say_operators(found["operators"])
    _say_sandbox(found["sandbox"])
    _say_fonts(found["fonts"])
    _say_database(found["database"])
    _say_scanner(found["scanner"])


def _say_engines(engines: Sequence[Found], left_out: Sequence[Found]) -> None:
    typer.echo("engines:")
    table(
        [(*_standing(one), f"{one['conversions']} conversions", one.get("origin", "")) for one in engines],
        indent=2,
    )
    table([("LEFT OUT", str(Problem(**one))) for one in left_out], indent=2)


def _say_operators(operators: Sequence[Found]) -> None:
    typer.echo("operations:")
    table([(*_standing(one), ", ".join(one["operations"])) for one in operators], indent=2)


def _standing(one: Found) -> tuple[str, str, str]:
    if one["available"]:
        return "ok", one["name"], one["version"]
    return "missing", one["name"], f"{one['missing']}: {one['install']}".strip(": ")


def _say_sandbox(sandbox: Found) -> None:
    typer.echo(f"sandbox: {sandbox['level'] or 'none'}")
    table(
        [("held" if probe["held"] else "BROKEN", probe["name"], probe["detail"]) for probe in sandbox["probes"]],
        indent=2,
    )
    table([("not", level, reason) for level, reason in sandbox["reasons"].items()], indent=2)
    for note in sandbox["notes"]:
        typer.echo(f"  {note}")
    office = sandbox["office"]
    typer.echo(f"LibreOffice: {office['way']}" + (f" ({office['reason']})" if "reason" in office else ""))


def _say_fonts(fonts: Found) -> None:
    own = f", and those of {printable(fonts['folder'])}" if fonts["folder"] else ""
    typer.echo(f"fonts: the system's{own}")
    table(
        [("missing", font["name"], f"stands for {font['stands_for']}: {font['install']}") for font in fonts["missing"]],
        indent=2,
    )


def _say_database(database: Found) -> None:
    typer.echo(f"database: {database['kind']}")
    if pool := database.get("pool"):
        allowed = "whatever the pooler allows; describe it" if pool["allowed"] is None else f"{pool['allowed']} allowed"
        typer.echo(f"  {pool['connections']} connections at most, {allowed}")
    if "row_security" in database:
        typer.echo(f"  {_kept_apart(**database['row_security'])}")
    if "problem" in database:
        typer.echo(f"  {database['problem']}")


def _kept_apart(*, in_force: bool, closed: bool) -> str:
    if not in_force:
        return "row security: BYPASSED, the role is a superuser or has BYPASSRLS; connect as an ordinary one"
    undeclared = "nothing" if closed else "everything; close it when no older version runs"
    return f"row security: in force; what does not say for whom it asks is shown {undeclared}"


def _say_scanner(scanner: Found) -> None:
    typer.echo(f"virus scanner: {scanner['kind']}")
    if "note" in scanner:
        typer.echo(f"  {scanner['note']}")
    table([("ok" if one["ok"] else "BROKEN", one["address"], one["trouble"]) for one in scanner["scanners"]], indent=2)
