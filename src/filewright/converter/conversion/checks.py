"""Believe no engine: what it left in `out/` is looked at as if a stranger had sent it.

A product must be a plain file where it says it is, not empty, within the limits, of the type that was asked for, and
must open with a reader that did not make it (`inside/probe.py`, in the sandbox). Anything else is OutputInvalid.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import Limits
from filewright.chassis.storage.port import SeenFile
from filewright.converter.conversion.fidelity import Fidelity, Original, fidelity_of
from filewright.converter.conversion.inside.probe import LOOKED_AT
from filewright.converter.conversion.looks import WARM, Look, Looks, See
from filewright.converter.engines.tables import POLARS
from filewright.converter.errors import OutputInvalid, ResourceLimit
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.formats.detection import detect
from filewright.converter.formats.kinship import also

MAX_PRODUCTS = 10_000
_WARM_ELSEWHERE = dict.fromkeys(("parquet", "geoparquet", "arrow"), POLARS.warm)
"""Where the reader is larger than all the rest, its engine's warm parent has it already."""
_BLOCK = 1 << 20
_ANY_ENCODING = frozenset(
    {"eml", "mbox", "mhtml", "ps", "eps", "rtf", "tex", "man", "dxf", "obj", "svg", "xml", "html"}
)
"""Text formats that name their own encoding, or may hold bytes of others."""
_TWINS = (
    {"gz", "tar.gz"},
    {"bz2", "tar.bz2"},
    {"xz", "tar.xz"},
    {"zst", "tar.zst"},
    {"ass", "ssa"},
    {"m4a", "mp4"},
    {"mka", "mkv"},
    {"ogg", "ogv"},
)


class NothingInIt(OutputInvalid):
    """All products are empty. Of a writing that may be right: there was nothing to write."""


def check_files(products: Sequence[Path], out: Path, target: str, *, max_bytes: int) -> None:
    """Blocking and cheap: plain files, sizes, types. Every step's products go through this."""
    if not products:
        raise OutputInvalid("The conversion ended without a result.")
    check_plain(products, out, max_bytes=max_bytes, least=1)
    for product in products:
        _check_type(product, target)


def check_plain(products: Sequence[Path], out: Path, *, max_bytes: int, least: int = 0) -> None:
    """The same of files that may be of any type, such as those that were in an archive; each with `least` bytes."""
    if len(products) > MAX_PRODUCTS:
        raise ResourceLimit(f"The conversion made more than {MAX_PRODUCTS:,} files.")
    sizes = [_plain_size(product, out) for product in products]
    if min(sizes, default=least) < least:
        raise OutputInvalid if any(sizes) else NothingInIt
    if sum(sizes) > max_bytes:
        raise ResourceLimit(f"The result has {sum(sizes):,} bytes; {max_bytes:,} are allowed.")


Sheet = Mapping[str, float]


@dataclass(frozen=True)
class Sight:
    """Where products are opened, and what may be spent on it."""

    looks: Looks
    workspace: Path
    limits: Limits
    party: str = ""
    """Whose the products are; nobody's in particular have a child for each look."""

    async def look(
        self, function: str, files: Sequence[Path], arguments: Callable[[See], Mapping[str, Any]], target: str
    ) -> Any:
        """As `Looks.look`."""
        warm = _WARM_ELSEWHERE.get(target, WARM)
        terms: dict[str, Any] = {"workspace": self.workspace, "limits": self.limits, "party": self.party}
        return await self.looks.look(Look(function, files, arguments, warm, **terms))


async def probe(products: Sequence[Path], target: str, sight: Sight) -> Sequence[Sheet]:
    """Open the products; a fact sheet for each. Text is read here, all else in the sandbox."""
    if FORMATS[target].text:
        for product in products:
            _check_text(product, target)
    if target not in LOOKED_AT:
        return [{} for _ in products]
    said = await sight.look("probe", products, lambda see: _looked_at(products, target, see), target)
    return _sheets(said, len(products))


