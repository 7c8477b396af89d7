"""E-mail to something a person can read, print or file: messages, mailboxes, Outlook's own formats, saved web pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filewright import __version__
from filewright.converter.engines.port import Availability, Conversion, Loss, Work

_MESSAGES = ("eml", "msg", "mbox", "tnef")


class Mail:
    """Python's `email` and `mailbox`, and small readers of our own for MSG (over `olefile`, BSD) and TNEF."""

    name = "mail"
    conversions: Sequence[Conversion] = (
        *(Conversion(source, "html", cost=20, loss=Loss.SMALL) for source in _MESSAGES),
        *(Conversion(source, "txt", cost=20, loss=Loss.MOST) for source in _MESSAGES),
        *(Conversion(source, "json", cost=20, loss=Loss.MOST) for source in _MESSAGES),
        *(Conversion(source, "zip", cost=20, loss=Loss.MOST) for source in _MESSAGES),
        *(Conversion(source, "eml", cost=20, loss=Loss.SMALL) for source in ("msg", "tnef")),
        Conversion("mhtml", "html", cost=20, loss=Loss.NONE),
        Conversion("mhtml", "zip", cost=20, loss=Loss.MOST),
    )

    def check(self) -> Availability:
        return Availability(available=True, version=__version__)

    async def convert(self, work: Work) -> Sequence[Path]:
        await work.python(
            "filewright.converter.engines.inside.mail:convert",
            warm=("filewright.converter.engines.inside.mail",),
            source=work.inside(work.source),
            source_format=work.conversion.source,
            target=work.inside(work.target),
            target_format=work.conversion.target,
        )
        return [work.target]
