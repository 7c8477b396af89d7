"""Runs in the sandbox: find out how a text is encoded, and plain text as a web page."""

from __future__ import annotations

import html
import re
from pathlib import Path

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside import encoding

_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""")


def decode(data: bytes) -> str:
    """The text of `data`: as it declares itself, where that is not Unicode and holds, else as its bytes say."""
    declared = _declared(data)
    if declared and b"\0" not in data[:4096]:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            try:
                return data.decode(declared)
            except (UnicodeDecodeError, LookupError):
                pass
    return encoding.decode(data)


def _declared(data: bytes) -> str | None:
    found = _DECLARED.search(data[:4096])
    name = found.group(1).decode("ascii").lower() if found else ""
    return None if name.startswith(("utf", "ucs")) else name or None


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
