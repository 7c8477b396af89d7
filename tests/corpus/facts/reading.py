"""Read words and tables out of products with tools that did not make them: own reading of ZIP and XML, poppler,
catdoc, openpyxl, xlrd, the standard library. Where a format has no other reader here (Parquet, Arrow, Avro), polars
reads what polars wrote.
"""

from __future__ import annotations

import csv
import email
import email.policy
import gzip
import html
import io
import json
import re
import sqlite3
import struct
import subprocess
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import yaml
from lxml import etree

Grid = list[list[object]]

PLAIN = frozenset({"txt", "md", "rst", "adoc", "org", "textile", "mediawiki", "man", "csv", "tsv", "srt", "vtt", "ass",
                   "ssa", "sub", "smi", "yaml", "toml", "typ", "tex", "mbox", "ics", "vcf"})  # fmt: skip
XML = frozenset({"docbook", "jats", "fb2", "fodt", "fodp", "fods", "xml", "ttml", "kml", "gml", "gpx", "rss"})
ZIPPED = {
    **dict.fromkeys(("docx", "dotx", "docm"), r"word/(document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml"),
    **dict.fromkeys(("pptx", "ppsx", "potx"), r"ppt/(slides|notesSlides|charts|diagrams)/[^/]+\.xml"),
    **dict.fromkeys(("xlsx", "xltx"), r"xl/(sharedStrings|worksheets/[^/]+|workbook)\.xml"),
    **dict.fromkeys(("odt", "ott", "ods", "odp", "odg"), r"content\.xml|styles\.xml|meta\.xml"),
    "epub": r".*\.(xhtml|html|htm|opf|ncx)",
    "kmz": r".*\.kml",
}
_UTF16_WORDS, _LATIN_WORDS = 0x0FA0, 0x0FA8
_LINE_ENDS = frozenset({"p", "h", "li", "td", "th", "tr", "br", "div", "h1", "h2", "h3", "h4", "t", "si", "title"})


def text_of(path: Path, target: str) -> str | None:
    """All words of a file; None when it has none, or none that can be read here."""
    if target == "man":
        return _manual_page(path)
    if target in PLAIN:
        return html.unescape(_decoded(path.read_bytes()).replace("\\", ""))
    if target in XML:
        return _xml_text(path.read_bytes())
    if target in ZIPPED:
        return zipped_text(path, ZIPPED[target])
    reader = _READERS.get(target)
    return reader(path) if reader is not None else None


def grids_of(path: Path, target: str) -> Mapping[str, Grid] | None:
    """The tables of a file by name, header first; None when it is no table."""
    reader = _GRIDS.get(target)
    return reader(path) if reader is not None else None


def zipped_text(path: Path, members: str) -> str:
    """All text of the members whose names match."""
    with zipfile.ZipFile(path) as package:
        names = sorted((n for n in package.namelist() if re.fullmatch(members, n)), key=_natural)
        return "\n".join(_xml_text(package.read(name)) for name in names)


