"""Say what came out: a table for the terminal, and a page with a plot for the repository."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

Results = Mapping[str, Any]
_OTHER_WAYS = ("fresh process", "stock profile")


def show(results: Results) -> str:
    """For a terminal."""
    lines = [_aligned(rows(results)), "", _summary(results)]
    return "\n".join(lines)


def rows(results: Results) -> list[list[str]]:
    """A heading, and a line per conversion. Times are milliseconds."""
    table = [["conversion", "product", "bare", "bare/product", "added", "CPU product", "CPU bare", "CPU added",
              "2 clients/s", "bare/s", "ratio", "other way"]]  # fmt: skip
    for case, row in results["cases"].items():
        name = _name(case)
        if "skipped" in row:
            table.append([name, row["skipped"], *[""] * 10])
            continue
        other = next((f"{way} {row[way]['wall_ms']:.0f}" for way in _OTHER_WAYS if way in row), "")
        together = row["together"]
        table.append(
            [
                name,
                *(f"{value:.0f}" for value in (row["product"]["wall_ms"], row["bare"]["wall_ms"])),
                f"{row['ratio']:.2f}",
                *(
                    f"{value:.0f}"
                    for value in (
                        row["added_wall_ms"], row["product"]["cpu_ms"], row["bare"]["cpu_ms"], row["added_cpu_ms"]
                    )
                ),
                *(f"{together[key]:.1f}" for key in ("product_per_s", "bare_per_s")),
                f"{together['ratio']:.2f}",
                other,
            ]
        )  # fmt: skip
    return table


def section(results: Results, folder: Path) -> str:
    """The part of `README.md`, and `results.svg`."""
    (folder / "results.svg").write_text(_plot(results), encoding="utf-8")
    machine = results["machine"]
    inputs = "\n".join(
        _line([_name(case), row["input"], _size(row["input_bytes"]), row["engine"], str(row["rounds"])])
        for case, row in results["cases"].items()
        if "skipped" not in row
    )
    rough = "\n**A quick run: small inputs, few rounds, rough figures.**\n" if results["quick"] else ""
    return f"""# What the product adds to its engines

`python benchmarks/run.py` starts `filewright serve` on an empty data directory, sends files over HTTP and takes the
results, and in turns with it runs the same engine with the same options and nothing around it. Every conversion of the
product is a job on disk, in a sandbox, with its result checked, before its bytes are answered; the bare engine does
none of that.
{rough}
![Bare time over product time](results.svg)

{_markdown(rows(results))}

Milliseconds; wall time is the median of the rounds, CPU time the mean of user and system time of the whole process
tree. *bare/product* is 1 where the product adds nothing. *2 clients/s* are conversions a second by two callers at once,
*bare/s* the same by two bare engines side by side. The bare engine is a warm process that has everything imported where
it is a library (the *fresh process* starts one per file), and the program itself where it is one: for LibreOffice with
the product's own start profile (the *stock profile* is what `soffice --convert-to` does by itself). The bare csv →
parquet does less than the product, which reads every value as text first, so that nothing of it is lost.

{_summary(results)}

Filewright {results["version"]} on {machine["cores"]} cores of {machine["cpu"]}, {machine["memory_gib"]} GiB, \
{machine["system"]}, Python {machine["python"]}; load average at the start {machine["load_before"]}.

| conversion | input | bytes | engine | rounds |
|---|---|---|---|---|
{inputs}
"""


def _summary(results: Results) -> str:
    start = results["start_seconds"]
    return (
        f"From the command to the first answer: {start['first']} s on an empty data directory, {start['again']} s on "
        f"one in use. Idle, the whole process tree holds {results['idle_rss_mib']:.0f} MiB."
    )


def _aligned(table: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n in {0, 11} else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    )


def _markdown(table: Sequence[Sequence[str]]) -> str:
    heading, *lines = table
    return "\n".join(_line(row) for row in (heading, ["---", *["---:"] * 10, "---"], *lines))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _name(case: str) -> str:
    return case.replace("-", " → ")


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


# --- the plot --------------------------------------------------------------------------------------------------------

_BAR, _GAP, _LEFT, _WIDTH = 14, 18, 130, 420


def _plot(results: Results) -> str:
    """Two bars per conversion: one caller, and two at once; the line at 1 is the bare engine."""
    cases = [(case, row) for case, row in results["cases"].items() if "skipped" not in row]
    most = max([1.1, *(max(row["ratio"], row["together"]["ratio"]) for _, row in cases)])
    scale, high = _WIDTH / most, len(cases) * (2 * _BAR + _GAP) + 50
    size = f'viewBox="0 0 {_LEFT + _WIDTH + 60} {high}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Bare time over product time">',
        f'<rect width="{_LEFT + _WIDTH + 60}" height="{high}" fill="#ffffff"/>',
        *_legend(_LEFT, "#2f6f9f", "one caller"),
        *_legend(_LEFT + 100, "#e0a030", "two at once"),
    ]
    for number, (case, row) in enumerate(cases):
        top = 32 + number * (2 * _BAR + _GAP)
        parts.append(f'<text x="{_LEFT - 8}" y="{top + _BAR + 4}" text-anchor="end">{escape(_name(case))}</text>')
        for line, (value, colour) in enumerate(((row["ratio"], "#2f6f9f"), (row["together"]["ratio"], "#e0a030"))):
            y, width = top + line * _BAR, value * scale
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + width + 4:.1f}" y="{y + _BAR - 3}">{value:.2f}</text>')
    one = _LEFT + scale
    parts.append(
        f'<line x1="{one:.1f}" x2="{one:.1f}" y1="26" y2="{high - 18}" stroke="#444444" stroke-dasharray="4 3"/>'
    )
    parts.append(f'<text x="{one:.1f}" y="{high - 4}" text-anchor="middle">the bare engine = 1</text>')
    return "\n".join([*parts, "</svg>", ""])


def _legend(left: int, colour: str, text: str) -> Sequence[str]:
    return (
        f'<rect x="{left}" y="8" width="10" height="10" fill="{colour}"/>',
        f'<text x="{left + 16}" y="17">{text}</text>',
    )
