"""`filewright engines check` and `test`, for those who write engines, and `compare`, for those who upgrade them."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from filewright.converter.commands.exits import described
from filewright.converter.commands.machine.comparison import compare
from filewright.converter.commands.machine.installed import Which, engine_called

if TYPE_CHECKING:
    from filewright.converter.commands.machine.trials import Trial
    from filewright.converter.engines.port import Engine

engines = typer.Typer(name="engines", help="Check and try engines, and compare what they make.", no_args_is_help=True)
engines.command()(compare)


@engines.command()
def check(which: Which) -> None:
    """Read an engine file, say what is wrong with it, line by line, and what it adds.

    \b
    Examples:
      filewright engines check mupdf.yaml
    """  # noqa: D301 - click keeps the lines after this mark
    engine = engine_called(which)
    found = engine.check()
    state = f"ok, {found.version}".rstrip(", ") if found.available else f"{found.missing} is missing: {found.install}"
    typer.echo(f"{engine.name}: {state}")
    for conversion in engine.conversions:
        options = f"  ({', '.join(conversion.options)})" if conversion.options else ""
        typer.echo(f"  {conversion.source} → {conversion.target}  cost {conversion.cost}{options}")


@engines.command(name="test")
def try_sample(
    which: Which,
    sample: Annotated[Path, typer.Argument(metavar="SAMPLE", help="A file that it should convert.")],
    *,
    source: Annotated[
        str | None, typer.Option("--from", "-f", metavar="FMT", help="The sample's format, if its name lies.")
    ] = None,
    target: Annotated[str | None, typer.Option("--to", "-t", metavar="FMT", help="Only this target.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")] = False,
) -> None:
    """Convert a sample with one engine, in the sandbox, and read what it made.

    Every target is tried with the defaults, with each option at its ends, and with half the sample. What the program
    said is shown where something went wrong. Ends with 1 when anything did.

    \b
    Examples:
      filewright engines test mupdf.yaml plan.xps
      filewright engines test mupdf.yaml plan.xps --to pdf --json
    """  # noqa: D301 - click keeps the lines after this mark
    from filewright.chassis.errors import ProblemError  # noqa: PLC0415 - keeps --help quick
    from filewright.chassis.sandbox.port import SandboxUnavailable  # noqa: PLC0415
    from filewright.converter.settings import SettingsError  # noqa: PLC0415

    engine = engine_called(which)
    try:
        trials = asyncio.run(_trials(engine, sample, source, target, show=not as_json))
    except (ProblemError, SandboxUnavailable, SettingsError, OSError) as error:
        code, detail, exit_code = described(error)
        typer.echo(f"filewright engines test: {detail} [{code}]", err=True)
        raise typer.Exit(exit_code) from None
    if as_json:
        typer.echo(json.dumps({"engine": engine.name, "trials": [one.as_json() for one in trials]}, ensure_ascii=False))
    if not trials:
        typer.echo(f"{engine.name} converts nothing from the format of {sample} to what you ask for.", err=True)
    raise typer.Exit(0 if trials and all(one.ok for one in trials) else 1)


async def _trials(engine: Engine, sample: Path, source: str | None, target: str | None, *, show: bool) -> list[Trial]:
    from filewright.chassis.sandbox.port import SandboxLevel  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.commands.machine.trials import tried  # noqa: PLC0415
    from filewright.converter.commands.workbench import open_workbench  # noqa: PLC0415
    from filewright.converter.conversion.converter import known_target  # noqa: PLC0415
    from filewright.converter.settings import load  # noqa: PLC0415
    from filewright.converter.tiers import LOCAL  # noqa: PLC0415

    goal = known_target(target) if target is not None else None
    trials = []
    with tempfile.TemporaryDirectory(prefix="filewright-") as directory:
        minimum = SandboxLevel[load().sandbox.upper()]
        async with open_workbench(Path(directory), minimum, engines=[engine]) as bench:
            found = await bench.converter.inspect(sample, sample.name, tier=LOCAL, from_format=source)
            trying = tried(engine, sample, found.format, target=goal, sandbox=bench.sandbox, jobs_dir=Path(directory))
            async for trial in trying:
                trials.append(trial)
                if show:
                    _show(trial)
    return trials


def _show(trial: Trial) -> None:
    typer.echo(f"{'ok    ' if trial.ok else 'BROKEN'}  {trial.what}: {trial.told}")
    if not trial.ok and trial.command:
        typer.echo(f"          {trial.command}")
        for line in trial.said:
            typer.echo(f"          | {line}")
