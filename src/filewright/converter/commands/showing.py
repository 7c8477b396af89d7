"""How progress and results are shown: a bar on a terminal, nothing of it in a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated

import typer

from filewright.converter.commands.exits import printable

OnProgress = Callable[[float], None]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]


@contextlib.contextmanager
def progress_bar(name: str, *, wanted: bool) -> Iterator[OnProgress]:
    """A function that takes 0..1; shows a bar when both outputs are a terminal."""
    if not (wanted and sys.stdout.isatty() and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only when somebody sees it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(name)[:40], total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)


def human_size(count: int) -> str:
    """`17 B`, `3.2 kB`, `1.5 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def table(rows: Iterable[Sequence[str]], indent: int = 0) -> None:
    """Print columns of the width that they need; nothing for no rows."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(" " * indent + cells.rstrip())
