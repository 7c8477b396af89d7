"""The budgets of a caller's tier: how fast it may ask, and how fast it may order.

Whoever is known is counted by its tenant, a stranger by its address; that is the tenant too. A request that could not
say who it is from is counted at its address, so that guessing tokens is not free. A tier without a rate, as that of the
owner of this machine, is not counted at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.requests import Request

from filewright.chassis.quota.gcra import Rate, Verdict
from filewright.chassis.quota.port import Limiter
from filewright.chassis.web.networks import Networks
from filewright.chassis.web.problems import Unauthenticated
from filewright.chassis.web.proxies import NO_PROXIES, Proxies, stranger
from filewright.chassis.web.throttling import Budget, spend
from filewright.converter.tiers import Caller, Tier

REQUESTS = "requests"
CONVERSIONS = "conversions"
Identify = Callable[[Request], Awaitable[Caller]]


@dataclass(frozen=True)
class Throttle:
    """Asks the budgets. `limiter`: None where nobody is limited."""

    limiter: Limiter | None = None
    proxies: Proxies = NO_PROXIES
    stranger: Tier | None = None
    """Whose budget it is that bad tokens are paid from."""
    networks: Networks = field(default_factory=Networks)
    """Of which some are not counted."""

    def around(self, identify: Identify) -> Identify:
        """The same, and each request is paid for. Raises RateLimited."""
        if self.limiter is None:
            return identify

        async def paying(request: Request) -> Caller:
            try:
                caller = await identify(request)
            except Unauthenticated:
                await self._refused(request)
                raise
            await self._spend(request, caller.tenant, requests_of(caller.tier))
            return caller

        return paying

    async def order(self, request: Request, caller: Caller, cost: int = 1) -> None:
        """Pay for that many conversions. Raises RateLimited."""
        await self._spend(request, caller.tenant, conversions_of(caller.tier), cost)

    async def left(self, caller: Caller) -> dict[str, tuple[Budget, Verdict]]:
        """What each of the caller's budgets has left; nothing is spent."""
        found = {}
        for budget in (requests_of(caller.tier), conversions_of(caller.tier)):
            if budget is not None and self.limiter is not None:
                found[budget.name] = (
                    budget,
                    await self.limiter.take(f"{budget.name}:{caller.tenant}", budget.rate, 0),
                )
        return found

    async def _refused(self, request: Request) -> None:
        if self.stranger is not None:
            address = self.proxies.client(request.scope)
            await self._spend(request, stranger(address), requests_of(self.stranger))

    async def _spend(self, request: Request, key: str, budget: Budget | None, cost: int = 1) -> None:
        if budget is None or self.limiter is None:
            return
        if self.networks.spares_some and self.networks.is_unlimited(self.proxies.client(request.scope)):
            return
        await spend(self.limiter, request, key, budget, cost)


NO_THROTTLE = Throttle()
"""Nobody is limited."""


@lru_cache(maxsize=256)
def requests_of(tier: Tier) -> Budget | None:
    """How fast it may ask for anything."""
    count = tier.requests_per_minute
    if count is None:
        return None
    return Budget(REQUESTS, Rate(count, burst=tier.requests_at_once or max(1, count // 3)))


@lru_cache(maxsize=256)
def conversions_of(tier: Tier) -> Budget | None:
    """How fast it may order."""
    count = tier.conversions_per_minute
    return None if count is None else Budget(CONVERSIONS, Rate(count))
