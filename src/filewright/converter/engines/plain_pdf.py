"""A PDF for a program that should not be told its password, or that believes every file it is given."""

from __future__ import annotations

from pathlib import Path

from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Work
from filewright.converter.errors import OutputInvalid


async def plain_pdf(work: Work) -> tuple[Path, int]:
    """The source, or a copy of it without encryption, and how many pages it has.

    Raises what PDFium has to say against the file: CorruptInput, PasswordRequired, WrongPassword, TooManyPages.
    """
    untrusted = await work.python(
        "filewright.converter.engines.inside.unlocked:prepare",
        warm=WARM,
        source=work.inside(work.source),
        password=work.password,
        max_pages=work.max_pages,
    )
    pages = untrusted.get("pages") if isinstance(untrusted, dict) else None
    if not isinstance(pages, int) or not 1 <= pages <= work.max_pages:
        raise OutputInvalid
    is_plain_copy = untrusted.get("path") == "tmp/plain.pdf"
    return work.workspace / "tmp" / "plain.pdf" if is_plain_copy else work.source, pages
