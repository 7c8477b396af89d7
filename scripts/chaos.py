"""A long storm on the whole shape, as a person would run it before a release: prints its figures as a table.

    scripts/chaos.py --faults 500 --jobs 10000 --seed 1 --api 2 --worker 4 --letters 100

The stack is brought up in a folder of its own and is gone at the end, however the run went. Ends with 1 when an
invariant does not hold.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--faults", type=int, default=60)
    options.add_argument("--jobs", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--api", type=int, default=2)
    options.add_argument("--worker", type=int, default=2)
    options.add_argument("--at-once", type=int, default=16, help="clients at a time")
    options.add_argument("--letters", type=int, default=10, help="every so manieth order is for the office program")
    options.add_argument("--lease", type=float, default=30.0, help="seconds; what is shipped is 30")
    options.add_argument("--minutes", type=float, help="after so long, be content with what there was")
    options.add_argument("--hold", type=Path, help="while this file is there, no order and no fault begins")
    options.add_argument("--keep", type=Path, help="a folder for the stack, which is left there with its logs")
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the stack is taken down then, too
    sys.path[:0] = [str(TESTS / "distributed"), str(TESTS / "chaos")]
    from distkit.shape import Shape
    from distkit.storm import Storm, Weather

    weather = Weather(
        chosen.faults,
        chosen.jobs,
        chosen.seed,
        at_once=chosen.at_once,
        letters=chosen.letters,
        hold=chosen.hold,
        minutes=chosen.minutes,
    )
    with tempfile.TemporaryDirectory(prefix="filewright-chaos-") as folder:
        shape = Shape(chosen.keep or Path(folder) / "stack", lease_seconds=chosen.lease)
        try:
            shape.start({"api": chosen.api, "worker": chosen.worker, "beat": 2})
            figures = Storm(shape, weather, lambda line: print(line, file=sys.stderr, flush=True)).run()
        finally:
            shape.end(erase=chosen.keep is None)
    print(figures.table())
    for breach in figures.breaches:
        print(f"{breach.rule}: {breach.what}", file=sys.stderr)
    return 1 if figures.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
