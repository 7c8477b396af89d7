"""`filewright admin audit`, `quarantine` and `flag`: what an operator does on the machine that has the settings.

It needs no HTTP. What changes anything is written in the audit log, as done at the console.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from filewright.chassis.errors import ProblemError
from filewright.converter.commands.exits import Exit
from filewright.converter.commands.operators.console import OPERATOR
from filewright.converter.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from filewright.chassis.flags.flag import Flag
    from filewright.converter.bootstrap import Console

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]

audit = typer.Typer(help="The audit log.", no_args_is_help=True)
flag = typer.Typer(help="What is on for whom.", no_args_is_help=True)
quarantine = typer.Typer(help="Jobs whose input is kept from the engines.", no_args_is_help=True)
JobId = Annotated[str, typer.Argument(help="The job's id, `job_…`.", metavar="JOB_ID")]
_LIST_EXAMPLES = """\b
Examples:
  filewright admin audit list --action login.failed
  filewright admin audit list --actor ip:203.0.113.9 --limit 100
  filewright admin audit list --subject usr_01jd6qx2v7c8e9f0g1h2j3k4m5 --json | jq .details
"""
_QUARANTINE_EXAMPLES = """\b
Examples:
  filewright admin quarantine list --json
  filewright admin quarantine release job_01jd6qx2v7c8e9f0g1h2j3k4m5
  filewright admin quarantine delete job_01jd6qx2v7c8e9f0g1h2j3k4m5
"""


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


@audit.command("list", epilog=_LIST_EXAMPLES)
def audit_list(
    action: Annotated[str | None, typer.Option(help="Only this act, as docs/security.md names them.")] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only what this one did: an id, or `ip:` with the address of a network.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only what was done to this: an id, or `email:` with an address.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only what concerns this tenant.")] = None,
    limit: Annotated[int, typer.Option(help="The latest so many.", min=1, max=10_000)] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what was done and refused, newest first; as JSON, one line each."""
    from filewright.converter.admin.service import AuditFilter, audited  # noqa: PLC0415 - as above

    wanted = AuditFilter(tenant, actor, action, subject)
    rows = _done(
        _at_console(lambda console: audited(console.database, console.audit, wanted, before=None, limit=limit))
    )
    for row in rows:
        facts = {
            "id": row.id, "at": row.at.isoformat(), "action": row.action, "outcome": row.outcome, "actor": row.actor,
            "subject": row.subject, "tenant": row.tenant, "request_id": row.request_id, "details": row.details,
        }  # fmt: skip
        if as_json:
            typer.echo(json.dumps(facts))
        else:
            more = " ".join(f"{name}={value}" for name, value in (row.details or {}).items())
            typer.echo(
                f"{row.at:%Y-%m-%d %H:%M:%S}  {row.action}  {row.outcome}  {row.actor}  {row.subject or ''}  {more}"
            )


@quarantine.command("list", epilog=_QUARANTINE_EXAMPLES)
def list_quarantine(
    limit: Annotated[int, typer.Option(help="The latest so many.", min=1, max=10_000)] = 50, *, as_json: AsJson = False
) -> None:
    """Show the jobs that crashed engines or that the scanner named, newest first."""
    rows = _done(_at_console(lambda console: console.quarantine.page(after=None, limit=limit)))
    shown = [
        {
            "id": row.id,
            "tenant": row.tenant,
            "state": row.state,
            "from": row.source_format,
            "to": row.target_format,
            "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        }
        for row in rows
    ]
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for item in shown:
        typer.echo(f"{item['id']}  {item['state']}  {item['from']} to {item['to']}  of {item['tenant']}")


@quarantine.command("release", epilog=_QUARANTINE_EXAMPLES)
def release_from_quarantine(job_id: JobId, *, as_json: AsJson = False) -> None:
    """Let a quarantined job run again: its input comes near the engines once more."""
    job = _done(_at_console(lambda console: console.quarantine.release(job_id, actor=OPERATOR)))
    typer.echo(json.dumps({"id": job.id, "status": job.status}) if as_json else f"{job.id}: {job.status}")


@quarantine.command("delete", epilog=_QUARANTINE_EXAMPLES)
def delete_from_quarantine(job_id: JobId, *, as_json: AsJson = False) -> None:
    """Erase the files of a quarantined or infected job."""
    _done(_at_console(lambda console: console.quarantine.discard(job_id, actor=OPERATOR)))
    typer.echo(json.dumps({"id": job_id, "status": "expired"}) if as_json else f"{job_id}: erased")


@flag.command("list")
def list_flags(*, as_json: AsJson = False) -> None:
    """Every flag that was set, and whether it was halted."""
    found = _done(_at_console(lambda console: console.flags.all()))
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
    typer.echo(json.dumps(_facts(_done(_at_console(lambda console: console.flags.set(wanted, actor=OPERATOR))))))


@flag.command("remove")
def remove_flag(name: Annotated[str, typer.Argument(help="The flag's name.")]) -> None:
    """Forget a flag: from then on it is what the program takes it to be."""
    if not _done(_at_console(lambda console: console.flags.remove(name, actor=OPERATOR))):
        typer.echo("there is no such flag", err=True)
        raise typer.Exit(1)


async def _at_console(work: Callable[[Console], Awaitable[T]]) -> T:
    from filewright.converter.bootstrap import overseeing  # noqa: PLC0415 - as above

    async with overseeing(_settings()) as console:
        return await work(console)


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
        typer.echo(error.detail if isinstance(error, ProblemError) else str(error), err=True)
        raise typer.Exit(Exit.USAGE if isinstance(error, SettingsError) else 1) from None
