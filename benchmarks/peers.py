"""The product beside what people use instead of it, in one run, and what came out into `README.md`.

    office    small documents to PDF, by every way of `ways.py`: one file at a time in turns, then as many callers as
              there are cores, then the memory; and one letter again and again, for one user and for three at once
    text      words out of documents, beside MarkItDown, which is made for that

unoserver and MarkItDown are installed into environments of their own below `--venvs`, when they are not there yet; the
product knows nothing of them.

Examples:

  python benchmarks/peers.py                            about fifteen minutes; nothing else should run
  python benchmarks/peers.py --quick                    a short look, about three minutes; rough figures
  python benchmarks/peers.py --documents ~/letters      documents of your own (docx, pptx, xlsx)
  python benchmarks/peers.py --only fork product soffice --no-write
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import documents
import readme
import texts
import trees
from environments import environment
from figures import machine, percentile
from peers_report import show
from ways import ByFork, ByProduct, ByUnoserver, Convert, Way, new_profile, shared_profile, stock_soffice

from filewright import __version__

HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0))
USERS = 3
WAYS = ("fork", "product", "soffice", "new profile", "shared", "unoserver", "unoconvert")


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    documents: int
    rounds: int
    """Of all documents by all ways, one at a time."""
    blocks: int
    """For each way, of all callers at once."""
    seconds: float
    """Of such a block, and of one user, and of three."""


FULL = Effort(documents=24, rounds=2, blocks=3, seconds=12.0)
QUICK = Effort(documents=4, rounds=1, blocks=1, seconds=3.0)


@dataclass
class Seen:
    """All measurements of one way."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    per_minute: list[float] = field(default_factory=list)
    pages_per_minute: list[float] = field(default_factory=list)
    cpu_together: list[float] = field(default_factory=list)
    pages: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    peak: int = 0
    alone: list[float] = field(default_factory=list)
    three: list[float] = field(default_factory=list)


def main() -> int:
    arguments = _arguments()
    trees.end_well()
    effort = QUICK if arguments.quick else FULL
    about = machine()
    with tempfile.TemporaryDirectory(prefix="filewright-peers-", dir=arguments.tmp) as folder, ExitStack() as stack:
        place = Path(folder).resolve()
        given = _documents(arguments.documents, place, effort)
        letter = place / "letter.docx"
        letter.write_bytes(documents.letter(documents.source(0)))
        ways = [stack.enter_context(_Open(name, place, arguments.venvs)) for name in arguments.only or WAYS]
        bench = Bench(ways, given, letter, effort)
        for part in (bench.first, bench.in_turns, bench.together, bench.memory, bench.users):
            _say(part.__name__)
            part()
        office = {way.name: summary(bench.seen[way.name]) for way in ways}
        _say("text")
        text = [] if arguments.only else texts.measure(place, environment(arguments.venvs, "markitdown"), effort.rounds)
    results = {
        "version": __version__,
        "quick": arguments.quick,
        "machine": about,
        "documents": _counted(given),
        "callers": CORES,
        "office": office,
        "text": text,
    }
    print(show(results))
    if not arguments.no_write:
        (HERE / "peers.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        readme.write(HERE)
    return 0


def _arguments() -> argparse.Namespace:
    about, _, examples = (__doc__ or "").partition("Examples:")
    parser = argparse.ArgumentParser(
        description=about, epilog=f"Examples:{examples}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few documents, one round; the figures are rough")
    parser.add_argument("--documents", type=Path, metavar="DIR", help="instead of those that are made here")
    parser.add_argument("--only", nargs="+", choices=WAYS, metavar="WAY", help=f"of: {', '.join(WAYS)}; and no text")
    parser.add_argument("--venvs", type=Path, metavar="DIR", default=Path.home() / ".cache" / "filewright-peers")
    parser.add_argument("--no-write", action="store_true", help="leave peers.json and README.md as they are")
    parser.add_argument("--tmp", metavar="DIR", help="where the data goes meanwhile; the usual place if not given")
    return parser.parse_args()


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what} …", file=sys.stderr, flush=True)