async def probe_beside(
    products: Sequence[Path], target: str, original: Original, sight: Sight
) -> tuple[Sequence[Sheet], Fidelity | None]:
    """As `probe`, and hold the one product against its original, if that can be done.

    Should the child not live through the comparison, the product is opened once more without.
    """

    def arguments(see: See) -> dict[str, Any]:
        return {
            **_looked_at(products, target, see),
            "original": see(original.path),
            "original_format": original.format,
            "fonts": {name: list(others) for name, others in original.fonts.items()},
        }

    said = await sight.look("compare", [*products, original.path], arguments, target)
    return await _compared(said, products, target, sight)


async def probe_pages_beside(
    product: Path,
    originals: Sequence[Path],
    sight: Sight,
    *,
    password: str | None,
    seconds: float,
    looks: bool,
) -> tuple[Sequence[Sheet], Fidelity | None]:
    """The same of a PDF that was made of PDFs, in no more than so many seconds of CPU; `looks`: pages are drawn."""

    def arguments(see: See) -> dict[str, Any]:
        return {
            **_looked_at([product], "pdf", see),
            "originals": [see(path) for path in originals],
            "password": password,
            "seconds": seconds,
            "looks": looks,
        }

    if password is not None:  # a reader that outlives its look should not have heard it
        sight = replace(sight, party="")
    said = await sight.look("compare_pages", [product, *originals], arguments, "pdf")
    return await _compared(said, [product], "pdf", sight)


async def _compared(
    said: object, products: Sequence[Path], target: str, sight: Sight
) -> tuple[Sequence[Sheet], Fidelity | None]:
    if isinstance(said, Mapping):
        return _sheets(said.get("sheets"), len(products)), fidelity_of(said.get("fidelity"))
    return await probe(products, target, sight), None


def _looked_at(products: Sequence[Path], target: str, see: See) -> dict[str, Any]:
    return {"paths": [see(path) for path in products], "format_id": target}


def seen(path: Path) -> SeenFile:
    """What it is, read to its end: the file itself and never what a link points at."""
    sha256, size = hashlib.sha256(), 0
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - Path.open follows links
        while block := file.read(_BLOCK):
            sha256.update(block)
            size += len(block)
        return SeenFile(size, sha256.hexdigest(), os.fstat(file.fileno()).st_mtime_ns)


def _plain_size(product: Path, out: Path) -> int:
    """The sandbox may have left a link to anywhere: only plain files in real directories below `out` are taken."""
    if product.parent.resolve() != product.parent or not product.is_relative_to(out):
        raise OutputInvalid
    try:
        found = product.lstat()
    except OSError:
        raise OutputInvalid from None
    if not stat.S_ISREG(found.st_mode):
        raise OutputInvalid
    return found.st_size


def _check_type(product: Path, target: str) -> None:
    found = detect(product, believed=target)
    if found.damaged or not _is_kind(found.format, target):
        raise OutputInvalid


def _is_kind(found: str | None, target: str) -> bool:
    if found is None:
        return target in {"tga", "mpg", "ts", "pcx", "dbf", "ac3", "icns"}
    return found == target or target in also(found) or {found, target} in _TWINS


def _check_text(product: Path, target: str) -> None:
    if target in _ANY_ENCODING:
        return
    with product.open("rb") as file:
        decoder = codecs.getincrementaldecoder(
            "utf-16" if file.peek(2)[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
        )()
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise OutputInvalid from None


def _sheets(value: object, count: int) -> Sequence[Sheet]:
    if not isinstance(value, list) or len(value) != count:
        raise OutputInvalid
    return [_facts(sheet) for sheet in value]


def _facts(sheet: object) -> Sheet:
    """What the child said, as far as it is numbers."""
    if not isinstance(sheet, dict):
        raise OutputInvalid
    return {
        key: value
        for key, value in sheet.items()
        if isinstance(key, str) and isinstance(value, int | float) and 0 <= value < 1 << 53
    }
