"""Runs in the sandbox: find out how a text is encoded, and plain text as a web page."""

from __future__ import annotations

import codecs
import html
import re
from pathlib import Path

from charset_normalizer import from_bytes

from filewright.chassis.sandbox.child import Refusal, Report

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""")
_MOSTLY = 0.3
"""Share of NUL bytes at even or odd places from which a text without a mark is taken for UTF-16."""


def decode(data: bytes) -> str:
    """The text of `data`: by its mark, as UTF-8, as it declares itself, or by the best guess. Refuses binary data."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    for encoding in ("utf-8", *_unmarked_utf16(data), *_declared(data)):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return _guess(data)


def _unmarked_utf16(data: bytes) -> list[str]:
    head = data[:4096]
    half = max(1, len(head) // 2)
    if head[1::2].count(0) / half > _MOSTLY:
        return ["utf-16-le"]
    if head[0::2].count(0) / half > _MOSTLY:
        return ["utf-16-be"]
    return []


def _declared(data: bytes) -> list[str]:
    found = _DECLARED.search(data[:4096])
    name = found.group(1).decode("ascii").lower() if found else ""
    return [name] if name and not name.startswith(("utf-8", "utf8", "utf-16", "utf16")) else []


def _guess(data: bytes) -> str:
    best = from_bytes(data[: 1 << 20]).best()
    encoding = best.encoding if best else "cp1252"
    return data.decode(encoding, errors="replace")


def to_utf8(source: str, target: str, report: Report) -> None:
    """Write `source` again as UTF-8; a declared encoding inside XML or HTML is changed to say so."""
    text = decode(Path(source).read_bytes())
    if "\0" in text:
        raise Refusal("corrupt_input")
    text = re.sub(r"(<\?xml[^>]{0,100}encoding=)([\"'])[^\"']{1,40}\2", r"\1\2utf-8\2", text[:1024]) + text[1024:]
    Path(target).write_text(text, encoding="utf-8", errors="replace", newline="")


def to_page(source: str, target: str, report: Report) -> None:
    """Plain text as a web page: blank lines part paragraphs, line ends stay, nothing is taken for mark-up."""
    text = decode(Path(source).read_bytes())
    if "\0" in text:
        raise Refusal("corrupt_input")
    paragraphs = re.split(r"\r?\n[ \t]*(?:\r?\n[ \t]*)+", text.strip("\r\n"))
    body = "\n".join(f"<p>{_lines(paragraph)}</p>" for paragraph in paragraphs)
    page = (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>Text</title>\n'
        "<style>body { font-family: monospace; } p { white-space: pre-wrap; unicode-bidi: plaintext; }</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
    Path(target).write_text(page, encoding="utf-8", errors="replace")


def _lines(paragraph: str) -> str:
    printable = "".join(char if char >= " " or char in "\t\n" else " " for char in paragraph.replace("\r\n", "\n"))
    return html.escape(printable).replace("\n", "<br>\n")
