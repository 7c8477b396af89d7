"""What every endpoint of a product needs around its own work, wired once.

An endpoint asks `identify` who calls, does what keyed POSTs need through `once`, and races its waits against `drain`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from starlette.requests import Request

from filewright.chassis.web.drain import Drain
from filewright.chassis.web.idempotency import Claim, IdempotencyKeys, fingerprint, idempotency_key
from filewright.chassis.web.proxies import Proxies


class Tenanted(Protocol):
    """Whoever calls belongs to a tenant."""

    @property
    def tenant(self) -> str: ...


C = TypeVar("C", bound=Tenanted)


async def _all_welcome(_request: Request, _caller: Any, _cost: int = 1) -> None:
    """For whoever limits nobody."""


@dataclass(frozen=True)
class Edge(Generic[C]):
    """The border between HTTP and a product's services."""

    identify: Callable[[Request], Awaitable[C]]
    """Who calls. Raises Unauthenticated or Forbidden."""
    keys: IdempotencyKeys
    drain: Drain
    proxies: Proxies
    admit: Callable[[Request, C, int], Awaitable[None]] = _all_welcome
    """Ask before so much work is taken on. Raises what says that now is not the time, as RateLimited or Overloaded."""

    def once(self, request: Request, caller: C, *content: bytes) -> AbstractAsyncContextManager[Claim]:
        """Hold the request's idempotency key, if it has one. `content` is what makes the body the same body."""
        key = idempotency_key(request)
        return self.keys.claim(caller.tenant, key, fingerprint(request, *content) if key is not None else "")

    def absolute(self, request: Request, path: str) -> str:
        """The address of a path as this client reaches us."""
        host = self.proxies.host(request.scope)
        return f"{self.proxies.scheme(request.scope)}://{host}{path}" if host else path
