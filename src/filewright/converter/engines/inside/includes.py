"""Runs in the sandbox: a text that asks for other files, without its askings.

Only the one file was sent. What it would include becomes a link in AsciiDoc, as its own secure mode does, and nothing
in reStructuredText, as where file insertion is switched off.
"""

from __future__ import annotations

import re
from pathlib import Path

from filewright.chassis.sandbox.child import Report

_ADOC = re.compile(r"^include::([^\[\]\r\n]{1,4096})\[[^\]\r\n]{0,4096}\][ \t]*\r?$", re.MULTILINE)
_RST = re.compile(r"^[ \t]{1,40}:(?:file|url):[^\r\n]*\r?$", re.MULTILINE)


def leave_out(source: str, target: str, format_id: str, report: Report) -> None:
    """Write `source` again, in UTF-8 as before, with nothing in it that is brought in from elsewhere."""
    text = Path(source).read_text(encoding="utf-8")
    text = _ADOC.sub(r"link:\1[]", text) if format_id == "adoc" else _RST.sub("", text)
    Path(target).write_text(text, encoding="utf-8", newline="")
