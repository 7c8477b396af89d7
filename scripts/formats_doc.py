"""Write docs/formats.md: every pair of formats that some way leads through, with its steps, engines and loss.

Only what engines declare counts, and each pair of source and target once, however many ways there are. A pair is called
proven when a test converts a file that way and reads its facts from the product with a tool that did not make it: the
names of those tests are made here as the suite makes them. With --check nothing is written, and the page must be as it
would be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT / "tests")  # in place of scripts/, where a file has the same name as the suite

from corpus.samples import samples  # noqa: E402
from corpus.wanted import INTO_EVERYTHING, can_be_asked, is_quick, wanted_targets  # noqa: E402
from filewright.converter.engines.port import Loss  # noqa: E402
from filewright.converter.engines.registry import Registry  # noqa: E402
from filewright.converter.engines.standard import standard_engines  # noqa: E402
from filewright.converter.formats.catalogue import FORMATS, Family  # noqa: E402
from filewright.converter.formats.detection import claimed_format  # noqa: E402
from filewright.converter.routing.planner import Planner, Route  # noqa: E402

PAGE = ROOT / "docs" / "formats.md"
TESTS = (
    "tests/corpus/test_files.py::test_a_file_becomes_all_that_people_ask_for_and_keeps_its_facts",
    "tests/corpus/test_pairs.py::test_a_file_becomes_everything_that_is_promised",
)
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
    proofs = {source: proven(source, [route.target for route in routes[source]]) for source in sources}
    tested = sum(len(found) for found in proofs.values())
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
        "A way never goes on from a step that takes all but a part, so no pair counts that leads through one.",
        "",
        f"**{tested} pairs have a test of their own**, which converts a file, and reads what is known of it from the",
        "product with another tool. Under each source stand the targets and the file, which is the test's parameter;",
        "the second test is for files that become everything:",
        "",
        *(f"    {test}[file]" for test in TESTS),
        "",
        "Of the others, each step is an engine's own that its tests convert with, every product is opened and its type",
        "detected before anybody gets it, and [corpus.md](corpus.md) counts what became of them with real files.",
        "",
        "*Loss* is what a person would miss: nothing, fine points, layout (the content stays), or all but a part (the",
        "text of a PDF, the sound of a film).",
        "",
        "| engine | needs |",
        "|---|---|",
        *(f"| {name} | {need} |" for name, need in NEEDS.items()),
        "",
        "| kind | formats | pairs | with a test |",
        "|---|---:|---:|---:|",
    ]
    for family in Family:
        members = [source for source in sources if FORMATS[source].family is family]
        counts = [sum(len(found[source]) for source in members) for found in (routes, proofs)]
        lines.append(f"| {family} | {len(members)} | {counts[0]:,} | {counts[1]:,} |")
    for family in Family:
        lines += ["", f"## From {family}"]
        for source in sources:
            if FORMATS[source].family is family:
                lines += ["", *section(source, routes[source]), *proof(proofs[source])]
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


def proven(source: str, possible: Sequence[str]) -> Mapping[str, str]:
    """The file whose test proves it, by target."""
    found: dict[str, str] = {}
    for case in samples():
        claimed = claimed_format(case.filename)
        if case.refused_for or claimed is None or claimed.id != source:
            continue
        everything = case.name in INTO_EVERYTHING
        for target in possible if everything else wanted_targets(source, possible):
            if can_be_asked(case.facts, target) and (everything or is_quick(case.facts, target)):
                found.setdefault(target, case.name)
    return found


def proof(found: Mapping[str, str]) -> Iterable[str]:
    """One line for each file."""
    for name in dict.fromkeys(found.values()):
        targets = ", ".join(f"`{target}`" for target, file in found.items() if file == name)
        yield ""
        yield f"Tested with `{name}`: {'everything' if name in INTO_EVERYTHING else targets}."


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
