"""Who calls: whoever a token or key speaks for, the owner of this very machine, or a stranger by address.

A token that is sent must be good: it is never ignored. Without one, whoever signed in at a page of this service is
known by the browser's cookie (`accounts.cookies`). Without either, on a loopback binding the machine belongs to the
caller, so there is one tenant that may do everything; anywhere else a stranger is a tenant by address (an IPv6 network
of 64 bits counts as one address), unless the operator lets no strangers in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from filewright.chassis.web.headers import headers
from filewright.chassis.web.problems import Forbidden, Unauthenticated
from filewright.chassis.web.proxies import NO_PROXIES, Proxies, stranger
from filewright.converter.accounts.bearers import Bearers
from filewright.converter.accounts.cookies import Cookies, SignedInPerson, caller_for
from filewright.converter.tiers import ADMIN_ROLE, ANONYMOUS, EVERYBODYS_SCOPES, LOCAL, SCOPES, Caller, Tier, Tiers

LOCAL_TENANT = "local"
_SCHEME = "bearer "


@dataclass(frozen=True)
class Visitor:
    """Whoever opens a page. `person`: None for whoever has not signed in."""

    caller: Caller
    person: SignedInPerson | None = None


@dataclass(frozen=True)
class Callers:
    """How requests become callers. `local`: the server listens on loopback only."""

    local: bool
    anonymous: bool = True
    proxies: Proxies = NO_PROXIES
    local_tier: Tier = LOCAL
    anonymous_tier: Tier = ANONYMOUS
    bearers: Bearers | None = None
    """None: nobody has a token or key that is good here."""

    cookies: Cookies | None = None
    """None: nobody signs in at a page."""
    tier_named: Callable[[str], Tier] = Tiers().named

    async def identify(self, request: Request) -> Caller:
        """The caller. Raises Unauthenticated, Forbidden."""
        said = headers(request.scope, b"authorization")
        if not said:
            person = await self.person(request)
            return self.unnamed(request) if person is None else caller_for(person, self.tier_named)
        if self.bearers is None or len(said) > 1 or not said[0].lower().startswith(_SCHEME):
            raise Unauthenticated("Send one header `Authorization: Bearer …` with a good token or API key, or none.")
        return await self.bearers.identify(said[0][len(_SCHEME) :].strip(), self.proxies.client(request.scope))

    async def person(self, request: Request) -> SignedInPerson | None:
        """Who is signed in at the browser. Raises Unauthenticated when that is over, Forbidden."""
        return await self.cookies.person(request, self.proxies) if self.cookies is not None else None

    async def visitor(self, request: Request) -> Visitor:
        """Whoever opens a page. Raises Unauthenticated where such are not let in."""
        if "authorization" in request.headers:
            raise Unauthenticated("Pages take no token; the API does.")
        try:
            person = await self.person(request)
        except (Unauthenticated, Forbidden):
            person = None
        if person is None:
            return Visitor(self.unnamed(request))
        return Visitor(caller_for(person, self.tier_named), person)

    def unnamed(self, request: Request) -> Caller:
        """Whoever does not say who they are. Raises Unauthenticated where such are not let in."""
        if self.local:
            return Caller(LOCAL_TENANT, self.local_tier, SCOPES, role=ADMIN_ROLE)
        if not self.anonymous:
            raise Unauthenticated("This service is for known callers only; sign in, or send an API key.")
        tenant = stranger(self.proxies.client(request.scope))
        return Caller(tenant, self.anonymous_tier, EVERYBODYS_SCOPES)
