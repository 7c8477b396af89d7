"""Whether this machine may take another job: an outage or a full disk pauses claims and burns no attempts."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from filewright.chassis.clock import Clock
from filewright.chassis.scanning.nothing import NoScanner
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.storage.port import ObjectMissing, ObjectStore, StoreUnavailable
from filewright.chassis.storage.threads import in_thread
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_PROBE = "readiness/probe"
_ANSWER_SECONDS = 5.0


class Readiness:
    """Asks the store and the virus scanner and looks at the disk, at most once in `every` seconds.

    There is room with `min_free_bytes` free, or on a small disk with `min_free_share` of all of it.
    """

    def __init__(
        self,
        store: ObjectStore,
        jobs_dir: Path,
        clock: Clock,
        *,
        min_free_bytes: int = 256 << 20,
        min_free_share: float = 0.02,
        every: float = 5.0,
        scanner: Scanner | None = None,
    ) -> None:
        self._store = store
        self._jobs_dir = jobs_dir
        self._clock = clock
        self._min_free_bytes = min_free_bytes
        self._min_free_share = min_free_share
        self._every = every
        self._scanner = scanner or NoScanner()
        self._asked: float | None = None
        self._ready = True

    async def __call__(self) -> bool:
        """Whether to claim."""
        now = self._clock.monotonic()
        if self._asked is None or now - self._asked >= self._every:
            self._asked = now
            was, self._ready = self._ready, await self._is_ready()
            if was != self._ready:
                log.warning("claims_resumed" if self._ready else "claims_paused")
        return self._ready

    async def _is_ready(self) -> bool:
        return await self._store_answers() and await self._scanner_answers() and await self._has_space()

    async def _scanner_answers(self) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._scanner.usable()
        except TimeoutError:
            return False

    async def _store_answers(self) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):  # a line that fell silent must not hold every slot up
                await self._store.head(_PROBE)
        except ObjectMissing:
            return True
        except (StoreUnavailable, TimeoutError):
            return False
        return True

    async def _has_space(self) -> bool:
        try:
            usage = await in_thread(shutil.disk_usage, self._jobs_dir)
        except FileNotFoundError:
            return True
        return usage.free >= min(self._min_free_bytes, usage.total * self._min_free_share)