def _documents(folder: Path | None, place: Path, effort: Effort) -> Sequence[Path]:
    if folder is None:
        return documents.office_documents(place / "documents", effort.documents)
    found = sorted(path.resolve() for path in folder.iterdir() if path.suffix in {".docx", ".pptx", ".xlsx"})
    return found[:: max(1, len(found) // effort.documents)][: effort.documents]


def _counted(given: Sequence[Path]) -> Mapping[str, int]:
    kinds = sorted(path.suffix[1:] for path in given)
    return {kind: len(list(same)) for kind, same in itertools.groupby(kinds)}


class _Open:
    """A way, from its start to its end."""

    def __init__(self, name: str, place: Path, venvs: Path) -> None:
        folder = place / name.replace(" ", "-")
        match name:
            case "fork":
                self._way: Way = ByFork(folder)
            case "product":
                self._way = ByProduct(folder)
            case "soffice":
                self._way = stock_soffice(folder)
            case "new profile":
                self._way = new_profile(folder)
            case "shared":
                self._way = shared_profile(folder)
            case _:
                self._way = ByUnoserver(environment(venvs, "unoserver"), folder, kept_client=name == "unoserver")

    def __enter__(self) -> Way:
        return self._way

    def __exit__(self, *_: object) -> None:
        self._way.close()


class Bench:
    """The measurements of office documents, each in turns by all ways."""

    def __init__(self, ways: Sequence[Way], given: Sequence[Path], letter: Path, effort: Effort) -> None:
        self._ways = ways
        self._given = {way.name: list(given) for way in ways}
        self._all = given
        self._letter = letter
        self._effort = effort
        self._callers = {way.name: [way.caller() for _ in range(CORES * way.callers_a_core)] for way in ways}
        self.seen = {way.name: Seen() for way in ways}

    def first(self) -> None:
        """Everything once by every caller: what is to be warm is warm then, and the pages are counted. What a way
        cannot convert it is not given again: its speed is that of what it can.
        """
        for way in self._ways:
            for convert in self._callers[way.name]:
                convert(self._letter)
            for document in self._all:
                if made := self._tried(way, document):
                    self.seen[way.name].pages[document.name] = pages(made)
                else:
                    self._given[way.name].remove(document)

    def in_turns(self) -> None:
        for _ in range(self._effort.rounds):
            for document in self._all:
                for way in self._ways:
                    if document not in self._given[way.name]:
                        continue
                    cpu, began = way.cpu_seconds(), time.perf_counter()
                    if self._tried(way, document) is not None:
                        self.seen[way.name].wall.append(time.perf_counter() - began)
                        self.seen[way.name].cpu.append(way.cpu_seconds() - cpu)

    def _tried(self, way: Way, document: Path) -> bytes | None:
        """By one caller, alone."""
        try:
            return self._callers[way.name][0](document)
        except (OSError, RuntimeError) as error:
            _say(f"{way.name} does not convert {document.name}: {error}")
            self.seen[way.name].failed += 1
            return None

    def together(self) -> None:
        for _ in range(self._effort.blocks):
            for way in self._ways:
                seen, cpu = self.seen[way.name], way.cpu_seconds()
                block = run(self._callers[way.name], self._given[way.name], self._effort.seconds)
                done = max(1, len(block.times))
                seen.per_minute.append(60 * len(block.times) / block.seconds)
                seen.pages_per_minute.append(60 * sum(seen.pages[name] for name in block.names) / block.seconds)
                seen.cpu_together.append((way.cpu_seconds() - cpu) / done)
                seen.failed += block.failed

    def memory(self) -> None:
        """Apart from the rest, because looking costs time."""
        for way in self._ways:
            over = threading.Event()
            watch = threading.Thread(target=self._watch, args=(way, over), daemon=True)
            watch.start()
            run(self._callers[way.name], self._given[way.name], self._effort.seconds / 2)
            over.set()
            watch.join()

    def _watch(self, way: Way, over: threading.Event) -> None:
        seen = self.seen[way.name]
        while not over.wait(0.1):
            seen.peak = max(seen.peak, trees.memory(way.roots()).all)

    def users(self) -> None:
        """One letter: what a user waits alone, and what each of three waits."""
        for way in self._ways:
            self._callers[way.name] += [way.caller() for _ in range(USERS - len(self._callers[way.name]))]
            self._callers[way.name][-1](self._letter)
        for way in self._ways:
            seen, callers = self.seen[way.name], self._callers[way.name]
            seen.alone += run(callers[:1], [self._letter], self._effort.seconds).times
            seen.three += run(callers[:USERS], [self._letter], self._effort.seconds).times


@dataclass
class Block:
    """What callers did at once."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    failed: int = 0


def run(callers: Sequence[Convert], given: Sequence[Path], seconds: float) -> Block:
    """Each takes the next document until the time is over, and ends what it began."""
    block, lock, order = Block(), threading.Lock(), itertools.cycle(given)
    began = time.perf_counter()

    def work(convert: Convert) -> None:
        while time.perf_counter() - began < seconds:
            with lock:
                document = next(order)
            started = time.perf_counter()
            try:
                convert(document)
            except (OSError, RuntimeError):
                with lock:
                    block.failed += 1
                continue
            with lock:
                block.times.append(time.perf_counter() - started)
                block.names.append(document.name)

    threads = [threading.Thread(target=work, args=(convert,), daemon=True) for convert in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    block.seconds = time.perf_counter() - began
    return block


def pages(data: bytes) -> int:
    """Of a PDF, by a reader that none of the ways uses to make it."""
    import pypdfium2

    with pypdfium2.PdfDocument(io.BytesIO(data)) as document:
        return len(document)


def summary(seen: Seen) -> dict[str, float]:
    """Medians; means where the kernel counts in steps that only a mean evens out."""
    return {
        "wall_ms": round(1000 * statistics.median(seen.wall), 1),
        "cpu_ms": round(1000 * statistics.fmean(seen.cpu), 1),
        "per_minute": round(statistics.median(seen.per_minute), 1),
        "pages_per_minute": round(statistics.median(seen.pages_per_minute), 1),
        "cpu_together_ms": round(1000 * statistics.median(seen.cpu_together), 1),
        "peak_mib": round(seen.peak / trees.MIB),
        "pages": sum(seen.pages.values()),
        "failed": seen.failed,
        "alone_p50_ms": round(1000 * percentile(seen.alone, 50), 1),
        "alone_p95_ms": round(1000 * percentile(seen.alone, 95), 1),
        "three_p50_ms": round(1000 * percentile(seen.three, 50), 1),
        "three_p95_ms": round(1000 * percentile(seen.three, 95), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
