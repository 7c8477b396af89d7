"""Words out of documents: the product, and MarkItDown as a command and as a process that stays."""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import documents
import trees
from marks import marked
from product import Form, Product
from ways import ByCommand

ROUNDS = 6
"""Times the rounds of the whole run."""
_WORDS = re.compile(r"\w+")
_KEPT = """
import sys
from markitdown import MarkItDown
converter = MarkItDown()
for line in sys.stdin:
    given, made = line.rstrip("\\n").split("\\t")
    with open(made, "w", encoding="utf-8") as file:
        file.write(converter.convert(given).text_content)
    print("done", flush=True)
"""
Extract = Callable[[Path], str]


def measure(place: Path, python: Path, rounds: int) -> Sequence[Mapping[str, Any]]:
    """A row for each document and way: milliseconds, and which share of the document's words came out."""
    source = documents.source(1)
    slides = documents.slides(place / "talk.pptx", source)
    given = {
        "docx → md": (_file(place / "report.docx", documents.letter(source, pages=8)), "md"),
        "pptx → md": (slides, "md"),
        "xlsx → md": (_file(place / "table.xlsx", documents.sheet(source)), "md"),
        "pdf → txt": (_file(place / "nine.pdf", documents.pdf(9)), "txt"),
    }
    rows: list[Mapping[str, Any]] = []
    with Product(place / "texts") as product:
        kept = _Kept(python, place)
        command = ByCommand("markitdown", place / "markitdown", _command(python))
        called = command.caller()
        for name, (document, target) in given.items():
            ways: dict[str, tuple[Extract, Callable[[], float]]] = {
                "product": (_by_product(product, target), product.cpu_seconds),
                "markitdown, kept": (kept.extract, kept.cpu_seconds),
                "markitdown, called": (lambda path, called=called: called(path).decode(), command.cpu_seconds),
            }
            rows += _in_turns(name, document, ways, ROUNDS * rounds)
        kept.close()
    return rows


def _in_turns(
    name: str, document: Path, ways: Mapping[str, tuple[Extract, Callable[[], float]]], rounds: int
) -> Sequence[Mapping[str, Any]]:
    whole = _words_of(document)
    found, wall = {}, {way: [] for way in ways}  # type: ignore[var-annotated]
    spent = dict.fromkeys(ways, 0.0)
    for way, (extract, _) in ways.items():
        for _ in range(3):
            found[way] = Counter(_WORDS.findall(extract(document).lower()))
    for _ in range(rounds):
        for way, (extract, cpu) in ways.items():
            before, began = cpu(), time.perf_counter()
            extract(document)
            wall[way].append(time.perf_counter() - began)
            spent[way] += cpu() - before
    return [
        {
            "conversion": name,
            "way": way,
            "wall_ms": round(1000 * statistics.median(wall[way]), 1),
            "cpu_ms": round(1000 * spent[way] / rounds, 1),
            "recall": round(sum((whole & found[way]).values()) / whole.total(), 4),
        }
        for way in ways
    ]


def _words_of(document: Path) -> Counter[str]:
    """All that a third reader finds in it."""
    if document.suffix == ".pdf":
        import pypdfium2

        with pypdfium2.PdfDocument(document) as pdf:
            return Counter(_WORDS.findall(" ".join(page.get_textpage().get_text_range() for page in pdf).lower()))
    import zipfile

    parts = {".docx": "word/document.xml", ".pptx": "ppt/slides/slide", ".xlsx": "xl/sharedStrings.xml"}
    with zipfile.ZipFile(document) as file:
        names = [name for name in file.namelist() if name.startswith(parts[document.suffix]) and "_rels" not in name]
        marks = re.compile(r"<(?:w:|a:)?t(?: [^>]*)?>([^<]*)<")
        words = " ".join(" ".join(marks.findall(file.read(name).decode())) for name in names)
    return Counter(_WORDS.findall(words.lower()))


def _by_product(product: Product, target: str) -> Extract:
    client, numbers = product.client(), iter(range(1_000_000))

    def extract(document: Path) -> str:
        data = marked(document.suffix[1:], document.read_bytes(), next(numbers))
        return client.convert(Form(document, target, data)).decode()

    return extract


def _command(python: Path) -> Callable[[Path, Path, Path], list[str]]:
    def command(own: Path, results: Path, document: Path) -> list[str]:
        return [str(python), "-m", "markitdown", str(document), "-o", str(results / f"{document.stem}.pdf")]

    return command


class _Kept:
    def __init__(self, python: Path, place: Path) -> None:
        self._made = place / "kept.md"
        self._process = subprocess.Popen(
            [str(python), "-c", _KEPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def extract(self, document: Path) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{document}\t{self._made}\n".encode())
        self._process.stdin.flush()
        if self._process.stdout.readline() != b"done\n":
            raise RuntimeError(f"MarkItDown did not convert {document.name}")
        return self._made.read_text(encoding="utf-8")

    def cpu_seconds(self) -> float:
        return trees.cpu_seconds([self._process.pid])

    def close(self) -> None:
        self._process.communicate(b"")


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
