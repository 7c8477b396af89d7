"""How near the estimates of the product come, after some runs.

A `filewright serve` as anybody would start it (results that are known answer nothing) takes documents, pictures,
sheets, tables, PDFs and sound of all sizes over HTTP, mixed, one after the other. The first are to learn from: all
together, not of each kind. Of each of the rest, which are new files, `estimated_seconds` in the answer to the order is
compared with the time from the order to the end of the job. Told are the share that is near, by kind, and every one
that is not.

Examples:

  python benchmarks/eta.py                               200 runs to learn from and 120 to look at
  python benchmarks/eta.py --learn 60 --look 40          a quick look
  python benchmarks/eta.py --callers 3                   more at once than there are slots: somebody waits
  python benchmarks/eta.py --data figures.json           and write the figures down
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import documents
import httpx
from docx import Document
from docx.shared import Cm
from figures import aligned, machine, percentile
from PIL import Image
from product import Product
from samples import text

NEAR = 0.25
GOAL = 0.8


@dataclass(frozen=True)
class Kind:
    """Files of one kind, of all sizes, and what is made of them."""

    filename: str
    target: str
    make: Callable[[random.Random], bytes]


@dataclass(frozen=True)
class Run:
    """One job that is over."""

    kind: str
    bytes: int
    estimate: float
    took: float

    @property
    def off(self) -> float:
        """As a part of the time that it took."""
        return abs(self.estimate - self.took) / self.took


def pages(source: random.Random) -> int:
    """Most people write little."""
    return round(min(source.lognormvariate(0.7, 0.8), 20)) or 1


def letter(source: random.Random) -> bytes:
    """One of four with pictures, which are most of its bytes and little of the work."""
    if source.random() > 0.25:
        return documents.letter(source, pages=pages(source))
    document, out = Document(), io.BytesIO()
    for _ in range(pages(source)):
        document.add_picture(io.BytesIO(photo(source, most=1_200)), width=Cm(12))
        document.add_paragraph(text(source, 120))
    document.save(out)
    return out.getvalue()


def slides(source: random.Random) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return documents.slides(Path(folder) / "slides.pptx", source).read_bytes()


def sheet(source: random.Random) -> bytes:
    import xlsxwriter

    held = io.BytesIO()
    with xlsxwriter.Workbook(held, {"in_memory": True}) as book:
        page = book.add_worksheet()
        for row in range(int(10 ** source.uniform(1, 3.2))):
            page.write_row(row, 0, [text(source, 2), row, round(source.uniform(0, 100), 2)])
    return held.getvalue()


def photo(source: random.Random, most: int = 3_000) -> bytes:
    width = source.randrange(200, most)
    picture = Image.effect_noise((width, width * 3 // 4), 40).convert("RGB")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def screenshot(source: random.Random) -> bytes:
    """Even areas: few bytes, many pixels."""
    width = source.randrange(300, 4_000)
    picture = Image.new("RGB", (width, width * 9 // 16), "white")
    for _ in range(60):
        left, top = source.randrange(picture.width), source.randrange(picture.height)
        picture.paste(tuple(source.randrange(256) for _ in range(3)), (left, top, left + 200, top + 60))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def table(source: random.Random) -> bytes:
    count = int(10 ** source.uniform(1, 4.7))
    rows = (b"customer %d,%d.50,2026-11-%02d" % (n, n * 7, n % 28 + 1) for n in range(count))
    return b"\n".join((b"name,amount,day", *rows, b""))


def notes(source: random.Random) -> bytes:
    parts = (f"# {text(source, 3)}\n\n{text(source, 60)}\n\n- *one*\n- `two`" for _ in range(4 * pages(source)))
    return "\n\n".join(parts).encode()


def report(source: random.Random) -> bytes:
    return documents.pdf(pages(source))


def sound(source: random.Random) -> bytes:
    return documents.sound(source.uniform(1, 60))


KINDS: Mapping[str, Kind] = {
    "docx → pdf": Kind("letter.docx", "pdf", letter),
    "pptx → pdf": Kind("slides.pptx", "pdf", slides),
    "xlsx → pdf": Kind("sheet.xlsx", "pdf", sheet),
    "docx → html": Kind("letter.docx", "html", letter),
    "md → html": Kind("notes.md", "html", notes),
    "jpg → webp": Kind("photo.jpg", "webp", photo),
    "png → jpg": Kind("screen.png", "jpg", screenshot),
    "csv → json": Kind("table.csv", "json", table),
    "pdf → png": Kind("report.pdf", "png", report),
    "wav → mp3": Kind("sound.wav", "mp3", sound),
}
_OFTEN = {"docx → pdf": 4, "pptx → pdf": 2, "jpg → webp": 2}
"""What people want more than the rest, so many times."""


def main() -> int:
    options, here = _options(), machine()
    with (
        tempfile.TemporaryDirectory(prefix="eta-") as folder,
        Product(Path(folder) / "data") as product,
        httpx.Client(base_url=product.url, timeout=120) as http,
    ):
        runs = _runs(http, options)
    looked_at = runs[options.learn :]
    figures = {
        "machine": here,
        "learned_from": options.learn,
        "callers": options.callers,
        "all": _figures(looked_at),
        "kinds": {name: _figures(found) for name in KINDS if (found := [run for run in looked_at if run.kind == name])},
        "missed": [vars(run) for run in looked_at if run.off > NEAR],
    }
    _tell(figures)
    if options.data:
        options.data.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if figures["all"]["near"] >= GOAL else 1


def _runs(http: httpx.Client, options: argparse.Namespace) -> list[Run]:
    chance = random.Random(options.seed)
    drawn = chance.choices([*KINDS], [_OFTEN.get(name, 1) for name in KINDS], k=options.learn + options.look)
    files = (
        (name, KINDS[name], KINDS[name].make(random.Random(f"{options.seed} {n}"))) for n, name in enumerate(drawn)
    )
    if options.callers == 1:
        return [_run(http, *file) for file in files]
    with ThreadPoolExecutor(options.callers) as callers:
        return list(callers.map(lambda file: _run(http, *file), list(files)))


def _run(http: httpx.Client, name: str, kind: Kind, data: bytes) -> Run:
    files = {"file": (kind.filename, data, "application/octet-stream")}
    headers = {"Prefer": "respond-async"}
    job = http.post("/v1/convert", data={"to": kind.target}, files=files, headers=headers).raise_for_status().json()
    estimate = job["estimated_seconds"]
    while job["status"] in {"queued", "running"}:
        job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 60}).raise_for_status().json()
    if job["status"] != "succeeded":
        raise RuntimeError(json.dumps(job.get("error")))
    return Run(name, len(data), estimate, (_moment(job["finished_at"]) - _moment(job["created_at"])).total_seconds())


def _figures(runs: Sequence[Run]) -> dict[str, Any]:
    off = [run.off for run in runs]
    return {
        "jobs": len(runs),
        "near": round(sum(each <= NEAR for each in off) / len(off), 3),
        "off_p50": round(percentile(off, 50), 3),
        "off_p80": round(percentile(off, 80), 3),
        "leans": round(math.exp(percentile([math.log(run.estimate / run.took) for run in runs], 50)) - 1, 3),
        "seconds_p50": round(percentile([run.took for run in runs], 50), 3),
    }


def _tell(figures: Mapping[str, Any]) -> None:
    rows = [
        (
            name,
            str(each["jobs"]),
            f"{100 * each['near']:.0f} %",
            *(f"{100 * each[key]:.0f} %" for key in ("off_p50", "off_p80")),
            f"{100 * each['leans']:+.0f} %",
            f"{each['seconds_p50']:.2f}",
        )
        for name, each in [*figures["kinds"].items(), ("all", figures["all"])]
    ]
    heading = ("", "jobs", f"within {100 * NEAR:.0f} %", "off, p50", "off, p80", "leans", "seconds, p50")
    print(aligned([heading, *rows]))
    for run in figures["missed"]:
        seconds = f"{run['estimate']:.2f} s estimated, {run['took']:.2f} s taken"
        print(f"missed: {run['kind']} of {run['bytes']:,} bytes: {seconds}")
    print(json.dumps({key: value for key, value in figures.items() if key != "missed"}))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--learn", type=int, default=200, help="runs, of all kinds together, before the first is looked at"
    )
    parser.add_argument("--look", type=int, default=120, help="runs that are looked at")
    parser.add_argument("--callers", type=int, default=1, help="that order at once, each one job after the other")
    parser.add_argument("--seed", type=int, default=4711, help="of the files and their order")
    parser.add_argument("--data", type=Path, help="where to write the figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
