"""Convert every file of the corpus to its promised targets, check the facts on each product, and write docs/corpus.md.

    scripts/corpus.py                          the usual targets of each file (some minutes)
    scripts/corpus.py --all                    every promised pair (an hour on two cores)
    scripts/corpus.py --all --family sheets    one family; --file and --target narrow further, by parts of names
    scripts/corpus.py --all --resume           go on where a run was stopped
    scripts/corpus.py --all --again            only what failed or lost a fact last time
    scripts/corpus.py --page                   write the page from the last results, convert nothing

Results go to .run/corpus.jsonl, one line per pair. FILEWRIGHT_CORPUS names the folder with the corpus.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT / "tests")  # in place of scripts/, where this file has the same name as the suite

from corpus.bench import Bench, open_bench  # noqa: E402
from corpus.cases import Case, from_corpus  # noqa: E402
from corpus.page import corpus_page  # noqa: E402
from corpus.trying import Tried, refusal_of, try_target  # noqa: E402
from corpus.wanted import can_be_asked, wanted_targets  # noqa: E402
from filewright.converter.engines.registry import Registry  # noqa: E402
from filewright.converter.engines.standard import standard_engines  # noqa: E402

RESULTS = ROOT / ".run" / "corpus.jsonl"
PAGE = ROOT / "docs" / "corpus.md"


def main() -> int:
    arguments = parsed()
    folder = os.environ.get("FILEWRIGHT_CORPUS")
    if not folder:
        print("FILEWRIGHT_CORPUS must name the folder with the corpus and its manifest.json.", file=sys.stderr)
        return 2
    cases = from_corpus(Path(folder))
    if not arguments.page:
        asyncio.run(run(cases, arguments))
    found = load()
    if not (arguments.family or arguments.file or arguments.target):
        PAGE.write_text(corpus_page(cases, list(found.values()), Registry(standard_engines())), encoding="utf-8")
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every promised pair, not only the usual targets")
    parser.add_argument("--family", default="", help="only files of this family")
    parser.add_argument("--file", default="", help="only files whose name contains this")
    parser.add_argument("--target", default="", help="only this target, or several with commas")
    parser.add_argument("--jobs", type=int, default=2, help="conversions at once (2)")
    parser.add_argument("--resume", action="store_true", help="leave out what the last results already have")
    parser.add_argument("--again", action="store_true", help="only pairs that failed or lost a fact last time")
    parser.add_argument("--page", action="store_true", help="convert nothing; write the page from the last results")
    return parser.parse_args()


def load() -> dict[tuple[str, str], Tried]:
    """The last result of each pair."""
    if not RESULTS.exists():
        return {}
    lines = RESULTS.read_text(encoding="utf-8").splitlines()
    tried = [Tried.from_json(json.loads(line)) for line in lines if line.strip()]
    return {(item.file, item.target): item for item in tried}


async def run(cases: list[Case], arguments: argparse.Namespace) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    known = load()
    with tempfile.TemporaryDirectory(prefix="filewright-corpus-") as folder:
        async with open_bench(Path(folder) / "jobs") as bench:
            pairs = await planned(bench, cases, arguments, known, Path(folder))
            await work_off(bench, pairs, arguments.jobs, Path(folder))


async def planned(
    bench: Bench, cases: list[Case], arguments: argparse.Namespace, known: dict[tuple[str, str], Tried], folder: Path
) -> list[tuple[Case, str]]:
    """Pairs still to try; a file that must be refused has the one target `-`."""
    pairs: list[tuple[Case, str]] = []
    seen: Counter[tuple[str, str]] = Counter()
    ranks: list[int] = []
    for case in cases:
        if arguments.family not in ("", case.family) or arguments.file not in case.name:
            continue
        kind, targets = await targets_of(bench, case, folder, everything=arguments.all)
        chosen = arguments.target.split(",") if arguments.target else targets
        for target in [target for target in targets if target in chosen]:
            seen[kind, target] += 1
            ranks.append(seen[kind, target])
            pairs.append((case, target))
    # Every kind of pair once before any a second time: a run that is stopped has seen as much as it could.
    pairs = [pairs[index] for index in sorted(range(len(pairs)), key=lambda index: ranks[index])]
    if arguments.resume:
        pairs = [pair for pair in pairs if (pair[0].name, pair[1]) not in known]
    if arguments.again:
        pairs = [(case, to) for case, to in pairs if (was := known.get((case.name, to))) and not was.fine]
    return pairs


async def targets_of(bench: Bench, case: Case, folder: Path, *, everything: bool) -> tuple[str, list[str]]:
    """What the file is, and what it is to become."""
    if case.refused_for:
        return "refused", ["-"]
    try:
        found = await bench.format_of(case.place(folder), case.filename)
    except Exception:
        return "?", ["?"]
    possible = [route.target for route in bench.promised(found) if can_be_asked(case.facts, route.target)]
    return found, possible if everything else list(wanted_targets(found, possible))


async def work_off(bench: Bench, pairs: list[tuple[Case, str]], jobs: int, folder: Path) -> None:
    waiting, started, done, bad = list(reversed(pairs)), time.monotonic(), 0, 0
    with RESULTS.open("a", encoding="utf-8") as results:

        async def worker() -> None:
            nonlocal done, bad
            while waiting:
                case, target = waiting.pop()
                tried = await (refusal_of if target == "-" else try_target)(bench, case, target, folder)
                results.write(json.dumps(tried.as_json(), ensure_ascii=False) + "\n")
                results.flush()
                done += 1
                if not tried.fine:
                    bad += 1
                    print(f"\r\033[K{tried.summary()}")
                show(done, len(pairs), bad, time.monotonic() - started)

        await asyncio.gather(*(worker() for _ in range(jobs)))
    print(f"\n{done} conversions, {bad} not fine, {time.monotonic() - started:.0f} s")


def show(done: int, count: int, bad: int, seconds: float) -> None:
    if sys.stdout.isatty():
        bar = "#" * (30 * done // count)
        left = seconds / done * (count - done)
        print(f"\r[{bar:30}] {done}/{count}, {bad} not fine, about {left:.0f} s left", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
