"""Open a PDF, choose pages, write it: what all operations on PDFs begin and end with."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pikepdf

from filewright.chassis.sandbox.child import Refusal

logging.getLogger("pikepdf").setLevel(logging.ERROR)
"""What qpdf mends on the way is nobody's business here."""
OUTPUT = "output.pdf"
BROKEN = (
    pikepdf.PdfError,
    pikepdf.OutlineStructureError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
)
"""What comes of objects that are not what they should be, somewhere deep in a document."""
_PART = re.compile(r"\s*(\d+)\s*(?:(-)\s*(\d+)?)?\s*$", re.ASCII)


def opened(source: str, password: str | None, max_pages: int) -> pikepdf.Pdf:
    """The document, its pages counted."""
    try:
        document = pikepdf.open(source, password=password or "")
        count = len(document.pages)
    except pikepdf.PasswordError as error:
        raise Refusal("wrong_password" if password else "password_required") from error
    except BROKEN as error:
        raise Refusal("corrupt_input") from error
    if count == 0:
        raise Refusal("corrupt_input")
    if count > max_pages:
        raise Refusal("too_many_pages")
    return document


def save(document: pikepdf.Pdf, name: str = OUTPUT, **how: Any) -> str:
    """Write it into `out/`, without the protection that the source may have had; its name."""
    settings: dict[str, Any] = {
        "object_stream_mode": pikepdf.ObjectStreamMode.generate,
        "compress_streams": True,
        "encryption": False,
        "deterministic_id": True,
        **how,
    }
    try:
        document.save(Path("out") / name, **settings)
    except BROKEN as error:
        raise Refusal("corrupt_input") from error
    return name


def ranges(text: str, count: int, option: str) -> list[range]:
    """What `1-3,7,9-` means, each part by itself, numbers from 0. A part that has no page of this document is refused,
    and what of a part is past the end is left out.
    """
    return [_range(part, count, option) for part in text.split(",")]


def chosen(text: str | None, count: int, option: str = "pages") -> list[int]:
    """The pages in the order asked for, each once; all, if nothing is asked for."""
    if text is None:
        return list(range(count))
    return list(dict.fromkeys(page for part in ranges(text, count, option) for page in part))


def _range(part: str, count: int, option: str) -> range:
    match = _PART.match(part)
    if match is None:
        raise Refusal(f"option_{option}")
    first = int(match[1])
    last = first if match[2] is None else min(int(match[3] or count), count)
    if not 1 <= first <= last or first > count:
        raise Refusal(f"option_{option}")
    return range(first - 1, last)
