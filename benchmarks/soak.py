"""Thousands of mixed conversions through the whole product, some of them poison; what grows, what hangs, who suffers.

A `filewright serve` as anybody would start it takes small files of eighteen kinds over HTTP from callers at addresses
of their own, and stores what comes of them. In every second block of jobs another caller sends poison beside them. When
a block is over and nothing runs, the memory of the server and of all its children is read. In the end the database says
whether a job is left, and how long each attempt of a poison file had.

Examples:

  python benchmarks/soak.py                      10,000 jobs, about half an hour on two cores; nothing else should run
  python benchmarks/soak.py --jobs 200           a quick look, about two minutes
  python benchmarks/soak.py --jobs 200 --no-write   and only tell
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import documents
import trees
from figures import machine, percentile, slope
from marks import marked
from poison import Poison, poisons
from product import Form, Product
from soak_report import show, write

from filewright import __version__
from filewright.converter.jobs.states import LIVE

ROOT = Path(__file__).parents[1]
SETTLING_SECONDS = 1.5
GRACE_SECONDS = 5.0
TIERS = """
tiers:
  anonymous:
    max_wall_seconds: {deadline}
    max_memory_bytes: 1 GiB
    max_queued_jobs: 1000
    retention_seconds: 300
    conversions_per_minute: 1000000
    requests_per_minute: 10000000
    requests_at_once: 1000000
    max_predicted_wait_seconds: null
"""


@dataclass(frozen=True)
class Kind:
    """A file that must convert."""

    source: str
    target: str
    data: bytes

    @property
    def name(self) -> str:
        return f"{self.source} → {self.target}"


def kinds(folder: Path) -> Sequence[Kind]:
    """Small files: a service is asked for many of these, and each shows what is around an engine."""
    source = random.Random(1)
    letter, sheet = documents.letter(source), documents.sheet(source)
    slides = documents.slides(folder / "slides.pptx", source).read_bytes()
    page, text, rows = documents.pdf(1), documents.markdown(), documents.rows(500)
    return (
        Kind("docx", "pdf", letter),
        Kind("pptx", "pdf", slides),
        Kind("xlsx", "pdf", sheet),
        Kind("docx", "md", letter),
        Kind("xlsx", "csv", sheet),
        Kind("pdf", "txt", page),
        Kind("pdf", "jpg", page),
        Kind("md", "html", text),
        Kind("md", "docx", text),
        Kind("html", "pdf", documents.page()),
        Kind("csv", "parquet", rows),
        Kind("csv", "json", rows),
        Kind("json", "yaml", documents.records()),
        Kind("jpg", "webp", documents.picture("JPEG", (640, 480))),
        Kind("png", "jpg", documents.picture("PNG", (320, 240))),
        Kind("svg", "png", documents.drawing()),
        Kind("srt", "vtt", documents.captions()),
        Kind("wav", "mp3", documents.sound(1.0)),
        Kind("zip", "tar.gz", documents.bundle()),
    )


@dataclass
class Told:
    """What the callers have seen."""

    calm: list[float] = field(default_factory=list)
    beside_poison: list[float] = field(default_factory=list)
    of_kind: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)
    """What should have converted and did not."""
    poisoned: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Each poison file, how it ended, and its job."""
    samples: list[dict[str, float]] = field(default_factory=list)


