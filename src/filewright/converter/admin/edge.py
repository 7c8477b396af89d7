"""The border that all of the operators' addresses share: who may, since when, and that it is written down.

Every address needs the scope `admin`, and says which role it needs at least; both stand where the route is, and in the
OpenAPI document. Whoever signed in must have done so lately. What is changed is written down by whoever changes it, in
its own transaction; that something was looked at is noted here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import DONE
from filewright.chassis.audit.watch import Note, Watch
from filewright.chassis.clock import Clock
from filewright.chassis.web.cursors import encode_cursor
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.problems import Forbidden
from filewright.chassis.web.scopes import needs
from filewright.converter.tiers import ADMIN, ADMIN_ROLE, SUPPORT_ROLE, Caller, is_at_least

PREFIX = "/v1/admin"
LOOKED = acts.declare("admin.looked", "an operator looked at what `route` shows")
LATELY = timedelta(minutes=30)
"""How long a sign-in is good for what operators do."""
_ROLE = "x-least-role"


class NotAnOperator(Forbidden):
    """The caller may not, or not any more without signing in again."""


def require_role(request: Request, caller: Caller) -> None:
    """Raises NotAnOperator unless the caller has the role that the request's route names, if it names one."""
    least = (getattr(request.scope.get("route"), "openapi_extra", None) or {}).get(_ROLE)
    if least is not None and not is_at_least(caller.role, least):
        raise NotAnOperator(f"This is for operators whose role is at least `{least}`.")


@dataclass(frozen=True)
class OperatorsEdge:
    """Asks who an operator is. The guard of the route has seen to scope and role (`require_role`)."""

    edge: Edge[Caller]
    clock: Clock
    watch: Watch

    async def operator(self, request: Request) -> Caller:
        """The caller, who may. Raises Forbidden."""
        caller = await self.edge.identify(request)
        signed_in = caller.authenticated_at
        if caller.session is not None and (signed_in is None or self.clock.now() - signed_in > LATELY):
            raise NotAnOperator("Sign in again: what operators do asks for a sign-in of the last half hour.")
        if request.method == "GET":
            route = request.scope["route"].path
            self.watch.note(Note(LOOKED, caller.actor, caller.tenant, route, outcome=DONE))
        return caller


class Routes:
    """Collects the operators' addresses."""

    def __init__(self) -> None:
        self.router = APIRouter(prefix=PREFIX, tags=["admin"])

    def add(
        self,
        path: str,
        method: str,
        handler: Callable[..., Awaitable[Response]],
        name: str,
        summary: str,
        *,
        least: str | None = None,
        **more: Any,
    ) -> None:
        """`least`: the role that it takes; without it, `support` may look and `admin` may do anything else."""
        role = least or (SUPPORT_ROLE if method == "GET" else ADMIN_ROLE)
        self.router.add_api_route(
            path,
            handler,
            methods=[method],
            operation_id=f"admin_{name}",
            summary=summary,
            description=f"For operators whose role is at least `{role}`.",
            openapi_extra=needs(ADMIN, **{_ROLE: role}),
            **more,
        )


def json_of(model: BaseModel, status: int = 200) -> Response:
    """A model as JSON."""
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


def next_cursor(ids: list[str], limit: int) -> str | None:
    """Of a page for which one more was asked than it shows."""
    return encode_cursor(ids[limit - 1]) if len(ids) > limit else None
