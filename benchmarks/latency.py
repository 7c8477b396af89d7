"""What somebody waits for who should not have to: a result that is known, and the first page of a long document.

A `filewright serve` as anybody would start it, LibreOffice warm, one caller over HTTP. In one run, in turns:

- letters that are new (a miss), then the same ones again (a hit): sent and answered in one call, upload included; and
  ordered of an upload that is there already, then downloaded;
- of documents of 200 pages, the first page as a picture, from the order to its last byte: alone, and right behind the
  order of the whole document, which tells how long the page would else have to be waited for.

Examples:

  python benchmarks/latency.py                             some minutes
  python benchmarks/latency.py --letters 10 --rounds 2     a quick look
  python benchmarks/latency.py --data benchmarks/latency.json
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import documents
import pypandoc
from figures import aligned, machine, percentile
from product import Form, Product
from samples import text

HIT_MS, PAGE_MS = 30.0, 1000.0
PAGES = 200
LETTER_PAGES = 340
"""Of the letter that has so many when it is laid out."""
IDLE_SECONDS = 1.0
_OVER = frozenset({"succeeded", "failed", "cancelled", "expired"})


@dataclass
class Waits:
    """How long something took, each time; and the CPU time of the whole service for all of it."""

    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def figures(self) -> dict[str, float]:
        return {
            "times": len(self.seconds),
            "p50_ms": round(1000 * percentile(self.seconds, 50), 1),
            "p95_ms": round(1000 * percentile(self.seconds, 95), 1),
            "cpu_ms": round(1000 * self.cpu / max(1, len(self.seconds)), 1),
        }


class Waiting:
    """Takes the times."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self.found: dict[str, Waits] = {}

    def each(self, name: str, acts: Sequence[Callable[[], object]]) -> None:
        """One after the other."""
        cpu = self._product.cpu_seconds()
        for act in acts:
            began = time.perf_counter()
            act()
            self.note(name, began)
        self.found[name].cpu += self._product.cpu_seconds() - cpu

    def note(self, name: str, began: float) -> None:
        """It is over now."""
        self.found.setdefault(name, Waits()).seconds.append(time.perf_counter() - began)


