"""Runs in the sandbox: the beginning of an office document, so that its first page need not wait for the others.

An office program reads a document whole before it shows a page. What the first page shows is in the first few dozen
lines, so a document that ends after them has the same first page, and is read in a tenth of the time. `cut` makes one
such: of a text, until enough lines are there for two pages and more; of a show, the first slide that is not hidden.
Nothing is guessed: whatever does not look as expected is not cut, and whether there was a second page, which proves
that the first one is whole, `first_page` tells from the product.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

import pypdfium2

from filewright.chassis.sandbox.child import Report

_LINES = 150
"""Of a text: more than two pages in any usual type. A page that holds more is noticed: then there is no second one."""
_LETTERS_OF_A_LINE = 90
_LINES_OF_A_PICTURE = 8
_BREAKS = 3
_LARGEST_PART = 64 << 20
_LARGEST_PACKAGE = 512 << 20
_BLOCK = 64 << 10


@dataclass(frozen=True)
class Shape:
    """Where, in the XML of a kind of document, its pieces lie. All names without their prefixes."""

    part: str
    """The member of the package; empty where the file is the XML."""
    container: tuple[str, ...]
    """From the root down to the element that holds the pieces."""
    pieces: frozenset[str]
    """After any of these the document may end."""
    through: frozenset[str] = frozenset()
    """Elements between the container and a piece that can be closed early."""
    pictures: frozenset[str] = frozenset()
    breaks: frozenset[str] = frozenset()
    enough: int = _LINES
    closing: str = ""
    """The element that says how the pages of what stands before it look."""


_WORD = Shape(
    "word/document.xml",
    ("document", "body"),
    frozenset({"p", "tr"}),
    through=frozenset({"tbl", "sdt", "sdtContent", "customXml"}),
    pictures=frozenset({"drawing", "pict"}),
    breaks=frozenset({"lastRenderedPageBreak"}),
    closing="sectPr",
)
_TEXT = Shape(
    "content.xml",
    ("document-content", "body", "text"),
    frozenset({"p", "h", "table-row"}),
    through=frozenset(
        {"section", "list", "list-item", "list-header", "table", "table-rows", "table-row-group", "table-header-rows"}
    ),
    pictures=frozenset({"frame"}),
    breaks=frozenset({"soft-page-break"}),
)
_FLAT_TEXT = Shape("", ("document", "body", "text"), _TEXT.pieces, _TEXT.through, _TEXT.pictures, _TEXT.breaks)
_SHOW = Shape("content.xml", ("document-content", "body", "presentation"), frozenset({"page"}), enough=1)
_FLAT_SHOW = Shape("", ("document", "body", "presentation"), frozenset({"page"}), enough=1)
_SHAPES = {
    **dict.fromkeys(("docx", "docm", "dotx"), _WORD),
    **dict.fromkeys(("odt", "ott"), _TEXT),
    "fodt": _FLAT_TEXT,
    "odp": _SHOW,
    "fodp": _FLAT_SHOW,
}
_SLIDES = {"pptx", "pptm", "ppsx", "potx"}
_SLIDE_LIST = "ppt/presentation.xml"
_RELATIONS = "ppt/_rels/presentation.xml.rels"
_HIDDEN = re.compile(rb"<(?:[\w.-]+:)?sld\b[^>]*\bshow=[\"'](?:0|false)[\"']")

Shorten = Callable[[zipfile.ZipFile, bytes], bytes | None]
"""From a package and one of its members to the shorter member; None when it stays as it is."""


class _Unexpected(Exception):
    """Not to be cut by somebody who does not know this."""


def cut(*, report: Report, source: str, source_format: str, target: str) -> bool:
    """Write the beginning to `target`; False, and nothing of use written, when the whole is to be taken."""
    try:
        if source_format in _SLIDES:
            return _rewrite(Path(source), Path(target), _SLIDE_LIST, _one_slide)
        shape = _SHAPES[source_format]
        if not shape.part:
            return _cut_file(Path(source), Path(target), shape)
        return _rewrite(Path(source), Path(target), shape.part, lambda _, data: _beginning(data, shape))
    except (_Unexpected, expat.ExpatError, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError):
        return False


def first_page(*, report: Report, product: str) -> int:
    """Leave the PDF its first page. How many it had."""
    document = pypdfium2.PdfDocument(product)
    pages = len(document)
    if pages > 1:
        single = pypdfium2.PdfDocument.new()
        single.import_pages(document, [0])
        single.save(f"{product}.first")
        single.close()
        Path(f"{product}.first").replace(product)
    document.close()
    return pages


def _cut_file(source: Path, target: Path, shape: Shape) -> bool:
    if source.stat().st_size > _LARGEST_PART:
        return False
    shorter = _beginning(source.read_bytes(), shape)
    if shorter is not None:
        target.write_bytes(shorter)
    return shorter is not None


def _rewrite(source: Path, target: Path, part: str, shorten: Shorten) -> bool:
    """The package with another `part`. Nothing is packed again: it is read once and thrown away."""
    with zipfile.ZipFile(source) as package:
        members = package.infolist()
        if package.getinfo(part).file_size > _LARGEST_PART or sum(m.file_size for m in members) > _LARGEST_PACKAGE:
            return False
        shorter = shorten(package, package.read(part))
        if shorter is None:
            return False
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as beginning:
            for member in members:
                beginning.writestr(member.filename, shorter if member.filename == part else package.read(member))
    return True


def _beginning(data: bytes, shape: Shape) -> bytes | None:
    """The XML as far as it is enough, closed properly; None when that is all of it."""
    reader = _Reader(data, shape)
    if not reader.stopped:
        return None
    around = len(shape.container)
    said_last = _next_closing(data, reader) if shape.closing else b""
    return data[: reader.end] + _ends(reader.open[around:]) + said_last + _ends(reader.open[:around])


def _ends(names: Sequence[bytes]) -> bytes:
    return b"".join(b"</" + name + b">" for name in reversed(names))


class _Reader:
    """Reads until there is enough: `end` is where, and `open` what has to be closed there."""

    def __init__(self, data: bytes, shape: Shape) -> None:
        self.stopped = False
        self.end = 0
        self.open: list[bytes] = []
        self._names: list[str] = []
        self._data, self._shape = data, shape
        self._letters = self._lines = self._breaks = 0
        self._parser = parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _refuse
        parser.XmlDeclHandler = _demand_utf8
        parser.StartElementHandler = self._starts
        parser.EndElementHandler = self._ends
        parser.CharacterDataHandler = self._says
        for begin in range(0, len(data), _BLOCK):
            parser.Parse(data[begin : begin + _BLOCK], begin + _BLOCK >= len(data))
            if self.stopped:
                break

    def _starts(self, name: str, _: object) -> None:
        if self.stopped:
            return
        self.open.append(name.encode())
        local = _local(name)
        self._names.append(local)
        if local in self._shape.pictures:
            self._lines += _LINES_OF_A_PICTURE
        elif local in self._shape.breaks:
            self._breaks += 1

    def _says(self, text: str) -> None:
        self._letters += len(text)

    def _ends(self, name: str) -> None:
        if self.stopped:
            return
        self.open.pop()
        ended = self._names.pop()
        if ended not in self._shape.pieces or not self._may_end_here():
            return
        self._lines += 1 + self._letters // _LETTERS_OF_A_LINE
        self._letters = 0
        if self._lines >= self._shape.enough or self._breaks >= _BREAKS:
            self.end = _end_of(name, self._data, self._parser.CurrentByteIndex)
            self.stopped = True

    def _may_end_here(self) -> bool:
        container, between = self._shape.container, self._names[len(self._shape.container) :]
        return tuple(self._names[: len(container)]) == container and self._shape.through.issuperset(between)


def _next_closing(data: bytes, reader: _Reader) -> bytes:
    """What the next section says of its pages: it holds for what stands before it. Empty when nothing is said."""
    prefix = reader.open[0].rpartition(b":")[0]
    mark = b"<" + (prefix + b":" if prefix else b"") + b"sectPr"
    begin = data.find(mark, reader.end)
    return b"" if begin < 0 else data[begin : begin + _length_of_element(data[begin : begin + _BLOCK])]


def _length_of_element(data: bytes) -> int:
    """Of the one that `data` begins with. Raises _Unexpected when it does not end."""
    depth, length = 0, 0
    parser = expat.ParserCreate()

    def starts(_: str, __: object) -> None:
        nonlocal depth
        depth += 1

    def ends(name: str) -> None:
        nonlocal depth, length
        depth -= 1
        if depth == 0:
            length = _end_of(name, data, parser.CurrentByteIndex)

    parser.StartElementHandler, parser.EndElementHandler = starts, ends
    try:
        parser.Parse(data, False)
    except expat.ExpatError:
        if not length:
            raise
    if not length:
        raise _Unexpected
    return length


def _one_slide(package: zipfile.ZipFile, data: bytes) -> bytes | None:
    """The list of slides with the first one that is shown, and no other; None when there is one only."""
    places = _slide_places(data)
    if len(places) < 2:
        return None
    targets = _relations(package.read(_RELATIONS))
    for begin, end, relation in places:
        with package.open(targets[relation]) as slide:
            if not _HIDDEN.search(slide.read(_BLOCK)):
                return data[: places[0][0]] + data[begin:end] + data[places[-1][1] :]
    return None


def _slide_places(data: bytes) -> Sequence[tuple[int, int, str]]:
    """Begin, end and relation of each entry of the list."""
    found: list[tuple[int, int, str]] = []
    begins: list[tuple[int, str]] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.XmlDeclHandler = _demand_utf8

    def starts(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "sldId":
            relation = next(value for key, value in attributes.items() if ":" in key and _local(key) == "id")
            begins.append((parser.CurrentByteIndex, relation))

    def ends(name: str) -> None:
        if _local(name) == "sldId":
            begin, relation = begins.pop()
            found.append((begin, _end_of(name, data, parser.CurrentByteIndex), relation))

    parser.StartElementHandler, parser.EndElementHandler = starts, ends
    parser.Parse(data, True)
    return found


def _relations(data: bytes) -> dict[str, str]:
    """The members that the relations of the presentation mean."""
    found: dict[str, str] = {}

    def starts(_: str, attributes: dict[str, str]) -> None:
        if "Id" in attributes and "Target" in attributes:
            found[attributes["Id"]] = posixpath.normpath(posixpath.join("/ppt", attributes["Target"])).lstrip("/")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = starts
    parser.Parse(data, True)
    return found


def _end_of(name: str, data: bytes, place: int) -> int:
    """Behind the element that ends. Expat is before its end tag by then; of one that has none, behind it."""
    end = data.index(b">", place) if data.startswith(b"</", place) else place
    return end + 1 if data[place:end].split() == [b"</" + name.encode()] else place


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse(*_: object) -> None:
    raise _Unexpected


def _demand_utf8(_: str, encoding: str | None, __: int) -> None:
    if encoding is not None and encoding.lower() not in {"utf-8", "us-ascii"}:
        raise _Unexpected
