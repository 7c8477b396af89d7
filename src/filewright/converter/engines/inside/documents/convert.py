"""The door to structured text: read the source into values, write them as the target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.documents import cards, reading, writing
from filewright.converter.engines.inside.encoding import decode
from filewright.converter.engines.inside.tables import separated
from filewright.converter.engines.inside.tables.records import table_of

_CARDS = {"ics", "vcf"}


def convert(
    report: Report, source: str, source_format: str, target: str, options: Mapping[str, Any], password: str | None
) -> list[str]:
    """One file. A calendar or address book becomes its components, or for CSV a row for each entry."""
    name = f"output.{target}"
    value = _read(Path(source), source_format)
    report(0.5)
    if target == "csv":
        entries = cards.rows(value)
        if not entries:
            raise Refusal("unsupported_conversion")
        separated.write([table_of(entries)], Path("out") / name, target)
    else:
        writing.write(value, Path("out") / name, target)
    return [name]


def _read(source: Path, source_format: str) -> Any:
    if source_format in _CARDS:
        return cards.parse(decode(source.read_bytes()))
    return reading.read(source, source_format)
