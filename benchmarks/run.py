"""Measure the product beside the bare engines it uses, alternated in one run, and write what came out.

    product   a `filewright serve` of its own: a file goes in over HTTP, the result's bytes come out
    bare      the same engine with the same options and nothing around it (bare.py)

Both are run in turns, so that what else the machine does hits both; medians are told. Writes `results.json`, and the
tables and the plot of `README.md`.

Examples:

  python benchmarks/run.py                       everything, about five minutes; nothing else should run
  python benchmarks/run.py --quick               a short look, about one minute; small inputs, few rounds
  python benchmarks/run.py --only md-html        some of them
  python benchmarks/run.py --no-write            only the table on the terminal
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import readme
from bare import LIBRARIES, Bare, Cost, FreshLibrary, Program, StockOffice, WarmLibrary
from figures import machine
from product import Form, Product
from report import show
from samples import Sample, make_samples

from filewright import __version__
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.errors import UnsupportedConversion, UnsupportedFormat
from filewright.converter.routing.planner import Planner

HERE = Path(__file__).parent
CASES = ("docx-pdf", "xlsx-pdf", "jpg-webp", "png-avif", "md-html", "csv-parquet", "mp4-webm", "wav-mp3")
CLIENTS = 2


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    seconds: float
    """For the alternating rounds of one case."""
    least: int
    most: int
    together: float
    """Seconds of two clients at once, for each side."""
    starts: int


LONGEST_SECONDS = 330.0
"""For all of it; on a busy machine the later cases get less time rather than that it takes longer."""
_AROUND_SECONDS = 6.0
"""What a case takes beside its rounds."""

FULL = Effort(seconds=13.0, least=5, most=40, together=4.5, starts=3)
QUICK = Effort(seconds=2.5, least=2, most=5, together=1.5, starts=1)


@dataclass
class Side:
    """All rounds of one way of doing it, in milliseconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, cost: Cost) -> None:
        self.wall.append(cost.wall * 1000)
        self.cpu.append(cost.cpu * 1000)

    def summary(self) -> dict[str, float]:
        """Median wall time, and mean CPU time: the kernel counts CPU in steps that only a mean evens out."""
        return {
            "wall_ms": round(statistics.median(self.wall), 1),
            "wall_ms_best": round(min(self.wall), 1),
            "cpu_ms": round(statistics.fmean(self.cpu), 1),
        }


def main() -> int:
    arguments = _arguments()
    effort = QUICK if arguments.quick else FULL
    wanted = arguments.only or CASES
    progress = Progress(len(wanted) + 1)
    ends = time.monotonic() + LONGEST_SECONDS
    with tempfile.TemporaryDirectory(prefix="filewright-bench-", dir=arguments.tmp) as folder, ExitStack() as stack:
        place = Path(folder)
        registry = Registry(standard_engines())
        progress.step("inputs")
        possible = [case for case in wanted if _route(registry, case)]
        samples = make_samples(place, {case.split("-")[0] for case in possible}, quick=arguments.quick)
        progress.step("starting the server")
        starting = measure_start(place, effort)
        product = stack.enter_context(Product(place / "data"))
        idle = idle_memory(product)
        cases: dict[str, Any] = {}
        for number, case in enumerate(wanted):
            progress.next(case)
            share = (ends - time.monotonic()) / (len(wanted) - number)
            if case in possible:
                sample = samples[case.split("-")[0]]
                cases[case] = measure_case(
                    case, sample, product, registry, place / case, fitted(effort, share), progress
                )
            else:
                cases[case] = {"skipped": "its engine is not installed"}
        progress.next("done")
    results = {
        "version": __version__,
        "quick": arguments.quick,
        "machine": machine(),
        "start_seconds": starting,
        "idle_rss_mib": idle,
        "cases": cases,
    }
    progress.clear()
    print(show(results))
    if not arguments.no_write:
        (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        readme.write(HERE)
    return 0


def _arguments() -> argparse.Namespace:
    about, _, examples = (__doc__ or "").partition("Examples:")
    parser = argparse.ArgumentParser(
        description=about, epilog=f"Examples:{examples}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small inputs and few rounds; the figures are rough")
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="CASE", help=f"of: {', '.join(CASES)}")
    parser.add_argument("--no-write", action="store_true", help="leave results.json and README.md as they are")
    parser.add_argument("--tmp", metavar="DIR", help="where the data goes meanwhile; the usual place if not given")
    return parser.parse_args()


def _route(registry: Registry, case: str) -> str | None:
    """The engines that the product would take; None when there is no way with what is installed."""
    try:
        route = Planner(registry.abilities()).cheapest(*case.split("-"))
    except (UnsupportedConversion, UnsupportedFormat):
        return None
    return " and ".join(f"{step.engine} {registry.version(step.engine)}".strip() for step in route.steps)


# --- measuring -------------------------------------------------------------------------------------------------------


def measure_start(place: Path, effort: Effort) -> dict[str, float]:
    """From the command to the first answer: on an empty data directory, and again on the same."""
    first, again = [], []
    for number in range(effort.starts):
        data = place / f"start-{number}"
        for times in (first, again):
            with Product(data) as product:
                times.append(product.start_seconds)
    return {"first": round(statistics.median(first), 2), "again": round(statistics.median(again), 2)}


