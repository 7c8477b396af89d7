"""How near the estimates of the product come, after so many runs of each kind of work.

A `filewright serve` as anybody would start it (results that are known answer nothing) takes documents, pictures and
tables of all sizes over HTTP, one after the other. The first runs of each kind are to learn from. Of each of the rest,
`estimated_seconds` in the answer to the order is compared with the time from the order to the end of the job.

Examples:

  python benchmarks/eta.py                              200 runs to learn from and 60 to look at, of each kind
  python benchmarks/eta.py --learn 40 --look 20         a quick look
  python benchmarks/eta.py --data figures.json          and write the figures down
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import documents
import httpx
from figures import machine, percentile
from PIL import Image
from product import Product

NEAR = 0.25
GOAL = 0.8
Make = Callable[[random.Random], bytes]


def letter(source: random.Random) -> bytes:
    return documents.letter(source, pages=round(min(source.lognormvariate(0.7, 0.8), 20)) or 1)


def photo(source: random.Random) -> bytes:
    width = source.randrange(200, 3_000)
    picture = Image.effect_noise((width, width * 3 // 4), 40).convert("RGB")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def table(source: random.Random) -> bytes:
    count = int(10 ** source.uniform(1, 4.7))
    rows = (b"customer %d,%d.50,2026-11-%02d" % (n, n * 7, n % 28 + 1) for n in range(count))
    return b"\n".join((b"name,amount,day", *rows, b""))


KINDS: Mapping[str, tuple[str, str, Make]] = {
    "docx → pdf": ("letter.docx", "pdf", letter),
    "jpg → webp": ("photo.jpg", "webp", photo),
    "csv → json": ("table.csv", "json", table),
}


def main() -> int:
    options = _options()
    figures: dict[str, Any] = {"machine": machine(), "learned_from": options.learn, "looked_at": options.look}
    with (
        tempfile.TemporaryDirectory(prefix="eta-") as folder,
        Product(Path(folder) / "data") as product,
        httpx.Client(base_url=product.url, timeout=120) as http,
    ):
        for name, kind in KINDS.items():
            figures[name] = _measured(http, *kind, options)
            print(f"{name}: {json.dumps(figures[name])}", flush=True)
    if options.data:
        options.data.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if all(figures[name]["near"] >= GOAL for name in KINDS) else 1


def _measured(
    http: httpx.Client, filename: str, target: str, make: Make, options: argparse.Namespace
) -> dict[str, Any]:
    source = random.Random(4711)
    runs = [_run(http, filename, target, make(source)) for _ in range(options.learn + options.look)]
    looked_at = runs[options.learn :]
    off = [abs(estimate - took) / took for estimate, took in looked_at]
    return {
        "near": round(sum(each <= NEAR for each in off) / len(off), 3),
        "off_p50": round(percentile(off, 50), 3),
        "off_p80": round(percentile(off, 80), 3),
        "seconds_p50": round(percentile([took for _, took in looked_at], 50), 3),
    }


def _run(http: httpx.Client, filename: str, target: str, data: bytes) -> tuple[float, float]:
    """What was estimated, and what it took."""
    files = {"file": (filename, data, "application/octet-stream")}
    headers = {"Prefer": "respond-async"}
    job = http.post("/v1/convert", data={"to": target}, files=files, headers=headers).raise_for_status().json()
    estimate = job["estimated_seconds"]
    while job["status"] in {"queued", "running"}:
        job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 60}).raise_for_status().json()
    if job["status"] != "succeeded":
        raise RuntimeError(json.dumps(job.get("error")))
    return estimate, (_moment(job["finished_at"]) - _moment(job["created_at"])).total_seconds()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learn", type=int, default=200, help="runs of each kind before the first is looked at")
    parser.add_argument("--look", type=int, default=60, help="runs of each kind that are looked at")
    parser.add_argument("--data", type=Path, help="where to write the figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