class Caller:
    """One connection, and what is asked on it."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._address, timeout=300)
        self._used = time.monotonic()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> bytes:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if body is None or isinstance(body, bytes) else {"Content-Type": "application/json"}
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()  # the server may be closing it at this moment; the request opens it anew
        self._connection.request(method, path, data, {**kind, **headers})
        answer = self._connection.getresponse()
        content = answer.read()
        self._used = time.monotonic()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content

    def uploaded(self, name: str, data: bytes) -> str:
        upload = str(json.loads(self.ask("POST", "/v1/uploads", {"filename": name, "bytes": len(data)}))["id"])
        self.ask("PUT", f"/v1/uploads/{upload}", data)
        self.ask("POST", f"/v1/uploads/{upload}/complete")
        return upload

    def ordered(self, upload: str, order: Mapping[str, Any], *, anew: bool = False) -> dict[str, Any]:
        """`anew`: whatever is there already."""
        said = {"Cache-Control": "no-store"} if anew else {}
        job: dict[str, Any] = json.loads(
            self.ask("POST", "/v1/jobs", {"inputs": [{"upload": upload}], **order}, **said)
        )
        return job

    def over(self, job: Mapping[str, Any]) -> dict[str, Any]:
        now = dict(job)
        while now["status"] not in _OVER:
            now = json.loads(self.ask("GET", f"/v1/jobs/{job['id']}?wait=60"))
        if now["status"] != "succeeded":
            raise RuntimeError(f"{now['status']}: {json.dumps(now.get('error'))}")
        return now

    def bytes_of(self, job: Mapping[str, Any]) -> bytes:
        return self.ask("GET", f"/v1/jobs/{self.over(job)['id']}/outputs/0")


# --- results that are known --------------------------------------------------------------------------------------


def known_results(product: Product, waiting: Waiting, options: argparse.Namespace, folder: Path) -> None:
    letters = [folder / f"letter-{n}.docx" for n in range(options.letters)]
    for n, path in enumerate(letters):
        path.write_bytes(documents.letter(random.Random(n), pages=1 + n % 2))
    forms = [Form(path, "pdf") for path in letters]
    client, caller = product.client(), Caller(product.url)
    made: dict[int, bytes] = {}

    def take(n: int, form: Form) -> None:
        answer = client.send(form)
        if answer.status != 200 or made.setdefault(n, answer.body) != answer.body:
            raise RuntimeError(f"{answer.status}: not the bytes of the first time")
        last.append(answer.job or "")

    last: list[str] = []
    takes = [lambda n=n, form=form: take(n, form) for n, form in enumerate(forms)]
    for warm_up in range(3):
        client.convert(Form(letters[0], "pdf", documents.letter(random.Random(1000 + warm_up))))
    waiting.each("convert in one call, a miss", takes)
    misses = set(last)
    for _ in range(options.rounds):
        waiting.each("convert in one call, a hit", takes)
    for job in set(last) - misses:
        if json.loads(caller.ask("GET", job))["cache"] != "hit":
            raise RuntimeError("what should have been known was not")
    uploads = [caller.uploaded(path.name, path.read_bytes()) for path in letters]
    orders = [lambda upload=upload: caller.bytes_of(caller.ordered(upload, {"to": "pdf"})) for upload in uploads]
    for _ in range(options.rounds):
        waiting.each("order and download, a hit", orders)
    downloads = [lambda job=job: caller.ask("GET", f"{job}/outputs/0") for job in sorted(misses)]
    waiting.each("the download alone", downloads)
    client.close()


# --- the first page of a long document ---------------------------------------------------------------------------


def slides(folder: Path) -> bytes:
    source, path = random.Random(2), folder / "slides.pptx"
    words = "\n\n".join(
        f"## {text(source, 4)}\n\n" + "\n".join(f"- {text(source, 8)}" for _ in range(5)) for _ in range(PAGES)
    )
    argv = [pypandoc.get_pandoc_path(), "--from=markdown", "--to=pptx", "--slide-level=2", f"--output={path}"]
    subprocess.run(argv, input=words.encode(), check=True)
    return path.read_bytes()


_FIRST = {"to": "webp", "options": {"preview": True, "width": 1200}}
_WHOLE = {"to": "pdf"}
_OF_A_PDF = {"to": "webp", "options": {"pages": "1", "width": 1200}}
_WHOLE_OF_A_PDF = {"to": "webp", "options": {"width": 1200}}


def first_pages(product: Product, waiting: Waiting, options: argparse.Namespace, folder: Path) -> dict[str, int]:
    """Of each document how many pages it had in the end."""
    caller, other = Caller(product.url), Caller(product.url)
    sources: Mapping[str, tuple[bytes, Mapping[str, Any], Mapping[str, Any]]] = {
        "docx": (documents.letter(random.Random(3), pages=LETTER_PAGES), _FIRST, _WHOLE),
        "pptx": (slides(folder), _FIRST, _WHOLE),
        "pdf": (documents.pdf(PAGES), _OF_A_PDF, _WHOLE_OF_A_PDF),
    }
    pages = {}
    for kind, (data, first, whole) in sources.items():
        upload = caller.uploaded(f"long.{kind}", data)

        def page(upload: str = upload, first: Mapping[str, Any] = first) -> None:
            if not caller.bytes_of(caller.ordered(upload, first, anew=True)).startswith(b"RIFF"):
                raise RuntimeError("no picture")

        page()  # what is started once is started
        waiting.each(f"first page of a {kind}", [page] * options.pages)
        for _ in range(max(1, options.pages // 4)):
            began = time.perf_counter()
            job = other.ordered(upload, whole, anew=True)
            behind = time.perf_counter()
            page()
            waiting.note(f"first page of a {kind}, behind the whole", behind)
            made = other.over(job)["outputs"]
            waiting.note(f"the whole {kind}", began)
            pages[kind] = len(made) if len(made) > 1 else int(made[0]["pages"])
    return pages


# --- telling -----------------------------------------------------------------------------------------------------


def goal_of(name: str) -> float | None:
    return HIT_MS if name.endswith("a hit") else PAGE_MS if name.startswith("first page") else None


def main() -> int:
    options = _options()
    figures: dict[str, Any] = {"machine": machine()}
    settings = {"RESULT_CACHE": "true", "OFFICE": "ready"}
    with tempfile.TemporaryDirectory(prefix="latency-") as name:
        folder = Path(name)
        with Product(folder / "data", settings) as product:
            waiting = Waiting(product)
            known_results(product, waiting, options, folder)
            figures["pages"] = first_pages(product, waiting, options, folder) if options.pages else {}
    found = {name: waits.figures() for name, waits in waiting.found.items()}
    figures |= {"waits": found, "goals_ms": {"a hit": HIT_MS, "a first page": PAGE_MS}}
    rows = [
        (name, *(str(each[key]) for key in ("times", "p50_ms", "p95_ms", "cpu_ms")), str(goal_of(name) or ""))
        for name, each in found.items()
    ]
    print(aligned([("", "times", "p50 ms", "p95 ms", "CPU ms", "goal, p50"), *rows]))
    print(json.dumps(figures))
    if options.data:
        options.data.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    kept = [each["p50_ms"] <= goal for name, each in found.items() if (goal := goal_of(name)) is not None]
    return 0 if all(kept) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=25, help="that are converted, and then ordered again")
    parser.add_argument("--rounds", type=int, default=4, help="how often they are ordered again")
    parser.add_argument("--pages", type=int, default=12, help="first pages of each document; 0: none")
    parser.add_argument("--data", type=Path, help="where to write the figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
