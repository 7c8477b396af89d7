"""Who calls, as long as nobody has to say who they are: by address, or the owner of this very machine.

On a loopback binding the machine belongs to the caller, so there is one tenant. Anywhere else a stranger is a tenant
by address (an IPv6 network of 64 bits counts as one address). A token that is sent must be good: it is never ignored.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from starlette.requests import Request

from filewright.chassis.web.problems import Unauthenticated
from filewright.chassis.web.proxies import NO_PROXIES, Address, Proxies
from filewright.converter.tiers import ANONYMOUS, LOCAL, Caller, Tier

LOCAL_TENANT = "local"
_IPV6_PREFIX = 64


@dataclass(frozen=True)
class Callers:
    """How requests become callers. `local`: the server listens on loopback only."""

    local: bool
    anonymous: bool = True
    proxies: Proxies = NO_PROXIES
    local_tier: Tier = LOCAL
    anonymous_tier: Tier = ANONYMOUS

    def of(self, request: Request) -> Caller:
        """The caller. Raises Unauthenticated."""
        if "authorization" in request.headers:
            raise Unauthenticated("The token is not known here; send a good one, or none.")
        if self.local:
            return Caller(LOCAL_TENANT, self.local_tier)
        if not self.anonymous:
            raise Unauthenticated("This service is for known callers only; send a token.")
        return Caller(f"ip:{_network(self.proxies.client(request.scope))}", self.anonymous_tier)

    async def identify(self, request: Request) -> Caller:
        """`of`, for endpoints: those that know accounts will have to ask the database."""
        return self.of(request)


def _network(address: Address | None) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
