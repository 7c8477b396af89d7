"""The whole application as it is served: API, pages, and what a browser without scripts is shown."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response

from filewright.chassis.db import acting
from filewright.chassis.networks import Network
from filewright.chassis.web.drain import Drain
from filewright.chassis.web.proxies import Proxies
from filewright.chassis.web.request_log import Recorded
from filewright.chassis.web.seen import SeenSoFar
from filewright.converter.accounts.cookies import comes_from_here
from filewright.converter.settings import Settings
from filewright.converter.site.app import Exposure, Services, create_app
from filewright.converter.site.browsers import BrowserAnswers
from filewright.converter.site.callers import Callers, Visitor
from filewright.converter.site.hosts import OwnNamesOnly
from filewright.converter.site.pages import Pages
from filewright.converter.site.pages import router as pages_router
from filewright.converter.site.throttle import Throttle
from filewright.converter.tiers import ANONYMOUS, LOCAL, Tier


def application(
    services: Services,
    settings: Settings,
    *,
    local: bool,
    drain: Drain,
    running: AbstractAsyncContextManager[None] | None = None,
) -> FastAPI:
    """The application for these settings. `local`: it listens on loopback only."""
    proxies = Proxies(_networks(settings.trusted_proxies))
    stranger = _kept_for(services.tiers.named(ANONYMOUS.name), settings.retention_hours)

    def tier_named(name: str) -> Tier:
        return _kept_for(services.tiers.named(name), settings.retention_hours)

    people = services.people
    callers = Callers(
        local=local and settings.tiers_file is None,  # with tiers of their own operators want them to hold here too
        anonymous=settings.anonymous,
        proxies=proxies,
        local_tier=_kept_for(services.tiers.named(LOCAL.name), settings.retention_hours),
        anonymous_tier=stranger,
        bearers=people.bearers(tier_named),
        cookies=people.cookies,
        tier_named=tier_named,
    )
    exposure = Exposure(
        callers,
        proxies,
        throttle=Throttle(services.limiter, proxies, stranger, services.networks.known),
        networks=services.networks.known,
    )

    async def sign_out(request: Request, response: Response) -> None:
        """Whose session it was or is: a request of somebody else's page ends nothing."""
        if comes_from_here(request, proxies):
            session = people.cookies.session_of(request, proxies)
            await people.signing_in.end_here(session)
            people.cookies.take_back(request, response)

    pages = pages_router(
        Pages(
            services.jobs,
            services.converter.planner,
            _known(callers.visitor),
            sign_out,
            people.cookies.take_back,
            provider=urlsplit(settings.oidc_issuer or "").hostname or "",
        )
    )
    app = create_app(services, exposure=exposure, drain=drain, pages=[pages], running=running)
    if services.requests is not None:
        app.add_middleware(Recorded, log=services.requests)
    if services.database.has_replicas:
        app.add_middleware(SeenSoFar, database=services.database)
    app.add_middleware(BrowserAnswers, visitor_of=callers.visitor)
    if local and not settings.trusted_proxies:
        app.add_middleware(OwnNamesOnly)
    return app


def _known(visitor_of: Callable[[Request], Awaitable[Visitor]]) -> Callable[[Request], Awaitable[Visitor]]:
    """The same, and the database hears who it is."""

    async def knowing(request: Request) -> Visitor:
        visitor = await visitor_of(request)
        acting.known(visitor.caller.tenant)
        return visitor

    return knowing


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def _kept_for(tier: Tier, hours: float | None) -> Tier:
    return tier if hours is None else replace(tier, retention_seconds=hours * 3600)
