"""`filewright operate` and `filewright operations`: everything that can be done with files beside converting them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from filewright.converter.commands.converting.convert import end_on_sigterm, failed, password_of, show
from filewright.converter.commands.converting.places import STANDARD, Request
from filewright.converter.commands.converting.results import Result, summary
from filewright.converter.commands.converting.typed import pairs
from filewright.converter.commands.converting.wishes import (
    ApiKey,
    Operation,
    OwnFonts,
    SourceOperator,
    Wishes,
    Workplace,
)
from filewright.converter.commands.exits import Exit, UsageProblem, printable
from filewright.converter.commands.showing import progress_bar


def operate(
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="What to do: merge, split, rotate, …")],
    sources: Annotated[list[str], typer.Argument(metavar="SRC...", help="The files. `-`: standard input.")],
    *,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DST", help="A file or directory for the results. `-`: a pipe."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", "-t", metavar="FMT", help="Target format, where the operation has a choice.")
    ] = None,
    from_format: Annotated[
        str | None,
        typer.Option("--from", "-f", metavar="FMT", help="What the sources are, where their content is unclear."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", "-s", metavar="K=V", help="Set an option, as degrees=90. Repeatable.")
    ] = None,
    password: Annotated[
        str | None, typer.Option("--password", metavar="P", help="Opens protected sources. `-`: ask for it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON on standard output.")] = False,
    remote: Annotated[
        str | None, typer.Option("--remote", metavar="URL", help="Do it on this Filewright server instead.")
    ] = None,
    api_key: ApiKey = None,
    fonts: OwnFonts = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
) -> None:
    """Do something else with files than convert them. `filewright operations` lists what.

    \b
    Examples:
      filewright operate merge letter.pdf photo.jpg notes.docx --output all.pdf
      filewright operate split report.pdf --set ranges=1-3,4- --output parts/
      filewright operate rotate scan.pdf --set degrees=90 --set pages=2-

    What makes one thing of several files (merge, archive) takes them all together; everything else is done with each.
    Results appear whole or not at all, beside the first source unless told otherwise, and never replace a file without
    --force.
    """  # noqa: D301 - click keeps the lines after this mark
    try:
        request = _request(sources, output)
        if request.to_stdout and as_json:
            raise UsageProblem("Standard output cannot take both the result and --json. Name a destination.")
        wishes = Wishes(pairs(settings or []), from_format, password_of(password, sources), force)
        where = Workplace(remote, api_key, tuple(fonts or ()))
        groups = _groups(operation, request)
    except UsageProblem as problem:
        typer.echo(f"filewright operate: {problem}", err=True)
        raise typer.Exit(Exit.USAGE) from None
    try:
        results = asyncio.run(_all(groups, Operation(operation, to), request, wishes, where, as_json=as_json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.echo("Interrupted; nothing was left behind.", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(summary(results), ensure_ascii=False))
    raise typer.Exit(max(result.exit_code for result in results))


def operations(
    *, as_json: Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")] = False
) -> None:
    """List what can be done with files beside converting them, of which formats, and with which options.

    \b
    Examples:
      filewright operations
      filewright operations --json
    """  # noqa: D301 - click keeps the lines after this mark
    described = _described()
    if as_json:
        typer.echo(json.dumps(described, ensure_ascii=False, indent=2))
        return
    for item in described:
        typer.echo(f"{item['id']}: {item['summary']} ({', '.join(item['sources'])})")
        for name, schema in item["parameters"]["properties"]["options"]["properties"].items():
            typer.echo(f"    {name}  {schema.get('description', '')}")


def _described() -> Sequence[Mapping[str, Any]]:
    from filewright.converter.operations.descriptions import described  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.operations.registry import Operators  # noqa: PLC0415
    from filewright.converter.operations.standard import standard_operators  # noqa: PLC0415

    return described(Operators(standard_operators()))


def _request(sources: Sequence[str], output: str | None) -> Request:
    """Where results go. What the format is, the operation knows."""
    if sources.count(STANDARD) > 1:
        raise UsageProblem("Standard input can be only one of the sources.")
    given = tuple(sources)
    if output is None:
        return Request(given, "", to_stdout=given == (STANDARD,))
    if output == STANDARD:
        return Request(given, "", to_stdout=True)
    if Path(output).is_dir() or output.endswith(os.sep):
        return Request(given, "", directory=Path(output))
    return Request(given, "", file=Path(output))


def _groups(operation: str, request: Request) -> list[Sequence[str]]:
    """The sources that are worked on together."""
    from filewright.converter.operations.standard import declared  # noqa: PLC0415 - keeps --help quick

    if any(ability.joins for ability in declared(operation)):
        return [request.sources]
    if len(request.sources) > 1 and (request.file is not None or request.to_stdout):
        raise UsageProblem("Several sources need a directory as --output: each is worked on by itself.")
    return [[source] for source in request.sources]


async def _all(
    groups: Sequence[Sequence[str]],
    operation: Operation,
    request: Request,
    wishes: Wishes,
    where: Workplace,
    *,
    as_json: bool,
) -> list[Result]:
    end_on_sigterm()
    try:
        async with _open(where, len(request.sources)) as operator:
            return [await _one(operator, group, operation, request, wishes, as_json=as_json) for group in groups]
    except Exception as error:  # noqa: BLE001 - here any failure becomes a sentence and an exit code
        return [failed(group[0], error) for group in groups]


def _open(where: Workplace, sources: int) -> contextlib.AbstractAsyncContextManager[SourceOperator]:
    if where.remote is not None:
        from filewright.converter.commands.converting.remote import open_remote  # noqa: PLC0415 - keeps --help quick

        return open_remote(where.remote, where.key)
    from filewright.converter.commands.converting.local import open_local  # noqa: PLC0415 - keeps --help quick

    return open_local(sources, where.fonts)


async def _one(
    operator: SourceOperator,
    sources: Sequence[str],
    operation: Operation,
    request: Request,
    wishes: Wishes,
    *,
    as_json: bool,
) -> Result:
    shown = printable(sources[0] if len(sources) == 1 else f"{len(sources)} files")
    try:
        with progress_bar(shown, wanted=not as_json) as on_progress:
            result = await operator.operate(sources, operation, request, wishes, on_progress)
    except Exception as error:  # noqa: BLE001 - one bad source does not stop the others
        return failed(shown, error)
    if not as_json and not request.to_stdout:
        show(result)
    return result
