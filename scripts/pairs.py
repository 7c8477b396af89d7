"""Convert a small file of every format into all that is promised for it, and write down what became of each pair.

    scripts/pairs.py                        every pair (two hours on one core)
    scripts/pairs.py --source csv,docx      those of some formats; --target likewise
    scripts/pairs.py --again                only what failed last time
    scripts/pairs.py --new                  only what is promised and was not tried yet
    scripts/pairs.py --changed              what goes by other engines than when it was tried
    scripts/pairs.py --ways                one pair of each way, engine by engine, that was not gone from its format
    scripts/pairs.py --note                 try nothing: note down what is promised and was not tried yet
    scripts/pairs.py --slice 1/2            every second of them, for two runs side by side

The record, docs/data/pairs.json, has one entry for each pair that is promised; docs/formats.md is made from it, and
tests/corpus/test_pairs.py does the same as this, one test for each pair.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT / "tests")  # in place of scripts/, where a file has the same name as the suite

from corpus.bench import open_bench  # noqa: E402
from corpus.pairs import WAITING, Pair, Way, promised, try_pair, way_of  # noqa: E402
from corpus.record import Record  # noqa: E402
from filewright.converter.routing.planner import Route  # noqa: E402

LOCK = ROOT / ".run" / "pairs.lock"
AT_ONCE = 20
"""Pairs between two writings of the record: what a run that is stopped has lost, at most."""


def main() -> int:
    arguments = parsed()
    pairs = chosen(arguments)
    if arguments.note:
        keep([Pair(source, target, trouble=WAITING) for source, target in pairs])
        return 0
    with tempfile.TemporaryDirectory() as jobs, tempfile.TemporaryDirectory() as files:
        asyncio.run(run(pairs, Path(jobs), Path(files)))
    failed = [pair for pair in Record.load().pairs.values() if pair.failed]
    print(f"{len(failed)} of the record's pairs failed")
    return bool(failed)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="", help="only these source formats, with commas")
    parser.add_argument("--target", default="", help="only these target formats, with commas")
    parser.add_argument("--again", action="store_true", help="only pairs that failed last time")
    parser.add_argument("--new", action="store_true", help="only pairs that were not tried yet")
    parser.add_argument("--changed", action="store_true", help="only pairs that go by other engines by now")
    parser.add_argument("--ways", action="store_true", help="one pair of each way that was not gone from its format")
    parser.add_argument("--note", action="store_true", help="try nothing; note down what was not tried yet")
    parser.add_argument("--slice", default="1/1", help="1/2: the first of two parts")
    return parser.parse_args()


def chosen(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Pairs to try, all of one source together."""
    known = Record.load().pairs
    sources, targets = (set(filter(None, given.split(","))) for given in (arguments.source, arguments.target))
    part, parts = map(int, arguments.slice.split("/"))
    planned = {(source, route.target): route for source, routes in promised().items() for route in routes}
    every = [
        (source, route.target)
        for number, (source, routes) in enumerate(promised().items())
        for route in routes
        if number % parts == part - 1
    ]
    if arguments.ways:
        every = one_of_each_way(every, known)
    return [
        pair
        for pair in every
        if (not sources or pair[0] in sources)
        and (not targets or pair[1] in targets)
        and not (arguments.changed and not (pair in known and goes_another_way(known[pair], planned[pair])))
        and not (arguments.again and not (pair in known and known[pair].failed))
        and not ((arguments.new or arguments.note) and pair in known and known[pair].trouble != WAITING)
    ]


def goes_another_way(tried: Pair, route: Route) -> bool:
    return bool(tried.engines) and tried.engines != tuple(step.engine for step in route.steps)


def one_of_each_way(pairs: list[tuple[str, str]], known: Mapping[tuple[str, str], Pair]) -> list[tuple[str, str]]:
    """The first pair of each way from a format, but for ways that a pair was gone by and is fine."""
    ways = {(source, route.target): way_of(route) for source, found in promised().items() for route in found}
    gone = {(pair[0], ways[pair]) for pair in known if pair in ways and not known[pair].trouble}
    firsts: dict[tuple[str, Way], tuple[str, str]] = {}
    for pair in pairs:
        firsts.setdefault((pair[0], ways[pair]), pair)
    return [pair for way, pair in firsts.items() if way not in gone]


async def run(pairs: list[tuple[str, str]], jobs: Path, files: Path) -> None:
    started, bad, done = time.monotonic(), 0, list[Pair]()
    async with open_bench(jobs) as bench:
        for number, (source, target) in enumerate(pairs, 1):
            pair = await try_pair(bench, source, target, files)
            done.append(pair)
            if pair.trouble:
                bad += 1
                print(f"{source} → {target} ({' '.join(pair.engines)}): {pair.trouble}", flush=True)
            if number == len(pairs) or len(done) == AT_ONCE:
                keep(done)
                done = []
                seconds = time.monotonic() - started
                print(f"{number}/{len(pairs)}, at {source}, {bad} failed, {seconds:.0f} s", flush=True)


def keep(pairs: list[Pair]) -> None:
    """Into the record, which another run may be writing to, too."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record = Record.load()
        record.take(pairs, datetime.now(UTC).date())
        record.save({source: [route.target for route in routes] for source, routes in promised().items()})


if __name__ == "__main__":
    sys.exit(main())
