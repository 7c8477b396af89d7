"""Which refusals the audit log is told of, and which only count towards an alarm.

Every problem that an endpoint raises passes here once. What says more than the problem itself (whose password it was,
which key) is told where it is known; a plain 404 or 429 is an everyday thing, and only many of them are worth a line.
Whether a 404 was another tenant's thing is not looked up: nothing here may know more than the caller is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from filewright.chassis.audit import acts
from filewright.chassis.audit.watch import Note, Watch
from filewright.chassis.egress.errors import SourceForbidden
from filewright.chassis.errors import ProblemError
from filewright.chassis.networks import Address
from filewright.chassis.web.problems import NotFound
from filewright.chassis.web.proxies import Proxies, stranger
from filewright.chassis.web.scopes import MissingScope
from filewright.chassis.web.throttling import RateLimited
from filewright.converter.accounts.acts import LOGIN_BLOCKED
from filewright.converter.admin.edge import PREFIX as OPERATORS
from filewright.converter.admin.edge import NotAnOperator
from filewright.converter.jobs.errors import ConcurrencyLimited, QuotaExceeded
from filewright.converter.tiers import Caller

SCOPE_DENIED = acts.declare(
    "request.denied", "a call that the caller's token or key does not allow", by_actor="scope_denied"
)
ADMIN_DENIED = acts.declare(
    "admin.denied", "an operators' address was called by somebody who may not", by_actor="admin_denied"
)
FORBIDDEN_SOURCE = acts.declare(
    "source.forbidden", "an address to fetch or to call led inside; nothing was sent", by_actor="source_forbidden"
)
NETWORK_REFUSED = acts.declare(
    "network.refused", "a request from a network that is not let in", by_actor="network_refused"
)
_SIGNING_IN = "/v1/auth/"


@dataclass(frozen=True)
class Refusals:
    """Hears of every refused request."""

    watch: Watch
    proxies: Proxies

    def of_request(self, request: Request, error: ProblemError) -> None:
        """An endpoint, or what guards it, raised this."""
        route = str(getattr(request.scope.get("route"), "path", ""))
        if isinstance(error, MissingScope | NotAnOperator):
            self._write(ADMIN_DENIED if route.startswith(OPERATORS) else SCOPE_DENIED, request, route)
        elif isinstance(error, SourceForbidden) and not error.retryable:
            self._write(FORBIDDEN_SOURCE, request, route)
        elif isinstance(error, RateLimited) and route.startswith(_SIGNING_IN):
            self._write(LOGIN_BLOCKED, request, route)
        elif isinstance(error, RateLimited | QuotaExceeded | ConcurrencyLimited):
            self.watch.seen("limits_hammered", self._who(request))
        elif isinstance(error, NotFound) and "{" in route:
            self.watch.seen("enumeration", self._who(request))

    def of_network(self, address: Address | None) -> None:
        """A request was not even looked at."""
        self.watch.note(Note(NETWORK_REFUSED, stranger(address)))

    def _write(self, act: acts.Act, request: Request, route: str) -> None:
        caller: Caller | None = getattr(request.state, "known", None)
        details = {"route": f"{request.method} {route}"}
        who = self._who(request)
        tenant = caller.tenant if caller is not None else who
        self.watch.note(Note(act, who, tenant, details=details))

    def _who(self, request: Request) -> str:
        caller: Caller | None = getattr(request.state, "known", None)
        return caller.actor if caller is not None else stranger(self.proxies.client(request.scope))
