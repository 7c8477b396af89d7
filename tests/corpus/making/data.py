"""Tables and structured text."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

from corpus.making.tools import XML, Maker

_RECORDS = [{"ort": "Genève", "summe": 7}, {"ort": "Łódź", "summe": 12}]


def json_rows(path: Path) -> None:
    path.write_text(json.dumps(_RECORDS), encoding="utf-8")


TABLES = ("tsv", "ndjson", "arrow", "avro", "sav", "dta")


def table(name: str) -> Maker:
    return _TABLES[name]


def _tsv(path: Path) -> None:
    path.write_text("ort\tsumme\n" + "".join(f"{row['ort']}\t{row['summe']}\n" for row in _RECORDS), encoding="utf-8")


def _ndjson(path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _RECORDS), encoding="utf-8")


def _frame(writer: str) -> Maker:
    def make(path: Path) -> None:
        import polars

        getattr(polars.DataFrame(_RECORDS), writer)(path)

    return make


def _statistics(writer: str) -> Maker:
    def make(path: Path) -> None:
        import polars
        import pyreadstat

        getattr(pyreadstat, writer)(polars.DataFrame(_RECORDS), str(path))

    return make


_TABLES: Mapping[str, Maker] = {
    "tsv": _tsv,
    "ndjson": _ndjson,
    "arrow": _frame("write_ipc"),
    "avro": _frame("write_avro"),
    "sav": _statistics("write_sav"),
    "dta": _statistics("write_dta"),
}


def toml(path: Path) -> None:
    path.write_text('ort = "Łódź"\n\n[summe]\nwert = 12\n', encoding="utf-8")


def xml(path: Path) -> None:
    path.write_text(f"{XML}<orte><ort summe='7'>Genève</ort><ort summe='12'>Łódź</ort></orte>\n", encoding="utf-8")


def dbf(path: Path) -> None:
    """Two records with a name and a number, as dBASE III wrote them."""
    fields = b"".join(
        name.ljust(11, b"\0") + kind + bytes(4) + bytes([width, 0]) + bytes(14)
        for name, kind, width in ((b"ORT", b"C", 10), (b"SUMME", b"N", 4))
    )
    head = struct.pack("<4BIHH20x", 3, 126, 11, 22, 2, 32 + len(fields) + 1, 15)
    path.write_bytes(head + fields + b"\r" + b" Bern         7 Basel       12\x1a")


def vcf(path: Path) -> None:
    path.write_text(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Nováková;Žofie;;;\r\nFN:Žofie Nováková\r\n"
        "EMAIL:zofie@example.org\r\nEND:VCARD\r\n",
        encoding="utf-8",
    )
