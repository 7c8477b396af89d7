"""Say what a soak showed: on the terminal, in `docs/soak.md`, `docs/soak.svg` and `benchmarks/soak.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import aligned, described, markdown
from plots import lines

Results = Mapping[str, Any]


def show(results: Results) -> str:
    """For a terminal."""
    return "\n\n".join(aligned(table) for table in (_answers(results), _poison(results), _kinds(results)))


def write(results: Results, root: Path) -> None:
    """All three files."""
    (root / "benchmarks" / "soak.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    samples = results["samples"]
    series = {
        "server": [(sample["jobs"], sample["server_mib"]) for sample in samples],
        "children": [(sample["jobs"], sample["children_mib"]) for sample in samples],
    }
    plot = lines("Memory when nothing runs", "MiB", "conversions", series)
    (root / "docs" / "soak.svg").write_text(plot, encoding="utf-8")
    (root / "docs" / "soak.md").write_text(_page(results), encoding="utf-8")


def _answers(results: Results) -> Sequence[Sequence[str]]:
    slopes, calm, beside = results["slope_mib_per_1000_jobs"], results["calm"], results["beside_poison"]
    wrong = sum(results["wrong"].values())
    return [
        ["question", "answer", "wanted"],
        ["conversions, of them poison", f"{results['jobs']:,}, {_sent(results):,}", ""],
        ["a minute", f"{results['per_minute']:,}", ""],
        ["memory of the server, MiB more per 1,000", f"{slopes['server']:+.2f}", "about 0"],
        ["memory of its children, MiB more per 1,000", f"{slopes['children']:+.2f}", "about 0"],
        ["jobs that are stuck", str(results["stuck"]), "0"],
        ["good files that were not converted", str(wrong), "0"],
        ["poison that ran past its deadline + 5 s", str(results["poison_late"]), "0"],
        ["p50, p95 of good files, no poison about", f"{calm['p50_ms']:.0f}, {calm['p95_ms']:.0f} ms", ""],
        ["p50, p95 beside poison", f"{beside['p50_ms']:.0f}, {beside['p95_ms']:.0f} ms", ""],
        ["p95 beside poison, times that without", f"{results['p95_ratio'] or 0:.2f}", "≤ 1.5"],
    ]


def _sent(results: Results) -> int:
    return sum(row["sent"] for row in results["poison"].values())


def _poison(results: Results) -> Sequence[Sequence[str]]:
    return [
        ["poison", "sent", "ended", "longest attempt"],
        *(
            [
                name,
                str(row["sent"]),
                ", ".join(f"{n} {code}" for code, n in row["ended"].items()),
                f"{row['longest_s']} s",
            ]
            for name, row in results["poison"].items()
        ),
    ]


def _kinds(results: Results) -> Sequence[Sequence[str]]:
    rows = sorted(results["kinds"].items())
    return [
        ["conversion", "times", "p50 ms", "p95 ms"],
        *([name, str(row["jobs"]), f"{row['p50_ms']:.0f}", f"{row['p95_ms']:.0f}"] for name, row in rows),
    ]


def _page(results: Results) -> str:
    wrong = "".join(f"- {count} × {what}\n" for what, count in results["wrong"].items())
    return f"""<!-- Made by benchmarks/soak.py; run it to make it anew. -->

# Thousands of conversions, and poison among them

`python benchmarks/soak.py` starts `filewright serve` on an empty data directory and sends it small files over HTTP,
from two callers that wait for each result, which is stored and kept for five minutes. In every second block of jobs a
third caller sends poison beside them: files that never end, fill memory, unpack to a thousand times their size, or are
not what they say. A job may run for {results["deadline_s"]:.0f} seconds; each caller has an address, and so a turn, of
its own. Between the blocks, when nothing runs, memory is read: proportional set size of the server, and of all its
children together. The slopes leave the first fifth out, in which everything becomes warm.

{markdown(_answers(results))}

![Memory when nothing runs](soak.svg)

{markdown(_poison(results))}

*Longest attempt* is from the moment a worker took the job until its end was written down; a file that crashes its
engine is tried three times and then kept in quarantine.

{markdown(_kinds(results))}

{"Not converted:" + chr(10) + chr(10) + wrong if wrong else "Every good file was converted."}

States of all jobs in the end: {", ".join(f"{count:,} {state}" for state, count in sorted(results["states"].items()))}.

Filewright {results["version"]} on {described(results["machine"])}; {results["seconds"] / 60:.0f} minutes.
"""
