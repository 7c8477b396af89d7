"""Convert a small file of every format into all that is promised for it, and write down what became of each pair.

    scripts/pairs.py                        every pair (two hours on one core)
    scripts/pairs.py --source csv,docx      those of some formats; --target likewise
    scripts/pairs.py --again                only what failed last time
    scripts/pairs.py --new                  only what is promised and not in the record
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
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT / "tests")  # in place of scripts/, where a file has the same name as the suite

from corpus.bench import open_bench  # noqa: E402
from corpus.pairs import Pair, promised, try_pair  # noqa: E402
from corpus.record import Record  # noqa: E402

LOCK = ROOT / ".run" / "pairs.lock"


def main() -> int:
    arguments = parsed()
    pairs = chosen(arguments)
    with tempfile.TemporaryDirectory() as jobs, tempfile.TemporaryDirectory() as files:
        asyncio.run(run(pairs, Path(jobs), Path(files)))
    failed = [pair for pair in Record.load().pairs.values() if pair.trouble]
    print(f"{len(failed)} of the record's pairs failed")
    return bool(failed)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="", help="only these source formats, with commas")
    parser.add_argument("--target", default="", help="only these target formats, with commas")
    parser.add_argument("--again", action="store_true", help="only pairs that failed last time")
    parser.add_argument("--new", action="store_true", help="only pairs that are not in the record")
    parser.add_argument("--slice", default="1/1", help="1/2: the first of two parts")
    return parser.parse_args()


def chosen(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Pairs to try, all of one source together."""
    known = Record.load().pairs
    sources, targets = (set(filter(None, given.split(","))) for given in (arguments.source, arguments.target))
    part, parts = map(int, arguments.slice.split("/"))
    every = [
        (source, route.target)
        for number, (source, routes) in enumerate(promised().items())
        for route in routes
        if number % parts == part - 1
    ]
    return [
        pair
        for pair in every
        if (not sources or pair[0] in sources)
        and (not targets or pair[1] in targets)
        and not (arguments.again and not (pair in known and known[pair].trouble))
        and not (arguments.new and pair in known)
    ]


async def run(pairs: list[tuple[str, str]], jobs: Path, files: Path) -> None:
    started, bad, done = time.monotonic(), 0, list[Pair]()
    async with open_bench(jobs) as bench:
        for number, (source, target) in enumerate(pairs, 1):
            pair = await try_pair(bench, source, target, files)
            done.append(pair)
            if pair.trouble:
                bad += 1
                print(f"{source} → {target} ({' '.join(pair.engines)}): {pair.trouble}", flush=True)
            if number == len(pairs) or pairs[number][0] != source:
                keep(done)
                done = []
                seconds = time.monotonic() - started
                print(f"{number}/{len(pairs)} to the end of {source}, {bad} failed, {seconds:.0f} s", flush=True)


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
