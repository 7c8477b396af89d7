"""What a caller is told of its budgets, and how one that is spent is refused.

    RateLimit-Policy: "requests";q=600;w=60, "conversions";q=10;w=60
    RateLimit: "requests";r=599;t=1, "conversions";r=9;t=6

(draft-ietf-httpapi-ratelimit-headers.) Every answer of a caller that has budgets carries both, refusals too. Counting
is left to `chassis.quota`; who has which budget, to the product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filewright.chassis.errors import ProblemError
from filewright.chassis.quota.gcra import Rate, Verdict
from filewright.chassis.quota.port import Limiter

_STATE = "budgets"


class RateLimited(ProblemError):
    code = "rate_limited"
    status = 429
    title = "Too many requests in a short time"
    retryable = True


@dataclass(frozen=True)
class Budget:
    """Something that a caller may do so often."""

    name: str
    rate: Rate


@dataclass(frozen=True)
class Spent:
    """What was found when a budget was asked."""

    budget: Budget
    verdict: Verdict


async def spend(limiter: Limiter, request: Request, key: str, budget: Budget, cost: int = 1) -> None:
    """Take it from the key's budget, and let the answer tell what is left. Raises RateLimited."""
    verdict = await limiter.take(f"{budget.name}:{key}", budget.rate, cost)
    request.scope.setdefault("state", {}).setdefault(_STATE, []).append(Spent(budget, verdict))
    if not verdict.allowed:
        rate = budget.rate
        raise RateLimited(
            f"There may be {rate.count} {budget.name} in {rate.seconds:g} seconds; "
            f"wait {_seconds(verdict.retry_after)}.",
            retry_after=verdict.retry_after,
        )


class BudgetHeaders:
    """ASGI middleware: says what `spend` found."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_budgets(message: Message) -> None:
            if message["type"] == "http.response.start" and (spent := scope.get("state", {}).get(_STATE)):
                policy, left = ", ".join(_policy(item.budget) for item in spent), ", ".join(map(_left, spent))
                said = [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]
                message["headers"] = [*message.get("headers", ()), *said]
            await send(message)

        await self._app(scope, receive, send_with_budgets)


@lru_cache(maxsize=256)
def _policy(budget: Budget) -> str:
    return f'"{budget.name}";q={budget.rate.count};w={budget.rate.seconds:.0f}'


def _left(spent: Spent) -> str:
    return f'"{spent.budget.name}";r={spent.verdict.remaining};t={math.ceil(spent.verdict.reset_after)}'


def _seconds(seconds: float) -> str:
    whole = max(1, math.ceil(seconds))
    return f"{whole} second{'s' if whole > 1 else ''}"
