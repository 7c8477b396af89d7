"""Office documents to PDF: the product, the bare fork of a warm LibreOffice, and `soffice` as people call it.

    fork      the warm parent that the product uses, driven from here: a child for each file, shut in as in the product,
              and nothing around it; what one machine can do at most with a process for each document
    product   a `filewright serve` of its own: a file goes in over HTTP, the result's bytes come out
    soffice   `soffice --convert-to pdf`, with a profile that it made itself

All are run in turns; medians are told, and how many a minute as many callers as there are cores get at once.

Examples:

  python benchmarks/office.py                      about two minutes; nothing else should run
  python benchmarks/office.py --files a.docx b.pptx --rounds 5 --seconds 5
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bare import StockOffice
from product import Form, Product
from samples import make_samples

from filewright.chassis.sandbox import system
from filewright.chassis.sandbox.confined import confinement
from filewright.chassis.sandbox.limits import kernel_limits
from filewright.chassis.sandbox.port import Limits
from filewright.converter.engines import libreoffice_filters as filters
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.libreoffice_installation import installation
from filewright.converter.engines.libreoffice_warm import warm_parent

CALLERS = len(os.sched_getaffinity(0))
Way = Callable[[], None]


class Fork:
    """The warm parent as a plain process, and one child after the other from it."""

    def __init__(self, folder: Path) -> None:
        found = installation()
        kind = warm_parent(found) if found is not None else None
        if kind is None:
            raise SystemExit("LibreOffice and python3-uno are needed")
        self._kind = kind
        self._folder = folder
        self._place = folder / "parent"
        self._place.mkdir(parents=True)
        self._control, theirs = socket.socketpair()
        argv = system.python_argv(
            kind.main, str(theirs.fileno()), str(self._place), *kind.arguments,
            interpreter=kind.interpreter, path=kind.python_path,
        )  # fmt: skip
        with theirs:
            environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}
            self._process = subprocess.Popen(
                argv, env=environment, pass_fds=(theirs.fileno(),), stderr=subprocess.DEVNULL
            )
        self._lines = self._control.makefile("rb")
        first = json.loads(self._lines.readline())
        if not first.get("ready"):
            raise SystemExit(f"the warm parent does not start: {first}")
        threading.Thread(target=self._listen, daemon=True).start()
        self._one_at_a_time = threading.Lock()
        self._number = 0

    def _listen(self) -> None:
        """To what it tells of each child's end: it would wait for somebody who does, after some hundreds."""
        for _ in self._lines:
            continue

    @property
    def pid(self) -> int:
        """Of the parent; children come and go below it."""
        return self._process.pid

    def convert(self, document: Path) -> bytes:
        """From the file to a PDF in a fresh directory."""
        with self._one_at_a_time:
            self._number += 1
            work = self._folder / f"work-{self._number}"
            ours, theirs = socket.socketpair()
            for part in ("out", "tmp"):
                (work / part).mkdir(parents=True)
            given = work / f"input{document.suffix}"
            given.hardlink_to(document)
            null = os.open(os.devnull, os.O_WRONLY)
            with theirs:
                socket.send_fds(self._control, [b"call"], [theirs.fileno(), null, null])
            os.close(null)
        with ours, ours.makefile("rb") as lines:
            lines.readline()
            ours.sendall(json.dumps(self._order(work, given)).encode() + b"\n")
            answer = json.loads(lines.readline())
        made = work / "out" / "output.pdf"
        if not answer.get("value", {}).get("opened") or not (data := made.read_bytes()):
            raise RuntimeError(f"{document.name}: {answer}")
        shutil.rmtree(work)
        return data

    def _order(self, work: Path, given: Path) -> dict[str, object]:
        source = given.suffix[1:]
        conversion = next(c for c in LibreOffice.conversions if (c.source, c.target) == (source, "pdf"))
        options = {name: schema["default"] for name, schema in conversion.options.items()}
        export = filters.export(conversion, options)
        return {
            "function": "filewright.converter.engines.inside.office.desktop:convert",
            "arguments": {
                "document": given.name,
                "import_filter": filters.READERS[source].filters[0],
                "product": "out/output.pdf",
                "export_filter": export.filter,
                "options": export.options,
            },
            "workspace": str(work),
            "env": {},
            "limits": list(kernel_limits(Limits()).items()),
            "landlock": confinement(str(work), (*self._kind.readable, self._place)),
        }

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="filewright-office-", dir=arguments.tmp) as folder, ExitStack() as stack:
        place = Path(folder).resolve()
        files = arguments.files or [
            sample.path for sample in make_samples(place, {"docx", "xlsx"}, quick=False).values()
        ]
        fork = Fork(place / "fork")
        stack.callback(fork.close)
        product = stack.enter_context(Product(place / "data"))
        print(f"{'file':24} {'way':8} {'median ms':>10} {'best ms':>8} {f'a minute by {CALLERS}':>14}")
        for number, document in enumerate(files):
            stock = StockOffice(document, "pdf", place / f"stock-{number}")
            form = Form(document, "pdf")
            with _calling(product, form) as call:
                for _ in range(4):  # from the third on, the product's LibreOffice is warm
                    call()
                ways: dict[str, Way] = {
                    "fork": lambda document=document: (fork.convert(document), None)[1],
                    "product": call,
                    "soffice": lambda stock=stock: (stock.convert(), None)[1],
                }
                singles = _in_turns(ways, arguments.rounds)
            for name, times in singles.items():
                together = _together(name, ways[name], product, form, arguments.seconds)
                median, best = statistics.median(times) * 1000, min(times) * 1000
                print(f"{document.name[:24]:24} {name:8} {median:10.1f} {best:8.1f} {together:14.0f}")
    return 0


def _arguments() -> argparse.Namespace:
    about, _, examples = (__doc__ or "").partition("Examples:")
    parser = argparse.ArgumentParser(
        description=about, epilog=f"Examples:{examples}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", nargs="+", type=Path, help="documents of your own")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of one caller")
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds of all callers at once, for each way")
    parser.add_argument("--tmp", metavar="DIR", help="where the data goes meanwhile; the usual place if not given")
    return parser.parse_args()


@contextmanager
def _calling(product: Product, form: Form) -> Iterator[Way]:
    client = product.client()
    try:
        yield lambda: (client.convert(form), None)[1]
    finally:
        client.close()


def _in_turns(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - began)
    return times


def _together(name: str, way: Way, product: Product, form: Form, seconds: float) -> float:
    """Conversions a minute, by as many callers as there are cores. Stock `soffice` has one profile, so one caller."""
    callers = 1 if name == "soffice" else CALLERS
    done: list[float] = []
    ends = time.monotonic() + seconds

    def work(call: Way) -> None:
        while time.monotonic() < ends:
            call()
            done.append(time.monotonic())

    with ExitStack() as stack:
        calls: Sequence[Way] = [
            stack.enter_context(_calling(product, form)) if name == "product" else way for _ in range(callers)
        ]
        began = time.monotonic()
        threads = [threading.Thread(target=work, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return 60 * len(done) / (time.monotonic() - began)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main())
