"""Tables for people to read: an HTML page, Markdown, or plain lines."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from filewright.converter.engines.inside.tables.table import Table, plain
from filewright.converter.engines.inside.tables.values import simple, times_as_text

_HEAD = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
table {{ border-collapse: collapse; font-family: sans-serif; }}
th, td {{ border: 1px solid #bbb; padding: 0.2em 0.5em; text-align: left; vertical-align: top; white-space: pre-wrap; }}
th {{ background: #eee; }}
</style>
</head>
<body>
"""


def write_html(tables: list[Table], out: Path) -> None:
    """One page with each table under its name; the name is left out when there is only one table."""
    with out.open("w", encoding="utf-8") as file:
        file.write(_HEAD.format(title=html.escape(tables[0].name if tables else "")))
        for given in tables:
            if len(tables) > 1:
                file.write(f"<h2>{html.escape(given.name)}</h2>\n")
            titles, rows = _cells(given)
            if not titles:
                continue  # a table without columns makes some readers of the page look for one for ever
            file.write(f"<table>\n<thead>\n{_html_row(titles, 'th')}</thead>\n<tbody>\n")
            file.writelines(_html_row(row, "td") for row in rows)
            file.write("</tbody>\n</table>\n")
        file.write("</body>\n</html>\n")


def write_md(tables: list[Table], out: Path) -> None:
    """Pipe tables, each under its name; the name is left out when there is only one table."""
    with out.open("w", encoding="utf-8") as file:
        for given in tables:
            if len(tables) > 1:
                file.write(f"## {_md_cell(given.name)}\n\n")
            titles, rows = _cells(given)
            file.write(_md_row(titles) if titles else "\n")
            file.write(f"|{'---|' * len(titles)}\n" if titles else "")
            file.writelines(_md_row(row) for row in rows)
            file.write("\n" if len(tables) > 1 else "")


def write_txt(tables: list[Table], out: Path) -> None:
    """A line for each row, a tab between cells, each table under its name when there are several: what a program for
    tables takes from the clipboard.
    """
    with out.open("w", encoding="utf-8") as file:
        for given in tables:
            if len(tables) > 1:
                file.write(_line([given.name]))
            titles, rows = _cells(given)
            file.write(_line(titles) if any(titles) else "")
            file.writelines(_line(row) for row in rows)
            file.write("\n" if len(tables) > 1 else "")


def _line(cells: Iterable[str]) -> str:
    return "\t".join(" ".join(cell.split()) for cell in cells).rstrip("\t") + "\n"


def _cells(given: Table) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    frame = times_as_text(simple(given.frame))
    titles = given.titles if len(given.titles) == frame.width else tuple(frame.columns)
    return titles, ([plain(value) or "" for value in row] for row in frame.iter_rows())


def _html_row(cells: Iterable[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>\n"


def _md_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_md_cell, cells))} |\n"


def _md_cell(text: str) -> str:
    """Text that stays in its cell and means nothing to Markdown."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
