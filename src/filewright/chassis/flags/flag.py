"""What a flag says, and whose it is: plain decisions, so that every process comes to the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

_BUCKETS = 10_000


@dataclass(frozen=True)
class Flag:
    """A flag as it is now."""

    name: str
    enabled: bool
    percent: int
    tenants: tuple[str, ...] = ()
    description: str | None = None
    halt_above: float | None = None
    halted_at: datetime | None = None
    halted_why: str | None = None
    changed_at: datetime | None = None

    def is_on(self, tenant: str) -> bool:
        """Whether it is on for this tenant. Whoever is in at ten per cent is in at every larger share."""
        if not self.enabled or self.halted_at is not None:
            return False
        return tenant in self.tenants or bucket(self.name, tenant) < self.percent * _BUCKETS // 100


def bucket(name: str, tenant: str) -> int:
    """Where in 0 … 9999 the tenant stands for this flag: another place for each flag, the same for ever."""
    digest = hashlib.sha256(f"{name}\0{tenant}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _BUCKETS


@dataclass(frozen=True)
class Ended:
    """What became of a tenant's work in a while."""

    total: int = 0
    failed: int = 0

    def __add__(self, other: Ended) -> Ended:
        return Ended(self.total + other.total, self.failed + other.failed)

    @property
    def share(self) -> float:
        return self.failed / self.total if self.total else 0.0


def burns(flag: Flag, on: Ended, off: Ended, *, fewest: int) -> str | None:
    """Why the flag should be halted, in words; None when there is no reason, or too little to tell from."""
    if flag.halt_above is None or on.total < fewest or on.share - off.share <= flag.halt_above:
        return None
    return (
        f"{on.failed} of {on.total} failed where it is on ({on.share:.1%}), {off.share:.1%} where it is off; "
        f"{flag.halt_above:.1%} more are allowed"
    )
