"""Write docs/formats.md: every pair of formats that some way leads through, with its steps, engines and loss.

Only what engines declare counts, and each pair of source and target once, however many ways there are. With --check
nothing is written, and the page must be as it would be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from filewright.converter.engines.port import Loss
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.formats.catalogue import FORMATS, Family
from filewright.converter.routing.planner import Planner, Route

PAGE = Path(__file__).resolve().parent.parent / "docs" / "formats.md"
NEEDS = {
    "libreoffice": "LibreOffice",
    "poppler": "poppler-utils",
    "ghostscript": "ghostscript",
    "bsdtar": "libarchive-tools",
    "weasyprint": "libpango",
}
"""Engines that need a package of the system; all others come with the Python packages."""
LOSSES = {
    Loss.NONE: "nothing",
    Loss.SMALL: "fine points",
    Loss.LARGE: "layout",
    Loss.MOST: "all but a part",
}


def page() -> str:
    planner = Planner(Registry(standard_engines()).declared())
    sources = planner.sources()
    routes = {source: planner.targets(source) for source in sources}
    pairs = sum(len(found) for found in routes.values())
    direct = sum(len(route.steps) == 1 for found in routes.values() for route in found)
    targets = {route.target for found in routes.values() for route in found}
    lines = [
        "# Formats",
        "",
        "<!-- Made by scripts/formats_doc.py from what the engines declare; nobody edits it. -->",
        "",
        f"{len(sources)} formats can be read, {len(targets)} written: {pairs:,} pairs, {direct:,} in one step.",
        "A pair counts once, however many engines could do it. Shown is the way that is taken when every engine is",
        "installed; when one is missing or fails, the next best is tried. `filewright formats` tells what is possible",
        "on one machine, and [corpus.md](corpus.md) how real files fare.",
        "",
        "*Loss* is what a person would miss: nothing, fine points, layout (the content stays), or all but a part (the",
        "text of a PDF, the sound of a film).",
        "",
        "| engine | needs |",
        "|---|---|",
        *(f"| {name} | {need} |" for name, need in NEEDS.items()),
        "",
        "| kind | formats | pairs |",
        "|---|---:|---:|",
    ]
    for family in Family:
        members = [source for source in sources if FORMATS[source].family is family]
        lines.append(f"| {family} | {len(members)} | {sum(len(routes[source]) for source in members):,} |")
    for family in Family:
        lines += ["", f"## From {family}"]
        for source in sources:
            if FORMATS[source].family is family:
                lines += ["", *section(source, routes[source])]
    return "\n".join(lines) + "\n"


def section(source: str, routes: Iterable[Route]) -> Iterable[str]:
    """One source: targets that are reached the same way share a row."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for route in routes:
        needs = ", ".join(sorted({NEEDS[step.engine] for step in route.steps if step.engine in NEEDS}))
        rows.setdefault((way(route), LOSSES[route.loss], needs), []).append(route.target)
    yield f"### {FORMATS[source].name} (`{source}`)"
    yield ""
    yield "| to | way | loss | system package |"
    yield "|---|---|---|---|"
    for (steps, loss, needs), targets in rows.items():
        yield f"| {', '.join(f'`{target}`' for target in targets)} | {steps} | {loss} | {needs} |"


def way(route: Route) -> str:
    """`polars → csv → pandoc`: the engines, with what lies between them."""
    first = route.steps[0].engine
    return first + "".join(f" → {step.conversion.source} → {step.engine}" for step in route.steps[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the page is stale")
    text = page()
    if parser.parse_args().check:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print("docs/formats.md is stale. Run scripts/formats_doc.py.", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
