"""`filewright engines compare`: for those who upgrade an engine, and want to see first what becomes of their files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from filewright.converter.commands.exits import UsageProblem, described, printable
from filewright.converter.commands.machine.installed import Which, engine_called
from filewright.converter.commands.showing import AsJson, human_size, table

if TYPE_CHECKING:
    from filewright.converter.commands.workbench import Workbench
    from filewright.converter.comparing.holding import Comparison, Pair
    from filewright.converter.comparing.results import ResultSet
    from filewright.converter.engines.port import Engine


def compare(
    which: Which,
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", exists=True, file_okay=False, help="Files of the kind that you work with."),
    ],
    *,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="DIR", help="Keep the results there, for a later version.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="DIR", help="Results to compare with, as --save kept them.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--to", "-t", metavar="FMT", help="What to make; if not given, a PDF where the engine can."),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="FILE", help="Write an HTML file with the pages that changed most."),
    ] = None,
    worst: Annotated[int, typer.Option("--worst", metavar="N", min=1, max=500, help="How many of those.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Compare what an engine makes of a folder of files with what it made before.

    Keep the results of the version that you have, upgrade, and compare: what fails, pages, words, how alike the pages
    look (1 is the same), seconds and sizes, the gravest first. Ends with 1 when a file fails that did not, or looks
    otherwise. What another engine made can be compared with as well.

    \b
    Examples:
      filewright engines compare libreoffice letters/ --save before/
      filewright engines compare libreoffice letters/ --against before/ --sheet changes.html
    """  # noqa: D301 - click keeps the lines after this mark
    from filewright.chassis.errors import ProblemError  # noqa: PLC0415 - keeps --help quick
    from filewright.chassis.sandbox.port import SandboxUnavailable  # noqa: PLC0415
    from filewright.converter.settings import SettingsError  # noqa: PLC0415

    try:
        order = _Order(engine_called(which), folder, target, save, against)
        now, comparison = asyncio.run(_carried_out(order, show=not as_json))
    except (UsageProblem, ProblemError, SandboxUnavailable, SettingsError, OSError) as error:
        code, detail, exit_code = described(error)
        typer.echo(f"filewright engines compare: {detail} [{code}]", err=True)
        raise typer.Exit(exit_code) from None
    if comparison is None:
        _say_saved(now, save, as_json=as_json)
        return
    if sheet is not None:
        from filewright.converter.comparing.sheet import sheet as written  # noqa: PLC0415

        sheet.write_text(written(comparison, most=worst), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(comparison.as_json(), ensure_ascii=False))
    else:
        _say(comparison)
    raise typer.Exit(1 if comparison.is_worse else 0)


@dataclass(frozen=True)
class _Order:
    """What was asked for, as far as it makes sense."""

    engine: Engine
    folder: Path
    target: str | None
    save: Path | None
    against: Path | None

    def __post_init__(self) -> None:
        from filewright.converter.comparing.results import is_taken  # noqa: PLC0415 - keeps --help quick

        if self.save is None and self.against is None:
            raise UsageProblem("Say with --save where to keep the results, or with --against what to compare with.")
        if self.save is not None and is_taken(self.save):
            raise UsageProblem(f"{printable(str(self.save))} is not an empty directory.")
        found = self.engine.check()
        if not found.available:
            detail = f"{self.engine.name} is not installed: {found.missing} is missing. {found.install}"
            raise UsageProblem(detail.strip())


async def _carried_out(order: _Order, *, show: bool) -> tuple[ResultSet, Comparison | None]:
    from filewright.chassis.sandbox.port import SandboxLevel  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.commands.workbench import open_workbench  # noqa: PLC0415
    from filewright.converter.comparing.holding import compared  # noqa: PLC0415
    from filewright.converter.comparing.results import NotASavedSet, ResultSet  # noqa: PLC0415
    from filewright.converter.settings import load  # noqa: PLC0415

    settings = load()
    with contextlib.ExitStack() as kept:
        directory = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="filewright-")))
        keep = order.save or Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="filewright-")))
        try:
            before = None if order.against is None else ResultSet.read(order.against)
            minimum = SandboxLevel[settings.sandbox.upper()]
            async with open_workbench(directory, minimum, fonts=settings.fonts, engines=[order.engine]) as bench:
                now = await _made(order, bench, directory, keep, show=show)
                if before is None:
                    return now, None
                return now, await compared(before, now, sandbox=bench.sandbox, jobs_dir=directory)
        except NotASavedSet as error:
            raise UsageProblem(f"{error}.") from None


async def _made(order: _Order, bench: Workbench, jobs_dir: Path, keep: Path, *, show: bool) -> ResultSet:
    from filewright.converter.comparing.results import ResultSet  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.comparing.running import Run  # noqa: PLC0415
    from filewright.converter.conversion.converter import known_target  # noqa: PLC0415

    target = None if order.target is None else known_target(order.target)
    found = {}
    async for result in Run(order.engine, bench.sandbox, jobs_dir, keep, target).results(order.folder):
        found[result.source] = result
        if show:
            told = result.code or f"{human_size(result.bytes)}, {result.seconds:.2f} s"
            typer.echo(f"{printable(result.source)}: {told}", err=True)
    if not found:
        raise UsageProblem(f"{order.engine.name} converts none of the files in {printable(str(order.folder))}.")
    made = ResultSet(order.engine.name, order.engine.check().version, found, keep)
    await asyncio.to_thread(made.write)
    return made


def _say_saved(made: ResultSet, where: Path | None, *, as_json: bool) -> None:
    failed = sum(result.failed for result in made.results.values())
    told = {"engine": made.engine, "version": made.version, "files": len(made.results), "failed": failed}
    if as_json:
        typer.echo(json.dumps({**told, "saved": str(where)}, ensure_ascii=False))
    else:
        whose = f"{made.engine} {made.version}".strip()
        typer.echo(f"{whose}: {len(made.results)} files, {failed} failed; kept in {printable(str(where))}")


def _say(comparison: Comparison) -> None:
    before, now = comparison.before, comparison.now
    typer.echo(f"{before.engine} {before.version} → {now.engine} {now.version}")
    head = ("", "file", "pages", "words", "alike", "seconds", "size")
    table([head, *(_row(pair) for pair in comparison.pairs)])
    typer.echo(", ".join(f"{count} {verdict}" for verdict, count in comparison.counts().items()))


def _row(pair: Pair) -> tuple[str, ...]:
    name = printable(pair.source)
    both = [result for result in (pair.before, pair.now) if result is not None]
    if any(result.failed for result in both):
        told = " → ".join(result.code or "converted" for result in both)
        return pair.verdict, name, told, "", "", _both(*(f"{result.seconds:.2f}" for result in both)), ""
    alike = "" if pair.worst is None else f"{pair.worst:.3f} (page {pair.worst_page})"
    return (
        pair.verdict,
        name,
        _both(*("" if result.pages is None else str(result.pages) for result in both)),
        "" if pair.recall is None else f"{pair.recall:.1%}",
        alike,
        _both(*(f"{result.seconds:.2f}" for result in both)),
        _both(*(human_size(result.bytes) for result in both)),
    )


def _both(*said: str) -> str:
    """One word where both are the same."""
    return " → ".join(dict.fromkeys(said))
