"""The web application of the converter: every feature's endpoints on one app, with what it says about its health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware

import filewright
from filewright.chassis.audit.watch import Watch
from filewright.chassis.cache.port import Cache
from filewright.chassis.clock import Clock
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.chassis.ids import IdSource
from filewright.chassis.networks import Network, within
from filewright.chassis.quota.port import Limiter
from filewright.chassis.sandbox.port import Sandbox
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.app import Site, create_web_app
from filewright.chassis.web.drain import Drain
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.health import Check, Health
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.chassis.web.networks import KnownNetworksOnly, Networks
from filewright.chassis.web.one_caller import OfOneCaller
from filewright.chassis.web.problems import Forbidden
from filewright.chassis.web.proxies import LOOPBACK, NO_PROXIES, Proxies
from filewright.chassis.web.request_log import RequestLog
from filewright.chassis.web.scopes import guard as guard_routes
from filewright.chassis.web.scopes import require, scope_of
from filewright.chassis.web.throttling import BudgetHeaders
from filewright.converter.accounts import endpoints as auth_endpoints
from filewright.converter.accounts import own_endpoints
from filewright.converter.accounts.guard import Guard
from filewright.converter.accounts.people import People
from filewright.converter.admin import endpoints as admin_endpoints
from filewright.converter.admin import watching
from filewright.converter.admin.edge import OperatorsEdge, require_role
from filewright.converter.admin.figures import Figures
from filewright.converter.admin.networks import NetworkLists
from filewright.converter.admin.service import Oversight
from filewright.converter.billing import endpoints as billing_endpoints
from filewright.converter.billing.invoices import Invoices
from filewright.converter.choices.service import Choices
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.libreoffice_warm import standing
from filewright.converter.engines.registry import Registry
from filewright.converter.fonts import endpoints as font_endpoints
from filewright.converter.fonts.service import Fonts
from filewright.converter.jobs.endpoints import batches, convert
from filewright.converter.jobs.endpoints import routes as job_routes
from filewright.converter.jobs.endpoints.answers import OutputFiles
from filewright.converter.jobs.forecasts.admission import Admission
from filewright.converter.jobs.ordering.fetching import Fetching
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.steering.quarantine import Quarantine
from filewright.converter.operations.chains import Operations
from filewright.converter.privacy import endpoints as privacy_endpoints
from filewright.converter.privacy.erasing import Erasures
from filewright.converter.privacy.exporting import Exports
from filewright.converter.reports import endpoints as report_endpoints
from filewright.converter.reports.service import Reports
from filewright.converter.site import me
from filewright.converter.site.callers import Callers
from filewright.converter.site.catalogue import endpoints as catalogue_endpoints
from filewright.converter.site.catalogue.offers import Catalogue
from filewright.converter.site.refusals import Refusals
from filewright.converter.site.throttle import NO_THROTTLE, Throttle
from filewright.converter.tiers import ADMIN, Caller, Tiers
from filewright.converter.uploads import endpoints as upload_endpoints
from filewright.converter.uploads.service import Uploads
from filewright.converter.webhooks import endpoints as webhook_endpoints
from filewright.converter.webhooks.service import Webhooks

DESCRIPTION = """\
Turns any file into the form you need.

Errors are `application/problem+json` with a stable `code`. Every POST takes an `Idempotency-Key`: the same key and
body give the first answer again. `X-Request-ID` and `traceparent` are accepted and echoed. Lists are paged by cursor.
Where the service reads from replicas, answers carry a `Consistency-Token`: send the greatest you have got (they sort as
text) with your next GET, and a replica that has all you have seen may answer it. Without one, answers are as fresh.

    curl -F file=@report.docx -F to=pdf http://127.0.0.1:8000/v1/convert -o report.pdf
"""


_SCANNER_SECONDS = 1.5


class Services(Protocol):
    """What the application needs of `bootstrap`'s services."""

    @property
    def clock(self) -> Clock: ...
    @property
    def database(self) -> Database: ...
    @property
    def store(self) -> ObjectStore: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def sandbox(self) -> Sandbox | None: ...
    @property
    def scanner(self) -> Scanner | None: ...
    @property
    def converter(self) -> Converter: ...
    @property
    def operations(self) -> Operations: ...
    @property
    def choices(self) -> Choices: ...
    @property
    def ids(self) -> IdSource: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def fetching(self) -> Fetching: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def fonts(self) -> Fonts: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def oversight(self) -> Oversight: ...
    @property
    def idempotency(self) -> IdempotencyKeys: ...
    @property
    def reports(self) -> Reports: ...
    @property
    def erasures(self) -> Erasures: ...
    @property
    def exports(self) -> Exports: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def people(self) -> People: ...
    @property
    def requests(self) -> RequestLog | None: ...
    @property
    def tiers(self) -> Tiers: ...
    @property
    def limiter(self) -> Limiter: ...
    @property
    def admission(self) -> Admission: ...
    @property
    def invoices(self) -> Invoices: ...
    @property
    def watch(self) -> Watch: ...
    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def networks(self) -> NetworkLists: ...


@dataclass(frozen=True)
class Exposure:
    """How the application meets the world: who is believed, who is let in, who may see its metrics."""

    callers: Callers
    proxies: Proxies = NO_PROXIES
    operators: tuple[Network, ...] = LOOPBACK
    throttle: Throttle = NO_THROTTLE
    networks: Networks = field(default_factory=Networks)

    def check_operator(self, request: Request) -> None:
        """Raises Forbidden for everybody else."""
        address = self.proxies.client(request.scope)
        if address is not None and not within(address, self.operators):
            raise Forbidden("Reports are shown to the operator's networks only.")


