"""`filewright stack …`: what a person types and sees. What it does is in `operations`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import click
import typer

from filewright.stack.errors import ProgramMissing, StackProblem

EXIT_FAILED, EXIT_USAGE, EXIT_MISSING = 1, 2, 6
_FOLLOW_SECONDS = 0.2
_WATCH_SECONDS = 2.0

HELP = """Run the distributed shape on this machine, from real processes.

PostgreSQL, PgBouncer, two Redis (broker and cache), an S3 service, nginx in front, and as many API processes, workers
and beats as wanted: each a process of its own below one supervisor, all on free loopback ports, everything they keep
in one directory. Stacks in different directories do not meet. A process that dies is started again.
"""
EXAMPLES = """Examples:

\b
  filewright stack up --api 3 --worker 5
  filewright stack status
  filewright stack scale worker=8
  filewright stack restart api
  filewright stack logs api -f
  filewright stack down
  filewright stack down --erase
"""

stack = typer.Typer(
    name="stack",
    help=HELP,
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

Data = Annotated[Path, typer.Option(help="Directory of the stack: its data, logs, ports and passwords.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
ApiCount = Annotated[int | None, typer.Option("--api", help="API processes.", min=0, max=64)]
WorkerCount = Annotated[int | None, typer.Option("--worker", help="Workers.", min=0, max=64)]
BeatCount = Annotated[int | None, typer.Option("--beat", help="Beats; one of them is active.", min=0, max=4)]
Slots = Annotated[
    int | None,
    typer.Option(help="Conversions at once in each worker; without it the cores are shared out.", min=1, max=256),
]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait until everything is ready.", min=1)]
DEFAULT_DATA = Path("filewright-stack")


@stack.command(
    epilog="""Examples:

\b
  filewright stack up
  filewright stack up --data /var/lib/filewright-stack --api 3 --worker 5 --port 8080
  filewright stack up --api 0 --worker 0 --beat 0      only the servers, for a program of your own
"""
)
def up(
    data: Data = DEFAULT_DATA,
    api: ApiCount = None,
    worker: WorkerCount = None,
    beat: BeatCount = None,
    slots: Slots = None,
    host: Annotated[str | None, typer.Option(help="Address that the front listens on; 127.0.0.1 at first.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port that the front listens on; a free one at first.", min=1, max=65535)
    ] = None,
    new_ports: Annotated[bool, typer.Option("--new-ports", help="Choose all ports anew.")] = False,
    clamd: Annotated[
        bool | None,
        typer.Option("--clamd/--no-clamd", help="With a virus scanner (clamav-daemon) or without."),
    ] = None,
    wait: Wait = 180.0,
    as_json: AsJson = False,
) -> None:
    """Start it, or bring a running one into this shape; returns when everything is ready. Numbers that are not given
    stay as they were (at first: 2 API processes, 1 worker, 1 beat). Ports and passwords are chosen once and kept.
    """
    with _told():
        from filewright.stack.operations import Stack  # noqa: PLC0415 - `--help` waits for nothing

        one = Stack(data, report=_say)
        one.up(
            _counts(api, worker, beat),
            slots=slots,
            host=host,
            port=port,
            new_ports=new_ports,
            clamd=clamd,
            seconds=wait,
        )
        _show(data, as_json=as_json)


@stack.command(name="status")
def show_status(
    data: Data = DEFAULT_DATA,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again every two seconds, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every process, its address, whether it is well, and what it does: asked of the processes at this moment.
    Below them how many jobs wait and run.
    """
    with _told():
        while watch:
            click.clear()
            _show(data, as_json=as_json)
            time.sleep(_WATCH_SECONDS)
        _show(data, as_json=as_json)


@stack.command(
    epilog="""Examples:

\b
  filewright stack scale api=3 worker=5
  filewright stack scale --worker 1
"""
)
def scale(
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="ROLE=N…", help="`api=3`, `worker=5`, `beat=1`.")
    ] = None,
    data: Data = DEFAULT_DATA,
    api: ApiCount = None,
    worker: WorkerCount = None,
    beat: BeatCount = None,
    slots: Slots = None,
    wait: Wait = 180.0,
    as_json: AsJson = False,
) -> None:
    """Have so many of each; returns when it is so. What goes is taken from the front first, then asked to end."""
    with _told():
        from filewright.stack.operations import Stack  # noqa: PLC0415

        counts = {**_counts(api, worker, beat), **_numbers(numbers or [])}
        if not counts and slots is None:
            raise typer.BadParameter("Say how many of what: api=3 worker=5.")
        Stack(data, report=_say).scale(counts, slots=slots, seconds=wait)
        _show(data, as_json=as_json)


