"""Archives into each other, with the members as they are: nothing is unpacked to a place where it could do harm.

RAR is read by bsdtar, whose stream of tar is then treated like any other archive; there is no free program that
writes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from filewright.chassis.sandbox.port import Ending
from filewright.converter.engines.installed import check_programs
from filewright.converter.engines.library import LibraryEngine, every_pair, products
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.errors import CorruptInput, UnsupportedConversion
from filewright.converter.formats.rar import is_locked

_TARS = ("tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst")
_ARCHIVES = ("zip", "7z", *_TARS)
_STREAMS = ("gz", "bz2", "xz", "zst")
_LISTS = ("txt", "json")
_FUNCTION = "filewright.converter.engines.inside.archives.convert:convert"
_WARM = ("filewright.converter.engines.inside.archives.convert",)

_LOCKED = (
    "This RAR is protected by a password, and no program here can open such a one, whatever the password. Unpack it "
    "yourself, or pack its files as ZIP or 7z."
)
_CUT_SHORT = b"Truncated write"
"""What bsdtar says, and no more, when it could not read a member to its end; the rest of it is zeros then."""

ARCHIVES = LibraryEngine(
    name="archives",
    packages=("py7zr", "pycryptodomex"),
    function=_FUNCTION,
    conversions=(
        *every_pair((*_ARCHIVES, "tar.z"), _ARCHIVES, cost=60, loss=Loss.NONE),
        *every_pair((*_STREAMS, "z"), _STREAMS, cost=40, loss=Loss.NONE),
        *every_pair((*_STREAMS, "z"), ("zip", "7z", "tar"), cost=60, loss=Loss.NONE),
        *every_pair((*_ARCHIVES, "tar.z"), _LISTS, cost=40, loss=Loss.MOST),
    ),
    warm=_WARM,
)


class Bsdtar:
    """Reads RAR 4 and 5, but nothing in them that takes a password: that no free program can."""

    name = "bsdtar"
    conversions: Sequence[Conversion] = (
        *every_pair(("rar",), _ARCHIVES, cost=70, loss=Loss.NONE),
        *every_pair(("rar",), _LISTS, cost=50, loss=Loss.MOST),
    )

    def check(self) -> Availability:
        """Look for the program."""
        return check_programs("bsdtar", package="libarchive-tools")

    async def convert(self, work: Work) -> Sequence[Path]:
        """RAR to tar without touching the disk in between, then as any tar."""
        tar = await rar_as_tar(work)
        untrusted_names = await work.python(
            _FUNCTION,
            warm=_WARM,
            source=work.inside(tar),
            source_format="tar",
            target=work.conversion.target,
            options={},
            password=None,
        )
        return products(work, untrusted_names)


async def rar_as_tar(work: Work) -> Path:
    """The members of a RAR as a tar in `tmp/`. Raises UnsupportedConversion for one that takes a password."""
    if await asyncio.to_thread(is_locked, work.source):
        raise UnsupportedConversion(_LOCKED)
    tar = work.workspace / "tmp" / "members.tar"
    outcome = await work.command("bsdtar", "--format=pax", "-cf", work.inside(tar), f"@{work.inside(work.source)}")
    if b"encrypt" in outcome.untrusted_stderr.lower():
        raise UnsupportedConversion(_LOCKED)
    if outcome.ending is not Ending.COMPLETED or _CUT_SHORT in outcome.untrusted_stderr:
        raise CorruptInput
    return tar


BSDTAR = Bsdtar()
