"""Plain text as a web page, from which every document format can be reached. Nothing in it is taken for mark-up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filewright import __version__
from filewright.converter.engines.port import Availability, Conversion, Loss, Work


class PlainText:
    """Our own few lines."""

    name = "plaintext"
    conversions: Sequence[Conversion] = (Conversion("txt", "html", cost=5, loss=Loss.NONE),)

    def check(self) -> Availability:
        return Availability(available=True, version=__version__)

    async def convert(self, work: Work) -> Sequence[Path]:
        await work.python(
            "filewright.converter.engines.inside.text:to_page",
            warm=("filewright.converter.engines.inside.text",),
            source=work.inside(work.source),
            target=work.inside(work.target),
        )
        return [work.target]
