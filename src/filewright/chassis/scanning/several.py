"""Several scanners as one: the least busy that is well is asked, and the next one when it fails.

A failure costs its daemon a rest, so an outage of one is noticed by one scan and not by each. When all fail, the file
is not scanned, and `usable` says so until one of them has proven itself again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filewright.chassis.clock import Clock
from filewright.chassis.scanning.address import Address
from filewright.chassis.scanning.clamd import Clamd
from filewright.chassis.scanning.line import Patience
from filewright.chassis.scanning.port import ScannerUnavailable, Verdict
from filewright.chassis.telemetry.metrics import Metrics


class ClamdPool:
    """The daemons at these addresses; at least one."""

    active = True

    def __init__(
        self, addresses: Sequence[Address], clock: Clock, metrics: Metrics, patience: Patience | None = None
    ) -> None:
        self._clock = clock
        self._daemons = [Clamd(address, clock, patience) for address in addresses]
        self._scans = metrics.counter("scans", "Files scanned for malware.", ("outcome",))
        self._seconds = metrics.histogram("scan_seconds", "Seconds of a scan.")
        self._well = metrics.gauge("scanners_usable", "Virus scanners that prove to look at what they are given.")

    @property
    def scans_now(self) -> int:
        """How many files are being looked at."""
        return sum(daemon.scans_now for daemon in self._daemons)

    async def scan(self, path: Path) -> Verdict:
        began = self._clock.monotonic()
        try:
            verdict = await self._first_verdict(path)
        except ScannerUnavailable:
            self._scans.labels("unavailable").inc()
            raise
        finally:
            self._count()
        self._scans.labels(verdict.finding.name.lower()).inc()
        self._seconds.observe(self._clock.monotonic() - began)
        return verdict

    async def usable(self) -> bool:
        await asyncio.gather(*(self._prove(daemon) for daemon in self._daemons if not daemon.rests))
        self._count()
        return any(daemon.believed for daemon in self._daemons)

    def facts(self) -> Mapping[str, Any]:
        shown = [
            {"address": str(daemon.address), "ok": daemon.believed, "trouble": daemon.trouble}
            for daemon in self._daemons
        ]
        return {"kind": "clamd", "scanners": shown}

    async def _first_verdict(self, path: Path) -> Verdict:
        troubles = []
        for daemon in sorted(self._daemons, key=lambda one: one.scans_now):
            if daemon.rests:
                troubles.append(f"{daemon.address}: {daemon.trouble}")
                continue
            try:
                return await daemon.scan(path)
            except ScannerUnavailable as error:
                troubles.append(str(error))
        raise ScannerUnavailable("; ".join(troubles))

    async def _prove(self, daemon: Clamd) -> None:
        try:
            await daemon.prove()
        except ScannerUnavailable:
            return

    def _count(self) -> None:
        self._well.set(sum(daemon.believed for daemon in self._daemons))
