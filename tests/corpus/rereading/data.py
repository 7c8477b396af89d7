"""Readers of tables, structured text, archives, letters, fonts, maps and models."""

from __future__ import annotations

import email
import email.policy
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import yaml

from corpus.facts.delivery import run
from corpus.facts.reading import grids_of
from corpus.facts.shapes import triangles_of
from corpus.rereading.common import Reader, must
from corpus.rereading.documents import words
from filewright.converter.formats.catalogue import FORMATS


def grid(target: str) -> Reader:
    def read(path: Path) -> None:
        if FORMATS[target].text:
            words()(path)
        grids = grids_of(path, target)
        must(grids and any(any(grid) for grid in grids.values()), "no table with anything in it")

    return read


def json_text(path: Path) -> None:
    must(json.loads(path.read_text(encoding="utf-8")) not in (None, "", [], {}), "nothing in it")


def ndjson_text(path: Path) -> None:
    must([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line], "nothing in it")


def yaml_text(path: Path) -> None:
    must(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader), "nothing in it")


def sqlite_file(path: Path) -> None:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        must(connection.execute("pragma integrity_check").fetchone() == ("ok",), "damaged")
        must(connection.execute("select name from sqlite_master where type = 'table'").fetchall(), "no table")
    finally:
        connection.close()


def marked(start: bytes, end: bytes, target: str) -> Reader:
    """Written and read by one library here; so its marks, too, are looked at."""

    def read(path: Path) -> None:
        data = path.read_bytes()
        must(data.startswith(start) and data.endswith(end), "not one whole file")
        grid(target)(path)

    return read


def archive(kind: str) -> Reader:
    def read(path: Path) -> None:
        said = run("file", "-b", path)
        must(re.search(kind, said), f"a file of type {said[:60]!r}")
        must(run("bsdtar", "-tf", path).strip(), "no members")

    return read


def unpacked(unpack: Callable[[bytes], bytes]) -> Reader:
    return lambda path: must(unpack(path.read_bytes()), "nothing in it")


def letter(path: Path) -> None:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    must(message.keys() and not message.defects, f"defects {message.defects}")


def font(kind: str) -> Reader:
    def read(path: Path) -> None:
        said = run("file", "-b", path)
        must(re.search(kind, said), f"a file of type {said[:60]!r}")
        must(run("fc-scan", "--format", "%{family}", path).strip(), "no family")

    return read


def map_of(driver: str) -> Reader:
    """Debian's GDAL, another build than the one that converts."""

    def read(path: Path) -> None:
        said = run("ogrinfo", "-ro", "-so", "-al", f"/vsizip/{path}" if driver == "ESRI Shapefile" else path)
        must(f"using driver `{driver}'" in said, said[:80])
        must(re.search(r"Feature Count: [1-9]", said), "no features")

    return read


def geoparquet(path: Path) -> None:
    data = path.read_bytes()
    must(data[:4] == data[-4:] == b"PAR1" and b'"primary_column"' in data, "no geometry in it")


def mesh(target: str) -> Reader:
    def read(path: Path) -> None:
        found = triangles_of(path, target)
        must(found > 0, "no triangles")
        if target == "stl" and not path.read_bytes().startswith(b"solid"):
            must(path.stat().st_size == 84 + 50 * found, "more or less than its triangles")

    return read
