"""One clamd: scan a file by its word, and take its word only while it keeps proving that it looks.

A daemon that answers OK to everything (no signatures, a wrong port, something that only sounds like one) would be
worse than none. So before it is believed, and again every 20 seconds, it is sent two files: the one that every scanner
must find, and an archive that goes deeper than any of them looks, about which it must say so. A clamd without
`AlertExceedsMax yes` fails the second: it says OK of what it has not looked into.

Protocol: `zINSTREAM`, blocks with their length before them, a block of none; `stream: OK` or `stream: NAME FOUND`.
"""

from __future__ import annotations

import asyncio
import functools
import io
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import BinaryIO

from filewright.chassis.clock import Clock
from filewright.chassis.scanning.address import Address
from filewright.chassis.scanning.line import Line, Patience, calling
from filewright.chassis.scanning.port import CLEAN, Finding, ScannerUnavailable, Verdict
from filewright.chassis.storage.threads import in_thread
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

BLOCK_BYTES = 1 << 20
BELIEVED_SECONDS = 20.0
REST_SECONDS = 5.0
"""After a failure it is left alone for so long."""
_LENGTH_BYTES = 4
_NO_MORE = bytes(_LENGTH_BYTES)
_OK = b"stream: OK"
_FOUND = re.compile(rb"stream: (\S.*) FOUND", re.DOTALL)
_TOO_MUCH = b"INSTREAM size limit exceeded. ERROR"
_NOT_SEEN = ("Heuristics.Limits.Exceeded", "Heuristics.Encrypted")
"""Alerts that say how far it looked, and not what it saw."""
_DEEPEST = 110
"""clamd takes no `MaxRecursion` above 100."""

# In two halves, so that no scanner takes this module for the file.
TEST_FILE = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Clamd:
    """A daemon at one address."""

    def __init__(self, address: Address, clock: Clock, patience: Patience | None = None) -> None:
        self.address = address
        self._clock = clock
        self._patience = patience or Patience()
        self._believed_until: float | None = None
        self._rests_until: float | None = None
        self._proving = asyncio.Lock()
        self.scans_now = 0
        self.trouble = "it has not been asked yet"
        """Why it is not believed; empty while it is."""

    @property
    def believed(self) -> bool:
        """Whether it has proven itself a short while ago."""
        return self._believed_until is not None and self._clock.monotonic() < self._believed_until

    @property
    def rests(self) -> bool:
        """Whether it failed a short while ago, so that others should be asked first."""
        return self._rests_until is not None and self._clock.monotonic() < self._rests_until

    async def scan(self, path: Path) -> Verdict:
        """Its verdict on a file. Raises ScannerUnavailable, and rests then."""
        self.scans_now += 1
        try:
            await self.prove()
            file = await in_thread(path.open, "rb")
            try:
                return await self._watched(self._instream(_blocks(file)))
            finally:
                file.close()
        finally:
            self.scans_now -= 1

    async def prove(self) -> None:
        """Make sure that it looks, unless that is known. Raises ScannerUnavailable."""
        if self.believed:
            return
        async with self._proving:
            if self.believed:
                return
            found = await self._watched(self._instream(_all_at_once(TEST_FILE)))
            if found.finding is not Finding.MALWARE:
                raise self._failed("it does not find the test file that every scanner must find; are there signatures?")
            deep = await self._watched(self._instream(_all_at_once(_too_deep())))
            if deep.finding is not Finding.NOT_LOOKED_INTO:
                raise self._failed("it says OK of what it did not look into; set `AlertExceedsMax yes` in clamd.conf")
            self._believed_until = self._clock.monotonic() + BELIEVED_SECONDS
            self._rests_until = None
            if self.trouble:
                log.info("scanner_usable", scanner=str(self.address))
            self.trouble = ""

    async def _watched(self, asking: Awaitable[Verdict]) -> Verdict:
        """In the time there is for a whole scan; whatever it is, a failure is remembered."""
        try:
            async with asyncio.timeout(self._patience.scan):
                return await asking
        except TimeoutError:
            raise self._failed("a scan took too long") from None
        except ScannerUnavailable as error:
            raise self._failed(str(error)) from None

    async def _instream(self, blocks: AsyncIterator[bytes]) -> Verdict:
        async with calling(self.address, self._patience) as line:
            listens = await line.say(b"zINSTREAM\0")
            async for block in blocks:
                # Whoever answers before the end has not seen all of it.
                listens = listens and not line.is_answered()
                listens = listens and await line.say(len(block).to_bytes(_LENGTH_BYTES, "big") + block)
                if not listens:
                    break
            heard_all = listens and not line.is_answered() and await line.say(_NO_MORE)
            return _verdict(await self._answer(line), heard_all=heard_all)

    async def _answer(self, line: Line) -> bytes:
        """Its answer, however long it looks, as long as it says on another line that it is alive."""
        answering = asyncio.ensure_future(line.answer())
        try:
            while not (await asyncio.wait({answering}, timeout=self._patience.answer))[0]:
                await self._ping()
            return answering.result()
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _ping(self) -> None:
        try:
            async with calling(self.address, self._patience) as line, asyncio.timeout(self._patience.answer):
                alive = await line.say(b"zPING\0") and await line.answer() == b"PONG"
        except TimeoutError:
            alive = False
        if not alive:
            raise ScannerUnavailable("it does not say that it is alive")

    def _failed(self, trouble: str) -> ScannerUnavailable:
        if self.trouble != trouble:
            log.error("scanner_unusable", scanner=str(self.address), trouble=trouble)
        self._believed_until, self.trouble = None, trouble
        self._rests_until = self._clock.monotonic() + REST_SECONDS
        return ScannerUnavailable(f"{self.address}: {trouble}")


def _verdict(answer: bytes, *, heard_all: bool) -> Verdict:
    """What an answer means. A file is clean by one answer only, and only when all of it was sent before that."""
    if answer == _OK and heard_all:
        return CLEAN
    if answer == _TOO_MUCH:
        return Verdict(Finding.NOT_LOOKED_INTO, "StreamMaxLength")
    found = _FOUND.fullmatch(answer)
    if found is None:
        when = "" if heard_all else " before it had all of the file"
        raise ScannerUnavailable(f"it answered {answer[:80]!r}{when}")
    name = found[1].decode("ascii", "replace")
    return Verdict(Finding.NOT_LOOKED_INTO if name.startswith(_NOT_SEEN) else Finding.MALWARE, name)


async def _blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    while block := await in_thread(file.read, BLOCK_BYTES):
        yield block


async def _all_at_once(content: bytes) -> AsyncIterator[bytes]:
    yield content


@functools.cache
def _too_deep() -> bytes:
    """An archive in an archive in an archive, deeper than anyone looks, and 11 kB in all."""
    content = b"nothing"
    for _ in range(_DEEPEST):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("a", content)
        content = packed.getvalue()
    return content