def xml_root(data: bytes) -> etree._Element:
    """Parsed without resolving anything; HTML is forgiven."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=True)
    root = etree.fromstring(data, parser)
    return root if root is not None else etree.HTML(data)


def html_root(path: Path) -> etree._Element:
    return etree.HTML(path.read_bytes(), etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True))


_GROFF = {"cq": "’", "oq": "‘", "lq": "“", "rq": "”", "aq": "'", "dq": '"', "em": "—", "en": "–", "bu": "•", "rs": "\\"}


def _manual_page(path: Path) -> str:
    """Named characters undone; other escapes are layout."""
    text = re.sub(r"\\\[u([0-9A-F]{4,6})\]", lambda found: chr(int(found[1], 16)), _decoded(path.read_bytes()))
    text = re.sub(r"\\[\[(](\w\w)\]?", lambda found: _GROFF.get(found[1], found[0]), text)
    return text.replace("\\", "")


def _natural(name: str) -> list[object]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _decoded(data: bytes) -> str:
    return data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig", "replace")


def _xml_text(data: bytes) -> str:
    """Text of all elements, with attributes that hold words (OPML outlines, `alt`); paragraphs end lines."""
    root = xml_root(data)
    parts: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if not isinstance(element.tag, str):
            if event == "end" and element.tail:
                parts.append(element.tail)
            continue
        if event == "start":
            parts.extend(element.get(name, "") for name in ("text", "_note", "name") if element.get(name))
            parts.append(element.text or "")
        else:
            if etree.QName(element).localname in _LINE_ENDS:
                parts.append("\n")
            parts.append(element.tail or "")
    return "".join(parts)


def _html(path: Path) -> str:
    root = html_root(path)
    for element in root.iter("script", "style"):
        element.text = ""
    return "".join(root.itertext())


def _pdf(path: Path) -> str:
    """In two orders, and the title and subject that viewers show."""
    shown = re.findall(r"^(?:Title|Subject): +(.+)$", _said("pdfinfo", path), re.MULTILINE)
    return "\n".join([_said("pdftotext", "-raw", path, "-"), _said("pdftotext", path, "-"), *shown])


def _doc(path: Path) -> str:
    return _said("catdoc", "-w", "-d", "utf-8", path)


def _ppt(path: Path) -> str:
    """Own reading of the records that hold words; catppt finds none in what newer programs write."""
    import olefile

    with olefile.OleFileIO(path) as package:
        return "\n".join(_ppt_words(package.openstream("PowerPoint Document").read()))


def _ppt_words(data: bytes) -> Iterator[str]:
    at = 0
    while at + 8 <= len(data):
        version, kind, length = struct.unpack_from("<HHI", data, at)
        at += 8
        if version & 0xF == 0xF:
            continue  # a container: its records follow
        if kind == _UTF16_WORDS:
            yield data[at : at + length].decode("utf-16-le", "replace")
        elif kind == _LATIN_WORDS:
            yield data[at : at + length].decode("cp1252", "replace")
        at += length


def _rtf(path: Path) -> str:
    """Own reading: groups, Unicode escapes with their fallbacks, hex escapes; what holds no words is left out."""
    data = path.read_bytes().decode("latin-1")
    out: list[str] = []
    stack: list[tuple[int, bool]] = []
    fallback, hidden, skip = 1, False, 0
    token = re.compile(
        r"\\u(-?\d+) ?|\\'([0-9a-fA-F]{2})|\\([a-z]+)(-?\d+)? ?|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
    )
    for match in token.finditer(data):
        code, byte, word, number, symbol, brace, text = match.groups()
        if brace == "{":
            stack.append((fallback, hidden))
        elif brace == "}":
            fallback, hidden = stack.pop() if stack else (1, False)
        elif word:
            if word in {"fonttbl", "colortbl", "stylesheet", "pict", "info", "listtable", "generator", "themedata"}:
                hidden = True
            elif word == "uc":
                fallback = int(number or 1)
            elif word in {"par", "line", "cell", "row", "tab"} and not hidden:
                out.append("\n")
        elif hidden:
            if symbol == "*":
                hidden = True
        elif code:
            out.append(chr(int(code) % 65536))
            skip = fallback
        elif symbol:
            if symbol == "*":
                hidden = True
            elif symbol in "\\{}":
                out.append(symbol)
            elif symbol == "~":
                out.append(" ")
        elif byte:
            if skip:
                skip -= 1
            else:
                out.append(bytes.fromhex(byte).decode("cp1252", "replace"))
        elif text:
            out.append(text[skip:])
            skip = max(0, skip - len(text))
    return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _json(path: Path) -> str:
    return json_text(json.loads(_decoded(path.read_bytes())))


def _ndjson(path: Path) -> str:
    return "\n".join(json_text(json.loads(line)) for line in _decoded(path.read_bytes()).splitlines() if line.strip())


def json_text(value: Any) -> str:
    """All keys and values, a line each; lists of strings, as notebooks have them, run on."""
    if isinstance(value, dict):
        return "\n".join(f"{key}\n{json_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ("" if all(isinstance(item, str) for item in value) else "\n").join(json_text(item) for item in value)
    return str(value)


def _eml(path: Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    parts = [str(value) for value in message.values()]
    parts += [p.get_content() for p in message.walk() if p.get_content_maintype() == "text"]
    return "\n".join(parts)


def _svg(path: Path) -> str | None:
    data = path.read_bytes()
    root = xml_root(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
    return "".join(root.itertext()) if root.find(".//{*}text") is not None else None


def _xls(path: Path) -> str:
    return "\n".join(str(cell) for grid in _xls_grids(path).values() for row in grid for cell in row)


def _of_grid(target: str) -> Callable[[Path], str]:
    def text(path: Path) -> str:
        return "\n".join(str(cell) for grid in _GRIDS[target](path).values() for row in grid for cell in row)

    return text


def _said(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, timeout=120).stdout.decode("utf-8", "replace")


def _csv(delimiter: str) -> Callable[[Path], Mapping[str, Grid]]:
    def grid(path: Path) -> Mapping[str, Grid]:
        csv.field_size_limit(1 << 27)
        text = io.StringIO(_decoded(path.read_bytes()), newline="")
        return {"": [list(row) for row in csv.reader(text, delimiter=delimiter)]}

    return grid


def _xlsx_grids(path: Path) -> Mapping[str, Grid]:
    book = openpyxl.load_workbook(path, data_only=True)
    return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}


def _xls_grids(path: Path) -> Mapping[str, Grid]:
    import xlrd

    book = xlrd.open_workbook(path)
    return {sheet.name: [list(sheet.row_values(row)) for row in range(sheet.nrows)] for sheet in book.sheets()}


def _odf_grids(path: Path) -> Mapping[str, Grid]:
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as package:
            data = package.read("content.xml")
    tables = xml_root(data).findall(".//{*}spreadsheet/{urn:oasis:names:tc:opendocument:xmlns:table:1.0}table")
    return {_attribute(table, "name") or "": _odf_rows(table) for table in tables}


def _odf_rows(table: etree._Element) -> Grid:
    rows: Grid = []
    for row in table.iter("{*}table-row"):
        cells: list[object] = []
        for cell in row.iter("{*}table-cell", "{*}covered-table-cell"):
            shown = "\n".join("".join(p.itertext()) for p in cell.findall("{*}p"))
            value = _attribute(cell, "value") or _attribute(cell, "date-value") or shown
            cells.extend([value if _attribute(cell, "value-type") != "string" else shown]
                         * min(64, int(_attribute(cell, "number-columns-repeated") or 1)))  # fmt: skip
        while cells and cells[-1] == "":
            cells.pop()
        repeated = int(_attribute(row, "number-rows-repeated") or 1)
        rows.extend([cells] * (repeated if cells else min(repeated, 1)))
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _attribute(element: etree._Element, name: str) -> str | None:
    return next((value for key, value in element.attrib.items() if etree.QName(key).localname == name), None)


def _records_grid(records: Any) -> Mapping[str, Grid] | None:
    if isinstance(records, dict):
        tables = {name: rows for name, rows in records.items() if isinstance(rows, list)}
        if len(tables) != len(records) or not tables:
            return None
        found = {name: _records_grid(rows) for name, rows in tables.items()}
        return None if any(grid is None for grid in found.values()) else {n: g[""] for n, g in found.items() if g}
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return None
    header = list(dict.fromkeys(key for record in records for key in record))
    return {"": [list(header), *([record.get(key) for key in header] for record in records)]}


def _json_grids(path: Path) -> Mapping[str, Grid] | None:
    return _records_grid(json.loads(_decoded(path.read_bytes())))


def _ndjson_grids(path: Path) -> Mapping[str, Grid] | None:
    return _records_grid([json.loads(line) for line in _decoded(path.read_bytes()).splitlines() if line.strip()])


def _yaml_grids(path: Path) -> Mapping[str, Grid] | None:
    return _records_grid(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader))


def _toml_grids(path: Path) -> Mapping[str, Grid] | None:
    return _records_grid(tomllib.loads(path.read_text(encoding="utf-8")))


def _sqlite_grids(path: Path) -> Mapping[str, Grid]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    found: dict[str, Grid] = {}
    for name in names:
        cursor = connection.execute('select * from "' + name.replace('"', '""') + '"')
        found[name] = [[column[0] for column in cursor.description], *(list(row) for row in cursor)]
    connection.close()
    return found


def _polars_grids(function: str) -> Callable[[Path], Mapping[str, Grid]]:
    def grids(path: Path) -> Mapping[str, Grid]:
        import polars

        with path.open("rb") as file:
            frame = getattr(polars, function)(file)
        return {"": [list(frame.columns), *(list(row) for row in frame.rows())]}

    return grids


_GRIDS: Mapping[str, Callable[[Path], Mapping[str, Grid] | None]] = {
    "csv": _csv(","),
    "tsv": _csv("\t"),
    "xlsx": _xlsx_grids,
    "xltx": _xlsx_grids,
    "xls": _xls_grids,
    "ods": _odf_grids,
    "fods": _odf_grids,
    "json": _json_grids,
    "ndjson": _ndjson_grids,
    "yaml": _yaml_grids,
    "toml": _toml_grids,
    "sqlite": _sqlite_grids,
    "parquet": _polars_grids("read_parquet"),
    "arrow": _polars_grids("read_ipc"),
    "avro": _polars_grids("read_avro"),
}
_READERS: Mapping[str, Callable[[Path], str | None]] = {
    "html": _html,
    "pdf": _pdf,
    "doc": _doc,
    "ppt": _ppt,
    "rtf": _rtf,
    "xls": _xls,
    "json": _json,
    "ndjson": _ndjson,
    "ipynb": _json,
    "eml": _eml,
    "svg": _svg,
    **{name: _of_grid(name) for name in ("parquet", "arrow", "avro", "sqlite")},
}
