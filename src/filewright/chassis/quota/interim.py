"""What one of many processes gives while the count that all keep together cannot be asked.

Half the rate, and no fresh start: it goes on from what it last heard of a key. What it gives is owed to the common
count, which takes it back when this process next asks it. So a Redis that stumbles for a moment hands nobody a second
burst, and what is given while it is away for long is paid off meanwhile, at the rate's own pace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from filewright.chassis.clock import Clock
from filewright.chassis.quota.gcra import SECOND, Rate, Verdict
from filewright.chassis.quota.memory import MemoryLimiter

_MOST_KEYS = 100_000


@dataclass
class _Debt:
    """When the key will be fresh, as this process sees it; and when it would be, had nothing been given here."""

    fresh_at: int
    without: int

    def left(self, now: int) -> int:
        return max(self.fresh_at - max(self.without, now), 0)


class Interim:
    """For one process, between two answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._half = MemoryLimiter(clock, most_keys=_MOST_KEYS)
        self._debts: dict[str, _Debt] = {}

    def heard(self, key: str, ahead: int) -> None:
        """The common count says that the key will be fresh in so many microseconds."""
        self._half.learn(key, ahead)

    def take(self, key: str, rate: Rate, cost: int) -> Verdict:
        """Decide without it."""
        ahead = self._half.ahead(key)
        verdict = self._half.take_now(key, rate.halved(), cost)
        if cost and verdict.allowed:
            now = self._now()
            debt = self._debts.setdefault(key, _Debt(now + ahead, now + ahead))
            debt.fresh_at = max(debt.fresh_at, now) + cost * rate.interval
            self._forget(now)
        return verdict

    def owed(self, keys: Iterable[str]) -> dict[str, int]:
        """Microseconds by which the common count has to move these on; those of which nothing is owed are left out."""
        if not self._debts:
            return {}
        now = self._now()
        debts = {key: self._debts[key].left(now) for key in keys if key in self._debts}
        return {key: left for key, left in debts.items() if left}

    def paid(self, amounts: Mapping[str, int]) -> None:
        """The common count was moved on by so much; more may have been given while it was told."""
        now = self._now()
        for key, amount in amounts.items():
            if (debt := self._debts.get(key)) is not None:
                debt.fresh_at -= amount
                if not debt.left(now):
                    del self._debts[key]

    def _now(self) -> int:
        return int(self._clock.monotonic() * SECOND)

    def _forget(self, now: int) -> None:
        """What is paid off; if that is too little, what was owed first."""
        if len(self._debts) <= _MOST_KEYS:
            return
        owing = [(key, debt) for key, debt in self._debts.items() if debt.left(now)]
        self._debts = dict(owing[-_MOST_KEYS // 2 :])
