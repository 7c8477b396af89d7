"""What whoever limits others needs to know of how it is counted."""

from __future__ import annotations

from typing import Protocol

from filewright.chassis.quota.gcra import Rate, Verdict


class Limiter(Protocol):
    """Counts by key. Under any number of callers at once, a key is never given more than its rate allows."""

    async def take(self, key: str, rate: Rate, cost: int = 1) -> Verdict:
        """Take that many, all or none. A cost of nothing looks and takes nothing. Never raises for want of a server."""
        ...
