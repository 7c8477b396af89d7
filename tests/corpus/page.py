"""The page that says how the corpus fares: totals, a table per family, then everything that is not fine and why."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from corpus.cases import Case
from corpus.trying import REFUSAL_SECONDS, Tried
from corpus.wanted import can_be_asked
from filewright.converter.engines.registry import Registry
from filewright.converter.routing.planner import Planner

NOTE = "<!-- Made by scripts/corpus.py from its last results; nobody edits it. -->"
REMARKS: Mapping[tuple[str, str], str] = {
    ("cad/binary.stl", "triangles"): "the file was cut: it holds one of the 1,690 triangles that its head announces",
    ("ebooks/images.fb2", "images"): "pandoc leaves a picture out of slides when its name in the book has no ending",
}
"""Why a fact was lost where the file or the target, not a defect, is the reason."""
_FAULTS = frozenset({"defect", "engine_crashed", "internal"})


def corpus_page(cases: Sequence[Case], tried: Sequence[Tried], registry: Registry) -> str:
    """Markdown, from results of files that the corpus still has."""
    names = {case.name: case for case in cases}
    known = [item for item in tried if item.file in names]
    good = [
        item
        for item in known
        if not names[item.file].refused_for
        and item.target in _promised(item, registry)
        and can_be_asked(names[item.file].facts, item.target)
    ]
    bad = [item for item in known if names[item.file].refused_for]
    return "\n".join(
        [
            "# The corpus, file by file",
            "",
            NOTE,
            "",
            f"{len(cases)} real files that nobody here wrote, sent to the real converter in its sandbox, with facts",
            "about each that other tools established. They are read from the products by tools that did not make them,",
            "and each is asked only of a target that has room for it: the width of a picture of a PNG, not of a text.",
            "Sound is not asked of a film that has none, nor pictures of a sound.",
            "",
            *_totals(cases, good, bad, registry),
            "",
            *_engines(good, registry),
            "",
            "## Files that must convert",
            *_families(cases, good),
            "",
            "## Files that must be refused",
            "",
            *_refused(cases, bad),
            "",
            "## What did not convert",
            "",
            *_failures(good),
            "",
            "## Facts that were lost",
            "",
            *_losses(good),
            "",
        ]
    )


def _promised(item: Tried, registry: Registry) -> frozenset[str]:
    planner = _planner(registry)
    found = _TARGETS.get(item.source_format)
    if found is None:
        found = frozenset(route.target for route in planner.targets(item.source_format))
        _TARGETS[item.source_format] = found
    return found or frozenset({item.target})


def _totals(cases: Sequence[Case], good: Sequence[Tried], bad: Sequence[Tried], registry: Registry) -> Iterable[str]:
    must, refuse = [c for c in cases if not c.refused_for], [c for c in cases if c.refused_for]
    formats = {item.file: item.source_format for item in good}
    facts = {case.name: case.facts for case in cases}
    promised = sum(
        can_be_asked(facts[file], target) for file, kind in formats.items() for target in _TARGETS.get(kind, ())
    )
    converted = [item for item in good if not item.code]
    files = {item.file for item in converted}
    kept, lost = sum(len(item.kept) for item in converted), sum(len(item.lost) for item in converted)
    right = [item for item in bad if not item.code and item.seconds <= REFUSAL_SECONDS]
    faults = [item for item in (*good, *bad) if item.code in _FAULTS]
    yield from ["| what | count | of | share |", "|---|---:|---:|---:|"]
    yield _row("files that must convert and do, to at least one target", len(files), len(must))
    yield _row("pairs of file and promised target that convert", len(converted), len(good))
    yield _row("facts kept by products", kept, kept + lost)
    yield _row("files that must be refused, by the right code within 60 s", len(right), len(refuse))
    yield _row("pairs tried so far, of all that are promised for these files", len(good), promised)
    yield f"| crashes and untyped errors | {len(faults)} | {len(good) + len(bad)} | |"


def _row(what: str, count: int, whole: int) -> str:
    return f"| {what} | {count:,} | {whole:,} | {100 * count / whole if whole else 0:.1f} % |"


def _engines(good: Sequence[Tried], registry: Registry) -> Iterable[str]:
    used = Counter(name for item in good for name in item.engines)
    fallen = Counter(name for item in good for name in item.tried)
    yield from ["| engine | version | steps | gave way to another |", "|---|---|---:|---:|"]
    for row in registry.diagnose():
        if used[row.engine] or fallen[row.engine]:
            yield f"| {row.engine} | {row.version} | {used[row.engine]:,} | {fallen[row.engine] or ''} |"


def _families(cases: Sequence[Case], good: Sequence[Tried]) -> Iterable[str]:
    by_file: dict[str, list[Tried]] = defaultdict(list)
    for item in good:
        by_file[item.file].append(item)
    for family in dict.fromkeys(case.family for case in cases):
        yield from ["", f"### {family}", "", "| file | format | targets | failed | facts kept | lost | slowest |",
                    "|---|---|---:|---|---:|---|---:|"]  # fmt: skip
        for case in cases:
            if case.family == family and not case.refused_for:
                yield _file_row(case, by_file[case.name])


def _file_row(case: Case, tried: Sequence[Tried]) -> str:
    fine = [item for item in tried if not item.code]
    failed = ", ".join(sorted(item.target for item in tried if item.code))
    lost = ", ".join(sorted({f"{fact} ({item.target})" for item in fine for fact in item.lost}))
    kept = sum(len(item.kept) for item in fine)
    slowest = max((item.seconds for item in fine), default=0.0)
    kind = tried[0].source_format if tried else ""
    return (
        f"| {_shown(case.name)} | {kind} | {len(fine)} of {len(tried)} | {failed} | {kept} | {lost} | {slowest:.1f} s |"
    )


def _refused(cases: Sequence[Case], bad: Sequence[Tried]) -> Iterable[str]:
    by_file = {item.file: item for item in bad}
    yield from ["| file | reason | answered | after | right |", "|---|---|---|---:|---|"]
    for case in cases:
        if case.refused_for:
            item = by_file.get(case.name)
            said = f"`{item.refused_with or item.code}` | {item.seconds:.1f} s" if item else "| "
            right = "yes" if item and not item.code else "**no**"
            yield f"| {_shown(case.name)} | {case.refused_for} | {said} | {right} |"


def _failures(good: Sequence[Tried]) -> Iterable[str]:
    grouped: dict[tuple[str, str, str], list[Tried]] = defaultdict(list)
    for item in good:
        if item.code:
            grouped[item.source_format, item.code, _sentence(item.detail)].append(item)
    if not grouped:
        yield "Nothing."
        return
    yield from ["| from | to | code | what was said | files |", "|---|---|---|---|---|"]
    for (kind, code, detail), items in sorted(grouped.items()):
        targets = ", ".join(sorted({item.target for item in items}))
        files = ", ".join(sorted({_shown(item.file) for item in items}))
        yield f"| {kind} | {targets} | `{code}` | {detail} | {files} |"


def _losses(good: Sequence[Tried]) -> Iterable[str]:
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for item in good:
        for fact, why in item.lost.items():
            remark = REMARKS.get((item.file, fact))
            grouped[item.file, fact, remark or why].append(item.target)
    if not grouped:
        yield "None."
        return
    yield from ["| file | fact | on | found |", "|---|---|---|---|"]
    for (file, fact, why), targets in sorted(grouped.items()):
        yield f"| {_shown(file)} | {fact} | {', '.join(sorted(targets))} | {_cell(why)} |"


def _sentence(detail: str) -> str:
    """The last sentence of what was said, without what only a log should hold."""
    line = detail.strip().splitlines()[-1] if detail.strip() else ""
    return _cell(line.split("') ", 1)[-1])


def _cell(text: str) -> str:
    return re.sub(r"(?<!\w)/\S*/", "", " ".join(text.split())).replace("|", "\\|")[:200]


def _shown(name: str) -> str:
    return f"`{name}`"


def _planner(registry: Registry) -> Planner:
    if registry not in _PLANNERS:
        _PLANNERS[registry] = Planner(registry.abilities())
    return _PLANNERS[registry]


_PLANNERS: dict[Registry, Planner] = {}
_TARGETS: dict[str, frozenset[str]] = {}