def idle_memory(product: Product) -> float:
    """Of the whole tree, before the first job."""
    time.sleep(1.0)
    return round(product.rss_bytes() / (1 << 20), 1)


def fitted(effort: Effort, seconds: float) -> Effort:
    """No more than fits into that many seconds."""
    factor = seconds / (effort.seconds + 2 * effort.together + _AROUND_SECONDS)
    if factor >= 1:
        return effort
    factor = max(0.1, factor)
    return replace(effort, seconds=effort.seconds * factor, together=effort.together * factor, least=2)


def measure_case(
    case: str, sample: Sample, product: Product, registry: Registry, folder: Path, effort: Effort, progress: Progress
) -> dict[str, Any]:
    """One conversion: in turns by one caller, then by two at once."""
    target = case.split("-")[1]
    folder.mkdir()
    ways = bare_ways(case, sample, registry, folder)
    form = Form(sample.path, target)
    client = product.client()
    made = [len(client.convert(form)) for _ in range(4)][-1]  # and what has to be warm is warm now
    sides = {"product": Side()} | {name: Side() for name in ways}
    began, rounds = time.monotonic(), 0
    while rounds < effort.most and (rounds < effort.least or time.monotonic() - began < effort.seconds):
        sides["product"].add(_by_product(product, client, form))
        for name, way in ways.items():
            sides[name].add(way.convert())
        rounds += 1
        progress.within(min(1.0, (time.monotonic() - began) / effort.seconds) * 0.6)
    client.close()
    together = measure_together(case, sample, product, form, registry, folder, effort)
    for way in ways.values():
        way.close()
    return {
        "input": sample.description,
        "input_bytes": sample.path.stat().st_size,
        "output_bytes": made,
        "engine": _route(registry, case),
        "rounds": rounds,
        **{name: side.summary() for name, side in sides.items()},
        "ratio": round(statistics.median(sides["bare"].wall) / statistics.median(sides["product"].wall), 3),
        "cpu_ratio": round(statistics.fmean(sides["bare"].cpu) / statistics.fmean(sides["product"].cpu), 3),
        "added_wall_ms": round(statistics.median(sides["product"].wall) - statistics.median(sides["bare"].wall), 1),
        "added_cpu_ms": round(statistics.fmean(sides["product"].cpu) - statistics.fmean(sides["bare"].cpu), 1),
        "together": together,
    }


def bare_ways(case: str, sample: Sample, registry: Registry, folder: Path) -> Mapping[str, Bare]:
    """`bare` is the strictest; a second way, where there is one, is what people do without a warm process."""
    source, target = case.split("-")
    if case in LIBRARIES:
        return {
            "bare": WarmLibrary(case, sample.path, folder / f"warm.{target}"),
            "fresh process": FreshLibrary(case, sample.path, folder / f"fresh.{target}"),
        }
    program = Program(registry, sample.path, (source, target), folder / "bare")
    if program.engine == "libreoffice":
        return {"bare": program, "stock profile": StockOffice(sample.path, target, folder / "stock")}
    return {"bare": program}


def _by_product(product: Product, client: Any, form: Form) -> Cost:
    cpu, began = product.cpu_seconds(), time.perf_counter()
    client.convert(form)
    wall = time.perf_counter() - began
    return Cost(wall, product.cpu_seconds() - cpu)


def measure_together(
    case: str, sample: Sample, product: Product, form: Form, registry: Registry, folder: Path, effort: Effort
) -> dict[str, float]:
    """Conversions a second with two callers at once, for the product and for the bare engine."""
    clients = [product.client() for _ in range(CLIENTS)]
    ways = []
    for number in range(CLIENTS):
        own = folder / f"together-{number}"
        own.mkdir()
        ways.append(bare_ways(case, sample, registry, own)["bare"])
    by_product = per_second([lambda client=client: client.convert(form) for client in clients], effort.together)
    bare = per_second([way.convert for way in ways], effort.together)
    for closing in (*clients, *ways):
        closing.close()
    return {"product_per_s": round(by_product, 2), "bare_per_s": round(bare, 2), "ratio": round(by_product / bare, 3)}


def per_second(callers: Sequence[Callable[[], object]], seconds: float) -> float:
    """Conversions a second. Each caller goes on for so long, ends what it began, and is counted over its own time."""
    rates: list[float] = []
    broken: list[BaseException] = []

    def call(convert: Callable[[], object]) -> None:
        began, count = time.perf_counter(), 0
        try:
            while time.perf_counter() - began < seconds:
                convert()
                count += 1
        except BaseException as error:
            broken.append(error)
        rates.append(count / (time.perf_counter() - began))

    threads = [threading.Thread(target=call, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return sum(rates)


class Progress:
    """A bar on the terminal; silent where there is none."""

    _WIDTH = 30

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._done = -1
        self._label = ""

    def next(self, label: str) -> None:
        self._done += 1
        self.step(label)

    def step(self, label: str) -> None:
        self._label = label
        self.within(0.0)

    def within(self, fraction: float) -> None:
        if sys.stderr.isatty():
            share = min(1.0, (max(0, self._done) + fraction) / self._steps)
            full = round(share * self._WIDTH)
            print(f"\r\033[K[{'#' * full}{'.' * (self._WIDTH - full)}] {self._label}", end="", file=sys.stderr)

    def clear(self) -> None:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
