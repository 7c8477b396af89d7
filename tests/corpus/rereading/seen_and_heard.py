"""Readers of pictures, sound and film."""

from __future__ import annotations

import re
from pathlib import Path

import resvg_py

from corpus.facts.delivery import run
from corpus.facts.media import said_of
from corpus.facts.pictures import size_of
from corpus.rereading.common import Reader, must
from corpus.rereading.documents import xml


def picture(kind: str, target: str) -> Reader:
    """`file` knows the kind, and another program its size."""

    def read(path: Path) -> None:
        said = run("file", "-b", path)
        must(re.search(kind, said), f"a file of type {said[:60]!r}")
        must(min(size_of(path, target)) > 0, "no size")

    return read


def apple_icon(path: Path) -> None:
    data = path.read_bytes()
    must(data[:4] == b"icns" and int.from_bytes(data[4:8], "big") == len(data) > 8, "not one whole icon")


def qoi(path: Path) -> None:
    data = path.read_bytes()
    must(data[:4] == b"qoif" and data.endswith(bytes(7) + b"\x01"), "not one whole picture")
    must(min(size_of(path, "qoi")) > 0, "no size")


def svg(path: Path) -> None:
    xml("svg")(path)
    must(resvg_py.svg_to_bytes(svg_path=str(path), dpi=96.0), "it cannot be drawn")


def playing(container: str, kind: str) -> Reader:
    """A container of this kind, with something to be heard or seen."""

    def read(path: Path) -> None:
        said = said_of(path)
        must(container in said["format"]["format_name"].split(","), said["format"]["format_name"])
        sizes = [int(s.get("sample_rate") or s.get("width") or 0) for s in said["streams"] if s["codec_type"] == kind]
        must(max(sizes, default=0) > 0, f"no {kind}")

    return read
