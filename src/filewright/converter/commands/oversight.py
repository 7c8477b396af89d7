"""`filewright admin audit` and `flag`: what an operator does on the machine that has the settings, without HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from filewright.chassis.errors import ProblemError
from filewright.converter.commands.console import OPERATOR
from filewright.converter.commands.exits import Exit
from filewright.converter.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from filewright.chassis.flags.flag import Flag
    from filewright.chassis.flags.service import Flags

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]

audit = typer.Typer(help="The audit log.", no_args_is_help=True)
flag = typer.Typer(help="What is on for whom.", no_args_is_help=True)


@audit.command("verify")
def audit_verify(*, as_json: AsJson = False) -> None:
    """Walk the chain of the audit log, against its signed copies too, and name each row at which it was changed.

    Ends with 0 when nothing was, and with 1 when something was.
    """
    from filewright.converter.bootstrap import verify_audit  # noqa: PLC0415 - keeps --help quick

    verdict = _done(verify_audit(_settings()))
    if as_json:
        typer.echo(json.dumps({"good": verdict.good, **asdict(verdict)}))
    else:
        span = f", {verdict.first} to {verdict.last}" if verdict.rows else ""
        typer.echo(f"{verdict.rows} rows{span}: {'nothing was changed' if verdict.good else 'the log was changed'}")
        for finding in verdict.findings:
            typer.echo(f"  row {finding.row}: {finding.kind}: {finding.detail}")
    if not verdict.good:
        raise typer.Exit(1)


@flag.command("list")
def list_flags(*, as_json: AsJson = False) -> None:
    """Every flag that was set, and whether it was halted."""
    found = _done(_with_flags(lambda flags: flags.all()))
    if as_json:
        typer.echo(json.dumps([_facts(item) for item in found]))
        return
    for item in found:
        state = "halted: " + (item.halted_why or "") if item.halted_at else "on" if item.enabled else "off"
        typer.echo(f"{item.name}  {item.percent} %  {state}")


@flag.command("set")
def set_flag(
    name: Annotated[str, typer.Argument(help="The flag's name.")],
    percent: Annotated[int, typer.Option(help="Of the tenants.", min=0, max=100)] = 100,
    tenant: Annotated[
        list[str] | None, typer.Option(help="For this one whatever the percentage; may be repeated.")
    ] = None,
    halt_above: Annotated[
        float | None,
        typer.Option(help="Halt when so much more of the work fails where it is on, as 0.05.", min=0, max=1),
    ] = None,
    *,
    off: Annotated[bool, typer.Option("--off", help="Off for everybody.")] = False,
) -> None:
    """Set a flag; running processes follow within half a minute. A halt is over by that."""
    from filewright.chassis.flags.flag import Flag  # noqa: PLC0415 - as above

    wanted = Flag(name, enabled=not off, percent=percent, tenants=tuple(tenant or ()), halt_above=halt_above)
    typer.echo(json.dumps(_facts(_done(_with_flags(lambda flags: flags.set(wanted, actor=OPERATOR))))))


@flag.command("remove")
def remove_flag(name: Annotated[str, typer.Argument(help="The flag's name.")]) -> None:
    """Forget a flag: from then on it is what the program takes it to be."""
    if not _done(_with_flags(lambda flags: flags.remove(name, actor=OPERATOR))):
        typer.echo("there is no such flag", err=True)
        raise typer.Exit(1)


async def _with_flags(work: Callable[[Flags], Awaitable[T]]) -> T:
    from filewright.converter.bootstrap import overseeing  # noqa: PLC0415 - as above

    async with overseeing(_settings()) as flags:
        return await work(flags)


def _facts(item: Flag) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in asdict(item).items()}


def _settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE) from None


def _done(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (SettingsError, ProblemError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE if isinstance(error, SettingsError) else 1) from None
