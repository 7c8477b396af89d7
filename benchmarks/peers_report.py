"""Say how the product stands beside others: for a terminal, and as a part of `README.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import aligned, described, markdown
from plots import bars

Results = Mapping[str, Any]


def show(results: Results) -> str:
    """For a terminal."""
    tables = [_office(results), _users(results), _verdicts(results), _text(results)]
    return "\n\n".join(aligned(table) for table in tables if len(table) > 1)


def section(results: Results, folder: Path) -> str:
    """The part of the page, and its plots."""
    office = results["office"]
    for name, title, key in (("a-minute", "Documents a minute, cores full", "per_minute"),
                             ("processor", "Processor time of a document", "cpu_ms"),
                             ("memory", "Most memory, cores full", "peak_mib")):  # fmt: skip
        unit = {"per_minute": "more is better", "cpu_ms": "ms, less is better", "peak_mib": "MiB"}[key]
        drawn = bars(title, unit, {way: row[key] for way, row in office.items()})
        (folder / f"peers-{name}.svg").write_text(drawn, encoding="utf-8")
    rough = "\n**A quick run: few documents, one round, rough figures.**\n" if results["quick"] else ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in results["documents"].items())
    return f"""# Beside what else there is

`python benchmarks/peers.py` converts the same small documents ({kinds}) to PDF in every way, in turns: first one after
the other, then by {results["callers"]} callers at once on as many cores; the product, which has
as many slots, by twice as many, since who sends a file or fetches a result is in no slot meanwhile.
{rough}
- **fork**: a sandboxed child of a warm LibreOffice for each file, and nothing around it: the limit of this machine.
- **product**: `filewright serve` as it comes; a file goes in over HTTP, is stored, converted in a sandbox, checked, and
  the result is stored and answered.
- **soffice**: `soffice --convert-to pdf` for each file, each caller with a profile of its own that is in use already.
- **new profile**: the same with a profile made anew for each file, as Transmute calls it.
- **shared**: the same with one profile for all, as ConvertX calls it; callers wait for each other, or fail.
- **unoserver**: a LibreOffice that stays, one for each caller, and a client that stays; **unoconvert**: its command.

Only *fork* and *product* keep one document's conversion from the next one's.

![Documents a minute](peers-a-minute.svg)
![Processor time](peers-processor.svg)
![Memory](peers-memory.svg)

{markdown(_office(results))}

Wall time is a median, one file at a time; CPU time the mean of the whole process tree. Memory is proportional set size
of all processes, idle ones included, at its highest. *Pages* are those of all documents together, counted by another
reader; equal numbers mean equal work. *Failed* are conversions without a result; a document that a way could not
convert at first it was not given again.

One letter of one page, again and again, by one user and by three at once:

{markdown(_users(results))}

{markdown(_verdicts(results))}

Words out of documents, beside MarkItDown, as a process that stays and as a command for each file; *words* is the share
of the document's own words that came out:

{markdown(_text(results))}

Filewright {results["version"]} on {described(results["machine"])}.
"""


def _office(results: Results) -> Sequence[Sequence[str]]:
    office = results["office"]
    limit = office.get("fork", {}).get("per_minute")
    heading = ["way", "wall ms", "CPU ms", "a minute", "of fork", "pages a minute", "CPU ms, together", "MiB at most",
               "pages", "failed"]  # fmt: skip
    return [
        heading,
        *(
            [
                way,
                f"{row['wall_ms']:.0f}",
                f"{row['cpu_ms']:.0f}",
                f"{row['per_minute']:,.0f}",
                f"{row['per_minute'] / limit:.2f}" if limit else "",
                f"{row['pages_per_minute']:,.0f}",
                f"{row['cpu_together_ms']:.0f}",
                f"{row['peak_mib']:,}",
                str(row["pages"]),
                str(row["failed"]),
            ]
            for way, row in office.items()
        ),
    ]


def _users(results: Results) -> Sequence[Sequence[str]]:
    return [
        ["way", "one: p50 ms", "p95", "three: p50", "p95"],
        *(
            [way, *(f"{row[key]:.0f}" for key in ("alone_p50_ms", "alone_p95_ms", "three_p50_ms", "three_p95_ms"))]
            for way, row in results["office"].items()
        ),
    ]


def _verdicts(results: Results) -> Sequence[Sequence[str]]:
    office = results["office"]
    product, fork, stock = (office.get(way) for way in ("product", "fork", "soffice"))
    table = [["question", "answer", "wanted"]]
    if product and fork:
        share = product["per_minute"] / fork["per_minute"]
        table.append(["documents a minute, of what the fork alone gives", f"{share:.2f}", "≥ 0.9"])
    if product and stock:
        times = product["per_minute"] / stock["per_minute"]
        table.append(["documents a minute, times those of soffice", f"{times:.1f}", "≥ 8"])
    if product:
        able = f"≥ 1,000 (the fork alone: {fork['per_minute']:,.0f})" if fork else "≥ 1,000"
        table.append(["documents a minute", f"{product['per_minute']:,.0f}", able])
        table.append(["a letter of one page, p50", f"{product['alone_p50_ms']:.0f} ms", "≤ 300 ms"])
        times = product["three_p95_ms"] / product["alone_p50_ms"]
        table.append(["the same for three users, p95, times that p50", f"{times:.2f}", "≤ 2"])
    return table


def _text(results: Results) -> Sequence[Sequence[str]]:
    return [
        ["conversion", "way", "wall ms", "CPU ms", "words"],
        *(
            [row["conversion"], row["way"], f"{row['wall_ms']:.0f}", f"{row['cpu_ms']:.0f}", f"{row['recall']:.1%}"]
            for row in results["text"]
        ),
    ]
