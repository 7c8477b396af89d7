"""`filewright formats` and `routes`: what can be done here, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from filewright.converter.commands.exits import described, printable
from filewright.converter.commands.machine.installed import registry
from filewright.converter.commands.showing import AsJson, table

if TYPE_CHECKING:
    from filewright.converter.engines.registry import Registry
    from filewright.converter.formats.catalogue import Format
    from filewright.converter.routing.planner import Planner, Route


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

    planner = _planner(registry())
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
        table(rows, indent=2)


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

    installed = registry()  # first: engines may bring formats
    start, end = _known(source), _known(target)
    assert start is not None
    assert end is not None
    try:
        route = _planner(installed).cheapest(start.id, end.id)
    except ProblemError as error:
        code, detail, exit_code = described(error)
        if as_json:
            typer.echo(json.dumps({"status": "failed", "code": code, "detail": detail}, ensure_ascii=False))
        typer.echo(f"filewright routes: {detail} [{code}]", err=True)
        raise typer.Exit(exit_code) from None
    hops = _hops(route, installed)
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
    table(rows)
    for name, schema in route.options.items():
        typer.echo(f"  --set {name}=…  {schema.get('description', '')}")


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