@stack.command(
    epilog="""Examples:

\b
  filewright stack restart --rolling
  filewright stack restart api worker-2
  filewright stack restart postgres
"""
)
def restart(
    names: Annotated[
        list[str] | None, typer.Argument(help="Processes or roles; all of the product without it.")
    ] = None,
    data: Data = DEFAULT_DATA,
    rolling: Annotated[
        bool, typer.Option("--rolling/--at-once", help="One after the other, or all together, with a gap.")
    ] = True,
    wait: Wait = 180.0,
    as_json: AsJson = False,
) -> None:
    """Replace processes by new ones, one at a time: out of the front, drained, ended, started, ready, then the next.
    With two or more API processes no request is lost, and no job.
    """
    with _told():
        from filewright.stack.operations import Stack  # noqa: PLC0415

        Stack(data, report=_say).restart(names or [], rolling=rolling, seconds=wait)
        _show(data, as_json=as_json)


@stack.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="Process or role; all without it.")] = None,
    data: Data = DEFAULT_DATA,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Last lines of each log.", min=0)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Each line as `{name, line}`.")] = False,
) -> None:
    """Show what the processes wrote. Logs stay when the stack is down, until `down --erase`."""
    with _told():
        from filewright.stack.operations import Stack  # noqa: PLC0415

        files = Stack(data).log_files(name)
        show = _line_shower(named=len(files) > 1, as_json=as_json)
        opened = [(file.stem, file.open(encoding="utf-8", errors="replace")) for file in files]
        for stem, stream in opened:
            for line in stream.read().splitlines()[-lines:] if lines else stream.read() and ():
                show(stem, line)
        while follow:
            if not sum([_show_new(stem, stream, show) for stem, stream in opened]):
                time.sleep(_FOLLOW_SECONDS)


@stack.command()
def down(
    data: Data = DEFAULT_DATA,
    erase: Annotated[bool, typer.Option("--erase", help="Remove the data, logs and passwords too.")] = False,
    as_json: AsJson = False,
) -> None:
    """End every process: the front first, the databases last. Data, logs, ports and passwords stay for the next `up`.
    Also clears up after a supervisor that was killed.
    """
    with _told():
        from filewright.stack.operations import Stack  # noqa: PLC0415

        Stack(data, report=_say).down(erase=erase)
        _show(data, as_json=as_json)


# --- how it is shown ---------------------------------------------------------------------------------------------


@contextmanager
def _told() -> Iterator[None]:
    """Failures as a sentence and an exit code."""
    try:
        yield
    except StackProblem as problem:
        typer.echo(f"filewright: {problem}", err=True)
        raise typer.Exit(EXIT_MISSING if isinstance(problem, ProgramMissing) else EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _show(data: Path, *, as_json: bool) -> None:
    from filewright.stack.operations import Stack  # noqa: PLC0415
    from filewright.stack.showing import describe  # noqa: PLC0415

    status = Stack(data).status()
    if as_json:
        rows = [
            {"name": row.name, "role": row.role, "pid": row.pid, "address": row.address, "healthy": row.healthy}
            for row in status.rows
        ]
        typer.echo(json.dumps({"url": status.url, "processes": rows}))
        return
    for line in describe(status):
        typer.echo(line)


def _counts(api: int | None, worker: int | None, beat: int | None) -> dict[str, int]:
    return {name: count for name, count in (("api", api), ("worker", worker), ("beat", beat)) if count is not None}


def _numbers(entered: Sequence[str]) -> dict[str, int]:
    found = {}
    for text in entered:
        name, equals, number = text.partition("=")
        if not equals or not number.isdecimal():
            raise typer.BadParameter(f"{text!r} is not ROLE=N, as in api=3.")
        found[name] = int(number)
    return found


class _line_shower:  # noqa: N801 - used as the function it is
    """Prints lines, with the name of the process where several are shown."""

    def __init__(self, *, named: bool, as_json: bool) -> None:
        self._named = named
        self._as_json = as_json

    def __call__(self, name: str, line: str) -> None:
        if self._as_json:
            typer.echo(json.dumps({"name": name, "line": line}))
        else:
            typer.echo(f"{name}: {line}" if self._named else line)
        sys.stdout.flush()


def _show_new(name: str, stream: IO[str], show: _line_shower) -> int:
    """Print what was written since the last look; how many lines it was."""
    lines = stream.readlines()
    for line in lines:
        show(name, line.rstrip("\n"))
    return len(lines)