class Soak:
    """A server, its callers, and what is seen."""

    def __init__(self, product: Product, given: Sequence[Kind], callers: int, share: float, seed: int) -> None:
        self._product = product
        self._given = given
        self._callers = callers
        self._share = share
        self._poisons = itertools.cycle(poisons())
        self._numbers = itertools.count(1)
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.done = 0
        self.told = Told()

    def block(self, jobs: int, *, poisoned: bool) -> None:
        """That many that must convert; with poison beside them, or without."""
        order = [self._given[n % len(self._given)] for n in range(jobs)]
        self._random.shuffle(order)
        left, over, finished = iter(order), threading.Event(), threading.Semaphore(0)
        callers = [
            threading.Thread(target=self._convert, args=(number, left, finished, poisoned), daemon=True)
            for number in range(self._callers)
        ]
        poisoner = threading.Thread(target=self._poison, args=(over, finished), daemon=True)
        for thread in [*callers, *([poisoner] if poisoned else [])]:
            thread.start()
        for thread in callers:
            thread.join()
        over.set()
        if poisoned:
            poisoner.join()

    def look(self) -> None:
        """At the memory, when nothing runs."""
        time.sleep(SETTLING_SECONDS)
        memory = trees.memory([self._product.pid])
        self.told.samples.append(
            {
                "jobs": self.done,
                "server_mib": memory.root / trees.MIB,
                "children_mib": memory.children / trees.MIB,
                "processes": memory.processes,
                "open_files": trees.open_files(self._product.pid),
            }
        )

    def _convert(self, caller: int, left: Any, finished: threading.Semaphore, poisoned: bool) -> None:
        client = self._product.client(f"127.0.0.{10 + caller}")
        times = self.told.beside_poison if poisoned else self.told.calm
        while True:
            with self._lock:
                kind, number = next(left, None), next(self._numbers)
            if kind is None:
                break
            form = Form(Path(f"file.{kind.source}"), kind.target, marked(kind.source, kind.data, number))
            began = time.perf_counter()
            answer = client.send(form)
            seconds = time.perf_counter() - began
            with self._lock:
                self.done += 1
                if answer.status != 200 or not answer.body:
                    self.told.wrong[f"{kind.name}: {answer.status} {_code(answer.body)}"] += 1
                else:
                    times.append(seconds)
                    self.told.of_kind.setdefault(kind.name, []).append(seconds)
            finished.release()
        client.close()

    def _poison(self, over: threading.Event, finished: threading.Semaphore) -> None:
        client, every = self._product.client("127.0.0.99"), max(1, round(1 / self._share))
        while True:
            for _ in range(every):
                while not finished.acquire(timeout=0.1):
                    if over.is_set():
                        client.close()
                        return
            self._send_poison(client, next(self._poisons))

    def _send_poison(self, client: Any, poison: Poison) -> None:
        data = poison.data
        with suppress(ValueError):
            data = marked(poison.kind, data, next(self._numbers))
        answer = client.send(Form(Path(f"poison.{poison.kind}"), poison.target, data))
        with self._lock:
            self.done += 1
            ended = "converted" if answer.status == 200 else _code(answer.body)
            self.told.poisoned.append((poison.name, ended, answer.job and answer.job.rpartition("/")[2]))


def _code(body: bytes) -> str:
    with suppress(ValueError):
        found = json.loads(body)
        return str(found.get("code") or found.get("status"))
    return "?"


def main() -> int:
    arguments = _arguments()
    trees.end_well()
    with tempfile.TemporaryDirectory(prefix="filewright-soak-", dir=arguments.tmp) as folder:
        results = soak(Path(folder), arguments)
    print(show(results))
    if not arguments.no_write:
        write(results, ROOT)
    return 0