def create_app(
    services: Services,
    *,
    exposure: Exposure,
    drain: Drain,
    pages: Iterable[APIRouter] = (),
    running: AbstractAsyncContextManager[None] | None = None,
) -> FastAPI:
    """The application. `pages` are mounted beside the API; `running` is entered while the server runs."""
    identify = _allowed(exposure.throttle.around(_noted(exposure.callers.identify)))

    async def admit(request: Request, caller: Caller, cost: int) -> None:
        services.admission.check(caller.tier)
        if cost:
            await exposure.throttle.order(request, caller, cost)

    edge = Edge(identify, services.idempotency, drain, exposure.proxies, admit)
    guard = Guard(exposure.throttle.limiter if not exposure.callers.local else None, services.database)
    refusals = Refusals(services.watch, exposure.proxies)
    listed = Catalogue(
        services.converter,
        services.converter.registry,
        services.operations.offers.operators,
        services.choices,
        services.cache,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        ready = asyncio.create_task(asyncio.to_thread(listed.find_all))
        async with running or nullcontext():
            yield
        await ready

    app = create_web_app(
        Site("Filewright", filewright.__version__, DESCRIPTION),
        routers=(
            convert.router(edge, services.uploads, services.jobs, services.converter),
            upload_endpoints.router(edge, services.uploads, listed),
            job_routes.router(edge, services.jobs, services.fetching),
            batches.router(edge, services.jobs, services.fetching, services.ids),
            font_endpoints.router(edge, services.fonts, services.uploads),
            webhook_endpoints.router(edge, services.webhooks),
            *_admin_routers(services, edge),
            catalogue_endpoints.router(listed, services.converter),
            me.router(
                identify,
                exposure.throttle.left,
                services.jobs.standing,
                learned_targets=services.choices.learning,
            ),
            billing_endpoints.router(
                identify, services.invoices, services.tiers, exposure.check_operator, OutputFiles(services.jobs)
            ),
            auth_endpoints.router(edge, services.people, guard),
            own_endpoints.router(edge, services.people),
            privacy_endpoints.router(edge, services.erasures, services.exports),
            report_endpoints.router(services.reports, exposure.check_operator),
            *pages,
        ),
        state_of_health=Health(
            checks=_checks(services),
            facts=lambda: {"version": filewright.__version__, "engines": _engines(services.converter.registry)},
            drain=drain,
            metrics=services.metrics,
            proxies=exposure.proxies,
            operators=exposure.operators,
        ),
        metrics=services.metrics,
        clock=services.clock,
        lifespan=lifespan,
        guards=(
            Middleware(OfOneCaller),
            Middleware(
                KnownNetworksOnly,
                networks=exposure.networks,
                proxies=exposure.proxies,
                refused=refusals.of_network,
            ),
            Middleware(BudgetHeaders),
        ),
        refused=refusals.of_request,
    )
    guard_routes(app.routes, identify)
    return app


def _admin_routers(services: Services, edge: Edge[Caller]) -> tuple[APIRouter, ...]:
    desk = OperatorsEdge(edge, services.clock, services.watch)
    figures = Figures(services.reports, services.oversight)
    changing = admin_endpoints.AdminEndpoints(desk, services.oversight, services.quarantine)
    looking = watching.WatchingEndpoints(desk, services.oversight, services.networks, figures)
    return admin_endpoints.router(changing), watching.router(looking)


def _allowed(identify: Callable[[Request], Awaitable[Caller]]) -> Callable[[Request], Awaitable[Caller]]:
    """The same, and nobody passes whom the request's route does not allow; the database hears who it is."""

    async def allowing(request: Request) -> Caller:
        state = request.scope.setdefault("state", {})
        known: Caller | None = state.get("caller")
        if known is not None:  # the guard of the route has asked already
            return known
        caller = await identify(request)
        require(request, caller.scopes)
        require_role(request, caller)
        state["caller"] = caller
        if scope_of(request.scope.get("route")) == ADMIN:
            acting.operating()
        else:
            acting.known(caller.tenant)
        return caller

    return allowing


def _noted(identify: Callable[[Request], Awaitable[Caller]]) -> Callable[[Request], Awaitable[Caller]]:
    """The same, and what writes requests and refusals down knows whose each is."""

    async def noting(request: Request) -> Caller:
        caller = await identify(request)
        request.scope.setdefault("state", {}).update(tenant=caller.tenant, known=caller)
        return caller

    return noting


def _checks(services: Services) -> Mapping[str, Check]:
    async def database() -> Mapping[str, Any]:
        await services.database.ping()
        return services.database.facts()

    async def storage() -> None:
        # A listing that stops at its first entry: every store can do it, and it costs the least.
        async for _ in services.store.list("health"):
            return

    checks: dict[str, Check] = {"database": database, "storage": storage}
    boundary = services.sandbox
    if boundary is not None:  # else this process runs no engines

        async def sandbox() -> Mapping[str, Any]:
            return {"level": boundary.level.name.lower(), "office": standing(boundary).facts()}

        checks["sandbox"] = sandbox
    if services.scanner is not None:
        checks["scanner"] = _scanner_check(services.scanner)
    return checks


def _scanner_check(asked: Scanner) -> Check:
    """With its facts also when it is not well: they say which daemon has what trouble."""

    async def scanner() -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(_SCANNER_SECONDS):
                usable = await asked.usable()
        except TimeoutError:
            usable = False
        return {"ok": usable, **asked.facts()}

    return scanner


def _engines(registry: Registry) -> list[dict[str, Any]]:
    return [
        {"name": found.engine, "available": found.available, "version": found.version, "conversions": found.conversions}
        for found in registry.diagnose()
    ]
