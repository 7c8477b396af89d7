"""Runs in the sandbox: Word, Excel and PowerPoint files to PDF by the office2pdf library."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import office2pdf

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.office_lock import unlocked

_AT_FAULT = (
    office2pdf.Office2PdfParseError, office2pdf.UnsupportedFormatError, office2pdf.UnsupportedEncryptionError,
    office2pdf.Office2PdfIoError,
)  # fmt: skip

_STRICT = b"http://purl.oclc.org/ooxml/"
_MOST_RELATIONSHIPS = 1 << 20


def convert(
    source: str, source_format: str, target: str, options: dict[str, Any], password: str | None, report: Report
) -> list[str]:
    """Write `out/output.pdf`."""
    data = Path(source).read_bytes()
    if not data.startswith(b"PK") or password is not None:
        data = unlocked(data, password) or data
    if not data.startswith(b"PK"):
        raise Refusal("corrupt_input")
    if _is_strict(data):
        raise Refusal("unsupported_format")
    choices = office2pdf.ConvertOptions(tagged=options.get("tagged", True), include_warnings=False)
    try:
        made = office2pdf.convert_bytes(data, office2pdf.Format(source_format), choices)
    except _AT_FAULT as error:
        raise Refusal("corrupt_input") from error
    Path("out/output.pdf").write_bytes(made.pdf)
    return ["output.pdf"]


def _is_strict(data: bytes) -> bool:
    """Whether the file speaks of its parts by the names of strict OOXML, of which the library makes an empty page."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package, package.open("_rels/.rels") as relationships:
            return _STRICT in relationships.read(_MOST_RELATIONSHIPS)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise Refusal("corrupt_input") from error
