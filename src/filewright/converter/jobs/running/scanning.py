"""No file is converted before a scanner has said that it is clean, and no product is stored before it has.

What a scanner could not look into is no better than what it found: only the reason is another. And where it has no
word to give, the file waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from filewright.chassis.scanning.port import Finding, Scanner, ScannerUnavailable, Verdict
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.conversion.revealing import revealed
from filewright.converter.errors import ConversionError, Infected, NotScannable, ScanUnavailable

log = get_logger(__name__)

_LOCKED = "Heuristics.Encrypted"


async def require_clean(scanner: Scanner, paths: Iterable[Path], *, folder: Path, what: str) -> None:
    """Returns when the scanner has called every one of these clean, and what is hidden in them.

    Raises Infected, NotScannable or ScanUnavailable. `folder` is for what is brought to light; `what` names the files
    in the sentence that a person reads.
    """
    for path in paths:
        await _require_clean(scanner, path, what)
        hidden = revealed(path, folder)
        try:
            while (part := await asyncio.to_thread(next, hidden, None)) is not None:
                await _require_clean(scanner, part, what)
        finally:
            hidden.close()


async def _require_clean(scanner: Scanner, path: Path, what: str) -> None:
    try:
        verdict = await scanner.scan(path)
    except ScannerUnavailable as error:
        log.warning("not_scanned", reason=str(error))
        raise ScanUnavailable from None
    if verdict.finding is not Finding.CLEAN:
        log.warning("scan_refused", finding=verdict.finding.name.lower(), name=verdict.name, what=what)
        raise _refusal(verdict, what)


def _refusal(verdict: Verdict, what: str) -> ConversionError:
    if verdict.finding is Finding.MALWARE:
        return Infected(f"A virus scanner found malware in {what} ({verdict.name[:100]}); it was deleted")
    if verdict.name.startswith(_LOCKED):
        return NotScannable(f"A part of {what} is locked, so the virus scanner cannot see it; unlock it first")
    return NotScannable(f"The virus scanner cannot look through all of {what}: too large or too deep; unpack it first")