def _arguments() -> argparse.Namespace:
    about, _, examples = (__doc__ or "").partition("Examples:")
    parser = argparse.ArgumentParser(
        description=about, epilog=f"Examples:{examples}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000, help="conversions in all, poison among them")
    parser.add_argument("--callers", type=int, default=2, help="who want their files converted, at once")
    parser.add_argument(
        "--poison", type=float, default=0.01, help="poison files for each good one, where there are any"
    )
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds that a job may run")
    parser.add_argument("--no-write", action="store_true", help="leave docs/soak.md as it is")
    parser.add_argument("--tmp", metavar="DIR", help="where the data goes meanwhile; the usual place if not given")
    return parser.parse_args()


def soak(place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The whole of it."""
    (place / "tiers.yaml").write_text(TIERS.format(deadline=arguments.deadline), encoding="utf-8")
    given = kinds(place)
    block = max(len(given), min(250, arguments.jobs // 8))
    began, about = time.monotonic(), machine()
    with Product(place / "data", {"TIERS_FILE": str(place / "tiers.yaml")}) as product:
        work = Soak(product, given, arguments.callers, arguments.poison, seed=arguments.jobs)
        work.block(2 * len(given), poisoned=False)  # every warm parent stands now
        work.told.calm.clear()
        work.look()
        poisoned = False
        while work.done < arguments.jobs:
            work.block(min(block, max(1, arguments.jobs - work.done)), poisoned=poisoned)
            work.look()
            poisoned = not poisoned
            _say(work.done, arguments.jobs)
        seconds = time.monotonic() - began
        states, attempts = read_jobs(place / "data" / "filewright.db")
    return results_of(work, seconds, states, attempts, arguments.deadline, about)


def _say(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{min(done, of):,} of {of:,}", end="" if done < of else "\n", file=sys.stderr)


def read_jobs(database: Path) -> tuple[dict[str, int], dict[str, list[float]]]:
    """How many jobs are in which state, and the seconds of each job's attempts."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM jobs GROUP BY state"))
        attempts: dict[str, list[float]] = {}
        for job, began, ended in connection.execute("SELECT job_id, started_at, ended_at FROM attempts"):
            if ended is not None:
                attempts.setdefault(job, []).append(_seconds(ended) - _seconds(began))
    return states, attempts


def _seconds(moment: Any) -> float:
    if isinstance(moment, int | float):
        return float(moment)
    return datetime.fromisoformat(str(moment)).timestamp()


def results_of(
    work: Soak, seconds: float, states: dict[str, int], attempts: dict[str, list[float]], deadline: float, about: Any
) -> dict[str, Any]:
    """All figures, as they are written down."""
    told = work.told
    poison: dict[str, dict[str, Any]] = {}
    for name, ended, job in told.poisoned:
        row = poison.setdefault(name, {"sent": 0, "ended": {}, "longest_s": 0.0})
        row["sent"] += 1
        row["ended"][ended] = row["ended"].get(ended, 0) + 1
        row["longest_s"] = round(max([row["longest_s"], *attempts.get(job or "", [])]), 2)
    settled = told.samples[len(told.samples) // 5 :]
    calm, beside = percentile(told.calm, 95), percentile(told.beside_poison, 95)
    return {
        "version": __version__,
        "machine": about,
        "jobs": work.done,
        "seconds": round(seconds, 1),
        "per_minute": round(60 * work.done / seconds),
        "deadline_s": deadline,
        "states": states,
        "stuck": sum(states.get(state, 0) for state in LIVE),
        "wrong": dict(told.wrong),
        "poison": poison,
        "poison_late": sum(row["longest_s"] > deadline + GRACE_SECONDS for row in poison.values()),
        "calm": {"jobs": len(told.calm), "p50_ms": _ms(percentile(told.calm, 50)), "p95_ms": _ms(calm)},
        "beside_poison": {
            "jobs": len(told.beside_poison),
            "p50_ms": _ms(percentile(told.beside_poison, 50)),
            "p95_ms": _ms(beside),
        },
        "p95_ratio": round(beside / calm, 2) if calm and beside else None,
        "kinds": {
            name: {"jobs": len(times), "p50_ms": _ms(percentile(times, 50)), "p95_ms": _ms(percentile(times, 95))}
            for name, times in told.of_kind.items()
        },
        "slope_mib_per_1000_jobs": {
            key: round(1000 * slope([(sample["jobs"], sample[f"{key}_mib"]) for sample in settled]), 2)
            for key in ("server", "children")
        },
        "samples": [{key: round(value, 1) for key, value in sample.items()} for sample in told.samples],
    }


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


if __name__ == "__main__":
    sys.exit(main())
