"""`filewright convert`: files in, files out; here, or on a server with `--remote`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from filewright.converter.commands.converting.places import STANDARD, Request, understand
from filewright.converter.commands.converting.results import Result, summary
from filewright.converter.commands.converting.typed import pairs
from filewright.converter.commands.converting.wishes import ApiKey, OwnFonts, SourceConverter, Wishes, Workplace
from filewright.converter.commands.exits import Exit, UsageProblem, complain, described, printable
from filewright.converter.commands.showing import human_size, progress_bar


def convert(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="SRC... [DST]", help="Files to convert, then a file or directory. `-`: a pipe."),
    ],
    *,
    to: Annotated[
        str | None, typer.Option("--to", "-t", metavar="FMT", help="Target format: pdf, docx, jpg, …")
    ] = None,
    from_format: Annotated[
        str | None,
        typer.Option("--from", "-f", metavar="FMT", help="What the source is, where its content is unclear."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", "-s", metavar="K=V", help="Set an option, as quality=80. Repeatable.")
    ] = None,
    password: Annotated[
        str | None, typer.Option("--password", metavar="P", help="Opens a protected source. `-`: ask for it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON on standard output.")] = False,
    remote: Annotated[
        str | None, typer.Option("--remote", metavar="URL", help="Convert on this Filewright server instead.")
    ] = None,
    api_key: ApiKey = None,
    fonts: OwnFonts = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
) -> None:
    """Convert files. The target is told by --to, or by the ending of the destination.

    \b
    Examples:
      filewright convert report.docx report.pdf
      filewright convert photo.heic --to jpg --set quality=85
      filewright convert *.docx out/ --to pdf
      filewright convert - --from md --to html < notes.md > notes.html
      filewright convert letter.docx --to pdf --fonts AcmeSans.ttf --fonts ~/fonts
      filewright convert big.mov clip.mp4 --remote http://localhost:8000

    Results appear whole or not at all, beside the source unless told otherwise, and never replace a file without
    --force. Several result files (the pages of a PDF as pictures) are numbered.
    """  # noqa: D301 - click keeps the lines after this mark
    try:
        request = understand(paths, to)
        if request.to_stdout and as_json:
            raise UsageProblem("Standard output cannot take both the result and --json. Name a destination.")
        wishes = Wishes(pairs(settings or []), from_format, password_of(password, request.sources), force)
        where = Workplace(remote, api_key, tuple(fonts or ()))
    except UsageProblem as problem:
        typer.echo(f"filewright convert: {problem}", err=True)
        raise typer.Exit(Exit.USAGE) from None
    results = _run(request, wishes, where, as_json=as_json)
    if as_json:
        typer.echo(json.dumps(summary(results), ensure_ascii=False))
    raise typer.Exit(max(result.exit_code for result in results))


def _run(request: Request, wishes: Wishes, where: Workplace, *, as_json: bool) -> list[Result]:
    """All sources; ends early only when it is interrupted, after everything has been cleaned up."""
    try:
        return asyncio.run(_convert_all(request, wishes, where, as_json=as_json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.echo("Interrupted; nothing was left behind.", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None


async def _convert_all(request: Request, wishes: Wishes, where: Workplace, *, as_json: bool) -> list[Result]:
    end_on_sigterm()
    try:
        async with _open(where, len(request.sources)) as converter:
            return [
                await _convert_one(converter, source, request, wishes, as_json=as_json) for source in request.sources
            ]
    except Exception as error:  # noqa: BLE001 - here any failure becomes a sentence and an exit code
        return [failed(source, error) for source in request.sources]


def end_on_sigterm() -> None:
    """SIGTERM ends the command like Ctrl-C: children are killed and temporary files removed on the way out."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _open(where: Workplace, sources: int) -> contextlib.AbstractAsyncContextManager[SourceConverter]:
    if where.remote is not None:
        from filewright.converter.commands.converting.remote import open_remote  # noqa: PLC0415 - keeps --help quick

        return open_remote(where.remote, where.key)
    from filewright.converter.commands.converting.local import open_local  # noqa: PLC0415 - keeps --help quick

    return open_local(sources, where.fonts)


async def _convert_one(
    converter: SourceConverter, source: str, request: Request, wishes: Wishes, *, as_json: bool
) -> Result:
    try:
        with progress_bar(source, wanted=not as_json) as on_progress:
            result = await converter.convert(source, request, wishes, on_progress)
    except Exception as error:  # noqa: BLE001 - one bad source does not stop the others
        return failed(source, error)
    if not as_json and not request.to_stdout:
        show(result)
    return result


def show(result: Result) -> None:
    """Where the results are."""
    for output in result.outputs:
        typer.echo(printable(f"{output.path}  ({human_size(output.bytes)})"))


def failed(source: str, error: Exception) -> Result:
    code, detail, exit_code = described(error)
    complain(source, detail, code)
    return Result(source=source, exit_code=exit_code, code=code, detail=detail)


def password_of(given: str | None, sources: Sequence[str]) -> str | None:
    """`-` asks for it on the terminal, or reads the first line of a pipe."""
    if given != STANDARD:
        return given
    if STANDARD in sources:
        raise UsageProblem("Standard input cannot give both the source and the password.")
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
