"""Say what the product adds to its engines: for a terminal, and as a part of `README.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import aligned, described, markdown

Results = Mapping[str, Any]
LONG_MS = 200
"""Work that takes longer should reach nine tenths of its ceiling; to shorter, no more than this may be added:"""
ADDED_MS = 40
SHARE = 0.9


def show(results: Results) -> str:
    """For a terminal."""
    return aligned(_table(results))


def section(results: Results, folder: Path) -> str:
    """The part of the page."""
    rough = "\n**A quick run: few rounds, rough figures.**\n" if results["quick"] else ""
    held = [is_held(row) for row in results["cases"].values() if "skipped" not in row]
    return f"""# Beside the engine in its sandbox

`python benchmarks/ceilings.py` runs each conversion through the product, and in turns with it the same engine in the
same sandbox with nothing around: no HTTP, no database, no storage, no look at what goes in and what comes out. That is
the ceiling for whoever isolates each file. To reach: {SHARE} of it for work over {LONG_MS} ms, at most {ADDED_MS} ms \
added for shorter.
{rough}
{markdown(_table(results))}

*a minute* is what two cores give: the engine to two callers, the product's two slots
to four. {sum(held)} of {len(held)} hold.

Filewright {results["version"]} on {described(results["machine"])}.
"""


def is_held(row: Mapping[str, Any]) -> bool:
    """Whether the product adds no more than it may."""
    if row["engine_ms"] > LONG_MS:
        return bool(row["ratio"] >= SHARE)
    return bool(row["added_ms"] <= ADDED_MS)


def _table(results: Results) -> Sequence[Sequence[str]]:
    heading = ["conversion", "of", "engine", "engine ms", "product ms", "added", "ratio", "CPU ms", "engine a minute",
               "product a minute", "ratio", "holds"]  # fmt: skip
    lines = []
    for name, row in results["cases"].items():
        if "skipped" in row:
            lines.append([name, row["says"], row["skipped"], *[""] * 9])
            continue
        lines.append(
            [
                name,
                row["says"],
                row["engine"],
                f"{row['engine_ms']:.0f}",
                f"{row['product_ms']:.0f}",
                f"{row['added_ms']:.0f}",
                f"{row['ratio']:.2f}",
                f"{row['product_cpu_ms']:.0f}",
                f"{row['engine_per_minute']:,.0f}",
                f"{row['product_per_minute']:,.0f}",
                f"{row['together_ratio']:.2f}",
                "yes" if is_held(row) else "no",
            ]
        )
    return [heading, *lines]
