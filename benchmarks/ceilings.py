"""What the product adds to every kind of engine: each conversion beside its own engine in the same sandbox.

    engine    the product's engine module on the product's sandbox, from a file to a file: no HTTP, no database, no
              storage, no look at what comes in and none at what comes out; the ceiling for what isolates each file
    product   a `filewright serve`: a file goes in over HTTP, the result's bytes come out

Both run in turns; medians are told, and how many a minute two cores give: the engine to two callers, the product's two
slots to four. For work of more than 200 ms the product
should reach nine tenths of the ceiling; to shorter work it should add no more than 40 ms.

Examples:

  python benchmarks/ceilings.py                       about eight minutes; nothing else should run
  python benchmarks/ceilings.py --quick               a short look, about two minutes; rough figures
  python benchmarks/ceilings.py --only md-html svg-png --no-write
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import documents
import readme
import trees
from ceilings_report import show
from figures import machine
from marks import marked
from product import Form, Product
from run import per_second

from filewright import __version__
from filewright.chassis.sandbox.port import Limits, SandboxLevel
from filewright.chassis.sandbox.runner import open_sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.conversion.options import part_of
from filewright.converter.engines.port import Work
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.errors import UnsupportedConversion, UnsupportedFormat
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.routing.planner import Planner, Route

HERE = Path(__file__).parent
WARMING = 4
"""Rounds that do not count."""
_SLOTS = 2
_CALLERS = 4
"""Who keep the slots busy: who sends a file or fetches a result is in none meanwhile."""
_READY_BYTES = 600 << 20
"""Of uploads that are put together ahead."""


@dataclass(frozen=True)
class Case:
    """A kind of work, and how to make the file for it."""

    name: str
    says: str
    source: str
    target: str
    make: Callable[[Path], bytes]
    options: Mapping[str, Any] = field(default_factory=dict)
    long: bool = False
    """More than some seconds: fewer rounds."""


def _photo(kind: str, *size: int) -> Callable[[Path], bytes]:
    return lambda _: documents.picture(kind, (size[0], size[1]))


def _letter(_: Path) -> bytes:
    return documents.letter(documents.source(0))


def _film(seconds: int) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        from filewright.converter.engines import ffmpeg_program

        made = folder / f"{seconds}.mp4"
        arguments = [
            *("-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate=25:duration={seconds}"),
            *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"),
            *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(made)),
        ]
        program = str(ffmpeg_program.program() or "ffmpeg")
        subprocess.run([program, "-nostdin", "-loglevel", "error", "-y", *arguments], check=True)
        return made.read_bytes()

    return make


CASES = (
    Case("docx-pdf", "letter of one page", "docx", "pdf", _letter),
    Case(
        "pptx-pdf",
        "a few slides",
        "pptx",
        "pdf",
        lambda f: documents.slides(f / "s.pptx", documents.source(3)).read_bytes(),
    ),
    Case("xlsx-pdf", "sheet of one page", "xlsx", "pdf", lambda _: documents.sheet(documents.source(1))),
    Case("md-html", "five sections", "md", "html", lambda _: documents.markdown()),
    Case("md-docx", "five sections", "md", "docx", lambda _: documents.markdown()),
    Case("md-pdf", "five sections", "md", "pdf", lambda _: documents.markdown()),
    Case("html-pdf", "page of five sections", "html", "pdf", lambda _: documents.page()),
    Case("pdf-txt", "nine pages", "pdf", "txt", lambda _: documents.pdf(9)),
    Case("pdf-jpg", "nine pages", "pdf", "jpg", lambda _: documents.pdf(9)),
    Case("jpg-small", "12 million pixels to 800 across", "jpg", "jpg", _photo("JPEG", 4000, 3000), {"width": 800}),
    Case("jpg-smaller", "2 million pixels to 800 across", "jpg", "jpg", _photo("JPEG", 1632, 1224), {"width": 800}),
    Case("jpg-png", "2 million pixels", "jpg", "png", _photo("JPEG", 1632, 1224)),
    Case("jpg-webp", "2 million pixels", "jpg", "webp", _photo("JPEG", 1632, 1224)),
    Case("jpg-avif", "2 million pixels", "jpg", "avif", _photo("JPEG", 1632, 1224)),
    Case("svg-png", "sixty shapes", "svg", "png", lambda _: documents.drawing()),
    Case("wav-mp3", "60 s, stereo", "wav", "mp3", lambda _: documents.sound(60)),
    Case("mp4-mkv", "10 s of 720p, streams copied", "mp4", "mkv", _film(10)),
    Case("mp4-webm", "10 s of 720p, coded anew", "mp4", "webm", _film(10), long=True),
    Case("csv-parquet", "200,000 rows", "csv", "parquet", lambda _: documents.rows(200_000)),
    Case("zip-tar.gz", "five small files", "zip", "tar.gz", lambda _: documents.bundle()),
    Case("epub-mobi", "a book", "epub", "mobi", lambda _: b""),
)


@dataclass(frozen=True)
class Effort:
    """How long to measure one case."""

    rounds: int
    seconds: float
    together: float


FULL = Effort(rounds=15, seconds=12.0, together=5.0)
QUICK = Effort(rounds=3, seconds=3.0, together=1.5)


class Engines:
    """The engines on a sandbox, in an event loop of their own."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._registry = registry
        self._jobs = folder / "jobs"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._sandbox = self._wait(open_sandbox(jobs_dir=self._jobs, minimum=SandboxLevel.CONFINED))

    def convert(self, case: Case, data: bytes, route: Route) -> int:
        """Bytes of what was made."""
        return int(self._wait(self._convert(case, data, route)))

    async def _convert(self, case: Case, data: bytes, route: Route) -> int:
        for step in route.steps:
            with Workspace.create(self._jobs) as workspace:
                given = workspace.inputs / f"input.{FORMATS[step.conversion.source].extension}"
                given.write_bytes(data)
                work = Work(
                    given, workspace.path, step.conversion, self._sandbox, Limits(),
                    options=part_of(step.conversion, case.options),
                )  # fmt: skip
                made = await self._registry.engine(step.engine).convert(work)
                data = made[0].read_bytes()
        return len(data)

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._wait(self._sandbox.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def main() -> int:
    arguments = _arguments()
    trees.end_well()
    about, effort = machine(), QUICK if arguments.quick else FULL
    cases: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="filewright-ceilings-", dir=arguments.tmp) as folder, ExitStack() as stack:
        place = Path(folder).resolve()
        registry = Registry(standard_engines())
        engines = Engines(place, registry)
        stack.callback(engines.close)
        product = stack.enter_context(Product(place / "data"))
        for case in CASES:
            if case.name in (arguments.only or [case.name]):
                print(f"{case.name} …", file=sys.stderr, flush=True)
                cases[case.name] = measure(case, place, registry, engines, product, effort)
    results = {"version": __version__, "quick": arguments.quick, "machine": about, "cases": cases}
    print(show(results))
    if not arguments.no_write:
        (HERE / "ceilings.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        readme.write(HERE)
    return 0


def _arguments() -> argparse.Namespace:
    about, _, examples = (__doc__ or "").partition("Examples:")
    parser = argparse.ArgumentParser(
        description=about, epilog=f"Examples:{examples}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rounds; the figures are rough")
    names = [case.name for case in CASES]
    parser.add_argument("--only", nargs="+", choices=names, metavar="CASE", help=f"of: {', '.join(names)}")
    parser.add_argument("--no-write", action="store_true", help="leave ceilings.json and README.md as they are")
    parser.add_argument("--tmp", metavar="DIR", help="where the data goes meanwhile; the usual place if not given")
    return parser.parse_args()


def measure(
    case: Case, place: Path, registry: Registry, engines: Engines, product: Product, effort: Effort
) -> dict[str, Any]:
    """One case: in turns, then both cores full by each way."""
    try:
        route = Planner(registry.abilities()).cheapest(case.source, case.target)
    except (UnsupportedConversion, UnsupportedFormat):
        return {"says": case.says, "skipped": "its engine is not installed"}
    data = case.make(place)
    upload = Upload(case, data, product)
    ways: Mapping[str, Callable[[], object]] = {
        "engine": lambda: engines.convert(case, data, route),
        "product": upload.caller(),
    }
    times = in_turns(ways, effort, upload, long=case.long)
    together = effort.together * (2 if case.long else 1)
    upload.make_ready(int(_CALLERS + 2 * _SLOTS * together / statistics.median(times["product"])))
    rates = {
        "engine": per_second([ways["engine"]] * 2, together),
        "product": per_second([upload.caller() for _ in range(_CALLERS)], together),
    }
    cpu = product.cpu_seconds()
    for _ in range(3):
        ways["product"]()
    cpu = product.cpu_seconds() - cpu
    upload.close()
    wall = {way: 1000 * statistics.median(seconds) for way, seconds in times.items()}
    return {
        "says": case.says,
        "engine": " and ".join(f"{step.engine} {registry.version(step.engine)}".strip() for step in route.steps),
        "rounds": len(times["product"]),
        "engine_ms": round(wall["engine"], 1),
        "product_ms": round(wall["product"], 1),
        "added_ms": round(wall["product"] - wall["engine"], 1),
        "ratio": round(wall["engine"] / wall["product"], 3),
        "product_cpu_ms": round(1000 * cpu / 3, 1),
        "peak_mib": round(trees.memory([product.pid]).all / trees.MIB),
        **{f"{way}_per_minute": round(60 * rate, 1) for way, rate in rates.items()},
        "together_ratio": round(rates["product"] / rates["engine"], 3),
    }


class Upload:
    """The file for the product, with other bytes each time, so that no result is one of before."""

    def __init__(self, case: Case, data: bytes, product: Product) -> None:
        self._case = case
        self._data = data
        self._product = product
        self._number = 0
        self._ready: deque[Form] = deque()
        self._clients: list[Any] = []

    def caller(self) -> Callable[[], object]:
        client = self._product.client()
        self._clients.append(client)
        return lambda: client.convert(self._ready.popleft() if self._ready else self._form())

    def make_ready(self, count: int) -> None:
        """Put the next so many together before the time is taken: copies of a large file cost as much as its upload."""
        most = max(1, _READY_BYTES // len(self._data))
        while len(self._ready) < min(count, most):
            self._ready.append(self._form())

    def _form(self) -> Form:
        self._number += 1
        case = self._case
        data = self._data if case.source == "mp4" else marked(case.source, self._data, self._number)
        return Form(Path(f"file.{case.source}"), case.target, data, case.options)

    def close(self) -> None:
        for client in self._clients:
            client.close()


def in_turns(
    ways: Mapping[str, Callable[[], object]], effort: Effort, upload: Upload, *, long: bool
) -> Mapping[str, Sequence[float]]:
    """The seconds of each round of each way."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(1 if long else WARMING):
        for convert in ways.values():
            convert()
    began = time.monotonic()
    while len(times["product"]) < effort.rounds and (
        len(times["product"]) < 2 or time.monotonic() - began < effort.seconds
    ):
        for way, convert in ways.items():
            upload.make_ready(1)
            started = time.perf_counter()
            convert()
            times[way].append(time.perf_counter() - started)
    return times


if __name__ == "__main__":
    sys.exit(main())
