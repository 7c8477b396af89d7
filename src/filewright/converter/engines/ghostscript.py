"""PostScript and EPS into PDF by Ghostscript. AGPL: it runs as a process of its own, never linked.

PostScript is a programming language. `-dSAFER` keeps it from most files and from starting programs, but was seen to
read, write and list its temporary directory: the sandbox gives it a private one, and ends its endless loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filewright.chassis.sandbox.port import Ending
from filewright.converter.engines.installed import check_programs
from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.errors import CorruptInput

_FIXED = ("gs", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-dNOPROMPT", "-q", "-P-", "-sDEVICE=pdfwrite")


class Ghostscript:
    """`gs` with the device `pdfwrite`."""

    name = "ghostscript"
    conversions: Sequence[Conversion] = (
        Conversion("ps", "pdf", cost=150, loss=Loss.SMALL),
        Conversion("eps", "pdf", cost=150, loss=Loss.SMALL),
    )

    def check(self) -> Availability:
        return check_programs("gs", package="ghostscript")

    async def convert(self, work: Work) -> Sequence[Path]:
        crop = ("-dEPSCrop",) if work.conversion.source == "eps" else ()
        output = f"-sOutputFile={work.inside(work.target)}"
        outcome = await work.command(*_FIXED, *crop, output, "-f", work.inside(work.source))
        if outcome.ending is not Ending.COMPLETED or not work.target.is_file():
            raise CorruptInput
        await _check_pages(work)
        return [work.target]


async def _check_pages(work: Work) -> None:
    """Refuse what has no page: a program that draws nothing leaves a PDF of nothing."""
    await work.python(
        "filewright.converter.engines.inside.unlocked:prepare",
        warm=WARM,
        source=work.inside(work.target),
        password=None,
        max_pages=work.max_pages,
    )
