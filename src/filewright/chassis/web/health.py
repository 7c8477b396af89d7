"""Alive, ready, measured. `/livez` looks at nothing but the loop; `/readyz` asks every dependency, briefly.

`/health` is `/readyz` for load balancers. `/metrics` answers only the operator's networks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from filewright.chassis.networks import Network, within
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import CONTENT_TYPE_LATEST, Metrics
from filewright.chassis.web.drain import Drain
from filewright.chassis.web.problems import Forbidden
from filewright.chassis.web.proxies import LOOPBACK, Proxies
from filewright.chassis.web.scopes import PUBLIC

_log = get_logger(__name__)
_CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[Mapping[str, Any] | None]]
"""Returns facts worth showing, or None; raises when the dependency cannot be used. It is given two seconds."""


@dataclass(frozen=True)
class Health:
    """What readiness consists of. `facts` are shown and decide nothing (versions of engines, say)."""

    checks: Mapping[str, Check]
    facts: Callable[[], Mapping[str, Any]]
    drain: Drain
    metrics: Metrics
    proxies: Proxies
    operators: Iterable[Network] = LOOPBACK


def router(health: Health) -> APIRouter:
    """The endpoints of an operator and of a load balancer."""
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/livez", operation_id="livez", summary="Whether the process answers at all", openapi_extra=dict(PUBLIC)
    )
    async def livez() -> Response:
        return _json({"status": "alive"})

    async def readiness() -> Response:
        found = await asyncio.gather(*(_look(name, check) for name, check in health.checks.items()))
        ready = not health.drain.draining and all(item["ok"] for _, item in found)
        status = "ready" if ready else "draining" if health.drain.draining else "unavailable"
        body = {"status": status, "checks": dict(found), **health.facts()}
        return _json(body, 200 if ready else 503)

    for path in ("/readyz", "/health"):
        routes.add_api_route(
            path,
            readiness,
            methods=["GET"],
            operation_id=path[1:],
            summary="Whether it can do its work, and with what",
            openapi_extra=dict(PUBLIC),
        )
    for path, call in (("/livez", livez), ("/readyz", readiness), ("/health", readiness)):
        routes.add_api_route(path, call, methods=["HEAD"], include_in_schema=False)

    @routes.get(
        "/metrics",
        operation_id="metrics",
        summary="Prometheus metrics, for the operator's networks",
        openapi_extra=dict(PUBLIC),
    )
    async def metrics(request: Request) -> Response:
        address = health.proxies.client(request.scope)
        if address is not None and not within(address, health.operators):
            raise Forbidden("Metrics are shown to the operator's networks only.")
        return Response(health.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return routes


async def _look(name: str, check: Check) -> tuple[str, dict[str, Any]]:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            facts = await check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the dependency is not usable; the log says what
        _log.warning("dependency_unavailable", dependency=name, error=repr(error))
        return name, {"ok": False}
    return name, {"ok": True, **(facts or {})}


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
