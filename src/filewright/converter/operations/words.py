"""Letters in pictures read by Tesseract, which is a program of its own (Apache-2.0), where it is installed.

A PDF becomes one that can be searched and copied from; pages that have text already are not read again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import Ending
from filewright.converter.engines.installed import check_programs
from filewright.converter.engines.library import products
from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Availability, Loss
from filewright.converter.errors import CorruptInput, EngineCrashed, EngineMissing, OutputInvalid
from filewright.converter.operations.pictures import PICTURES
from filewright.converter.operations.port import Ability, Errand, Made

_PREPARE = "filewright.converter.operations.inside.words:prepare"
_LAY_OVER = "filewright.converter.operations.inside.words:lay_over"
_MISSING = re.compile(rb"Failed loading language '([a-z_A-Z]{2,20})'")

Schema = Mapping[str, Any]
_LANGUAGE: Mapping[str, Schema] = {
    "language": {
        "type": "string", "pattern": r"^[a-z]{3}(_[a-z]{1,8})?(\+[a-z]{3}(_[a-z]{1,8})?){0,4}$", "default": "eng",
        "description": "What it is written in: eng, deu, chi_sim and so on; several with + between them",
    },
}  # fmt: skip
_PAGES: Mapping[str, Schema] = {
    "dpi": {
        "type": "integer", "minimum": 100, "maximum": 600, "default": 300,
        "description": "How finely pages are looked at, in pixels to the inch",
    },
    "again": {
        "type": "boolean", "default": False, "description": "Read pages that have text as well",
    },
}  # fmt: skip


class Tesseract:
    """The `tesseract` operator."""

    name = "tesseract"
    abilities: Sequence[Ability] = (
        Ability("pdf", "pdf", 1500, Loss.NONE, operation="ocr", options={**_LANGUAGE, **_PAGES}),
        Ability("pdf", "txt", 1500, Loss.MOST, operation="ocr", options={**_LANGUAGE, **_PAGES}),
        *(
            Ability(source, target, 1200, loss, operation="ocr", options=_LANGUAGE)
            for source in PICTURES
            for target, loss in (("pdf", Loss.SMALL), ("txt", Loss.MOST))
        ),
    )

    def check(self) -> Availability:
        """Look for the program; which languages it has, only a run tells."""
        return check_programs("tesseract", package="tesseract-ocr")

    async def operate(self, work: Errand) -> Sequence[Made]:
        """Draw what has no text, read it, and put together what was found."""
        pages = await self._pages(work)
        is_document = work.conversion.source == "pdf"
        if work.conversion.target == "txt":
            # A page that has text already says the same again: the order is for one text of all of it.
            return [Made(await _read(work, "txt"))]
        letters = await _read(work, "pdf", only_letters=is_document) if pages else None
        if not is_document:
            return [Made(work.target)]
        if letters is not None:
            letters = letters.rename(work.workspace / "tmp" / "letters.pdf")
        untrusted = await work.python(
            _LAY_OVER,
            warm=WARM,
            source=work.inside(work.source),
            letters=work.inside(letters) if letters else None,
            pages=pages,
            password=work.password,
        )
        return [Made(path) for path in products(work, untrusted)]

    async def _pages(self, work: Errand) -> list[int]:
        everything = work.conversion.target == "txt"
        untrusted = await work.python(
            _PREPARE,
            warm=WARM,
            source=work.inside(work.source),
            source_format=work.conversion.source,
            options={**work.options, **({"again": True} if everything else {})},
            password=work.password,
            max_pixels=work.max_pixels,
            max_pages=work.max_pages,
        )
        pages = untrusted.get("pages") if isinstance(untrusted, dict) else None
        if not isinstance(pages, list) or not all(isinstance(page, int) for page in pages):
            raise OutputInvalid
        return pages


async def _read(work: Errand, kind: str, *, only_letters: bool = False) -> Path:
    """Run the program over the drawn pages."""
    product = work.out / f"output.{kind}"
    outcome = await work.command(
        "tesseract", "tmp/pages.txt", "out/output", "-l", str(work.options["language"]),
        "--dpi", str(work.options.get("dpi", 300)),
        *(("-c", "textonly_pdf=1") if only_letters else ()), kind,
        env={"OMP_THREAD_LIMIT": "1"},
    )  # fmt: skip
    missing = _MISSING.search(outcome.untrusted_stderr)
    if missing is not None:
        code = missing[1].decode()
        raise EngineMissing(
            f"There is no {code} for tesseract here. apt-get install tesseract-ocr-{code.replace('_', '-').lower()}"
        )
    if outcome.ending is not Ending.COMPLETED:
        raise CorruptInput if b"image" in outcome.untrusted_stderr.lower() else EngineCrashed
    if not product.is_file() or product.is_symlink():
        raise OutputInvalid
    return product


TESSERACT = Tesseract()
