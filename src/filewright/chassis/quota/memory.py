"""Limits within one process: all there is when the service is one process, and what is left when Redis is away."""

from __future__ import annotations

import threading

from filewright.chassis.clock import Clock
from filewright.chassis.quota.gcra import SECOND, Rate, Verdict, decide

MOST_KEYS = 200_000
"""Beyond this keys are forgotten, those first that would be fresh the soonest."""


class MemoryLimiter:
    """A `Limiter` for any number of tasks and threads of this process."""

    def __init__(self, clock: Clock, *, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._fresh_at: dict[str, int] = {}
        self._lock = threading.Lock()

    async def take(self, key: str, rate: Rate, cost: int = 1) -> Verdict:
        return self.take_now(key, rate, cost)

    def take_now(self, key: str, rate: Rate, cost: int = 1) -> Verdict:
        """As `take`, for who cannot wait."""
        with self._lock:
            now = self._now()
            verdict, fresh_at = decide(rate.interval, rate.most, self._fresh_at.get(key), now, cost)
            if cost and verdict.allowed:
                self._keep(key, fresh_at, now)
            return verdict

    def ahead(self, key: str) -> int:
        """In how many microseconds the key will be fresh."""
        with self._lock:
            return max(self._fresh_at.get(key, 0) - self._now(), 0)

    def learn(self, key: str, ahead: int) -> None:
        """Whatever was counted here, the key will be fresh in so many microseconds."""
        with self._lock:
            now = self._now()
            self._keep(key, now + ahead, now)

    def _now(self) -> int:
        return int(self._clock.monotonic() * SECOND)

    def _keep(self, key: str, fresh_at: int, now: int) -> None:
        self._fresh_at[key] = fresh_at
        if len(self._fresh_at) > self._most_keys:
            self._forget(now)

    def _forget(self, now: int) -> None:
        """What is fresh is as good as unknown; if all are in use, the half that is nearest to fresh goes."""
        kept = {key: moment for key, moment in self._fresh_at.items() if moment > now}
        if len(kept) > self._most_keys:
            kept = dict(sorted(kept.items(), key=lambda item: item[1])[len(kept) // 2 :])
        self._fresh_at = kept
