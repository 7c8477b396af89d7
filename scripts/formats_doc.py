"""Write docs/formats.md: every pair of formats that some way leads through, with its steps, engines and loss.

Only what engines declare counts, and each pair of source and target once, however many ways there are. What became
of each when it was last converted stands in docs/data/pairs.json, which scripts/pairs.py writes: a pair that is
promised and not in there fails this script. With --check nothing is written, and the page must be as it would be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT / "tests")  # in place of scripts/, where a file has the same name as the suite

from corpus.pairs import WAITING, promised, way_of  # noqa: E402
from corpus.record import Record  # noqa: E402
from corpus.sources import SOURCES, SPECIMEN  # noqa: E402
from filewright.converter.engines.port import Loss  # noqa: E402
from filewright.converter.formats.catalogue import FORMATS, Family  # noqa: E402
from filewright.converter.routing.planner import Route  # noqa: E402

PAGE = ROOT / "docs" / "formats.md"
TEST = "tests/corpus/test_pairs.py::test_a_file_becomes_what_is_promised_and_another_tool_reads_it"
NEEDS = {
    "libreoffice": "LibreOffice",
    "poppler": "poppler-utils",
    "ghostscript": "ghostscript",
    "bsdtar": "libarchive-tools",
    "weasyprint": "libpango",
}
"""Engines that need a package of the system; all others come with the Python packages."""
WITHIN_REACH = (
    ("MOBI, AZW3, LIT, LRF", "calibre (Debian, GPL, a program of its own)", "363 MB, as much as all engines together"),
    ("RAW photos (CR2, NEF, ARW, DNG)", "rawpy (wheel)", "no recogniser and no free samples of each camera yet"),
    ("DICOM", "pydicom (wheel)", "what a picture of it may tell of a patient is not settled"),
    ("STEP, IGES", "cascadio (wheel)", "100 MB; the wheels together stay below 400"),
    ("DjVu, comic books", "djvulibre (Debian), bsdtar", "pages of pictures, for which there is PDF"),
    ("BibTeX, RIS, CSL JSON, EndNote", "pandoc, which is here", "lists, which most targets would leave empty"),
    ("DokuWiki, TWiki, Jira, Muse, Djot, t2t", "pandoc, which is here", "texts that nothing tells from plain ones"),
    ("MapInfo, S-57, DGN", "GDAL, which is here", "several files each, as shapefiles are"),
)
"""What a package would bring that is not offered, by what, and why not."""
LOSSES = {
    Loss.NONE: "nothing",
    Loss.SMALL: "fine points",
    Loss.LARGE: "layout",
    Loss.MOST: "all but a part",
}


def page(record: Record) -> str:
    routes = promised()
    every = [route for found in routes.values() for route in found]
    proven = {(pair.source, pair.target) for pair in record.pairs.values() if not pair.trouble}
    kept = [pair.kept for pair in record.pairs.values() if pair.kept and not pair.trouble]
    lines = [
        "# Formats",
        "",
        "<!-- Made by scripts/formats_doc.py from the engines and docs/data/pairs.json; nobody edits it. -->",
        "",
        f"{len(routes)} formats can be read, {len({route.target for route in every})} written:",
        f"**{len(every):,} pairs**, {sum(len(route.steps) == 1 for route in every):,} in one step.",
        "",
        "A pair counts once, however many engines could do it and however many dialects a format has; a file that",
        "stays of its format is no pair. Shown is the way that is taken when every engine is installed; when one is",
        "missing or fails, the next best is tried. `filewright formats` tells what is possible on one machine, and",
        "[corpus.md](corpus.md) how real files fare.",
        "",
        "## What is not promised",
        "",
        "A chain of steps that would lose what the file is for is no way, so no pair counts that leads through it:",
        "",
        "* nothing follows a step that takes all but a part, may make several files, or leaves pictures behind;",
        "* no two steps that drop the layout follow each other, and no way has more than three steps; where the first",
        "  has rebuilt a document from the look of its pages, a second may that keeps headings, lists and tables;",
        "* nothing is made of a web page that shows the pages of a PDF as they looked, each line in its place;",
        "* a picture, a sound or a film becomes no document, and no film becomes another by way of a picture;",
        "* a still becomes no film, and a film that has no room for sound becomes no sound;",
        "* a drawing, and a map or a plan that was drawn, becomes drawings, pictures and PDF, and no text;",
        "* what is taken for something more general (a 3D scene or a notebook for JSON, a book for XML, a map for",
        "  SQLite) becomes other writings of the same data or other archives, and no table or page of its brackets.",
        "",
        "## How each pair is proven",
        "",
        "Every pair has a test of its own, which converts a small file through the whole converter, opens the product",
        "with a tool that did not make it, and looks there for what is known of the file: words, cells, pixels,",
        "seconds, members, shapes. Its name is",
        "",
        f"    {TEST}[source-target]",
        "",
        "with the format ids of this page, such as `[docx-pdf]`. All of them run with `scripts/test --long`, and some,",
        "others with each seed, with `scripts/test`. [`data/pairs.json`](data/pairs.json) is",
        "the record of the last time `scripts/pairs.py` converted each, with the versions of the engines. By",
        f"{record.date} **{len(proven):,} of {len(every):,} ({len(proven) / len(every):.1%})** were converted and read",
        f"again. In {len(kept):,} of these, {sum(kept):,} facts about their files were found; of the others",
        "it was looked at alone whether the product is whole, of its type, and not empty.",
        "",
        "Parquet, Arrow and Avro are read by the library that wrote them, for want of another; their marks are looked",
        f"at, too. No tool here writes {specimens(routes)}:",
        "those are tried with files of your own, in the folder that `FILEWRIGHT_SPECIMENS` names, and their tests are",
        "left out where there is none.",
        "",
        *trouble(record),
        "*Loss* is what a person would miss: nothing, fine points, layout (the content stays), or all but a part (the",
        "text of a PDF, the sound of a film).",
        "",
        "| engine | needs |",
        "|---|---|",
        *(f"| {name} | {need} |" for name, need in NEEDS.items()),
        "",
        "| kind | formats | pairs | proven |",
        "|---|---:|---:|---:|",
    ]
    for family in Family:
        members = [source for source in routes if FORMATS[source].family is family]
        promised_here = sum(len(routes[source]) for source in members)
        proven_here = sum(source in members for source, _ in proven)
        lines.append(f"| {family} | {len(members)} | {promised_here:,} | {proven_here:,} |")
    lines += ["", "## Within reach, and not offered", "", "| formats | by | why not |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in WITHIN_REACH]
    for family in Family:
        lines += ["", f"## From {family}"]
        for source, found in routes.items():
            if FORMATS[source].family is family:
                lines += ["", *section(source, found)]
    return "\n".join(lines) + "\n"


def specimens(routes: Iterable[str]) -> str:
    """The formats whose files everybody must bring."""
    *most, last = [f"`{source}`" for source in routes if SOURCES[source] is SPECIMEN]
    return f"{', '.join(most)} and {last}"


def trouble(record: Record) -> Iterable[str]:
    """The pairs that failed, which users should know of, and how many nobody tried."""
    failed = [pair for pair in record.pairs.values() if pair.failed]
    waiting = sum(pair.trouble == WAITING for pair in record.pairs.values())
    if waiting:
        gone, ways = ways_gone(record)
        yield f"{waiting:,} others are in the record as not tried yet. Of the ways from a format, by the same engines"
        yield f"in one order, {gone:,} of {ways:,} have a pair that is proven, and every product is opened and its type"
        yield "detected before anybody gets it."
        yield ""
    if failed:
        yield "These did not:"
        yield ""
        yield from (f"* `{pair.source}-{pair.target}`: {pair.trouble.splitlines()[0][:160]}" for pair in failed)
        yield ""


def ways_gone(record: Record) -> tuple[int, int]:
    """How many ways from a format have a proven pair, and how many there are."""
    routes = [(source, route) for source, found in promised().items() for route in found]
    proven = {pair for pair, found in record.pairs.items() if not found.trouble}
    gone = {(source, way_of(route)) for source, route in routes if (source, route.target) in proven}
    return len(gone), len({(source, way_of(route)) for source, route in routes})


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
    check = parser.parse_args().check
    record = Record.load()
    missing = [f"{s}-{r.target}" for s, found in promised().items() for r in found if (s, r.target) not in record.pairs]
    if missing:
        print(f"{len(missing)} pairs are promised and were never converted: {', '.join(missing[:12])}", file=sys.stderr)
        print("Run scripts/pairs.py --new, or have them noted with --note.", file=sys.stderr)
        return 1
    record.keep_promised(promised())
    text = page(record)
    if check:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print("docs/formats.md is stale. Run scripts/formats_doc.py.", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
