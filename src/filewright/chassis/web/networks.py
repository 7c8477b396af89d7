"""Who is let in at all, by the network that a request comes from.

The address is the true one: what a client writes is believed from trusted proxies only (`proxies.py`). Health checks
are answered to everybody: who keeps the service alive must not be locked out by a mistake in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from filewright.chassis.networks import Address, Network, within
from filewright.chassis.web.problems import Forbidden, problem_response
from filewright.chassis.web.proxies import Proxies

_FOR_EVERYBODY = frozenset({"/livez", "/readyz", "/health"})


class Networks:
    """The lists. They may be replaced while the service runs."""

    def __init__(
        self,
        *,
        allowed: Iterable[Network] = (),
        blocked: Iterable[Network] = (),
        unlimited: Iterable[Network] = (),
    ) -> None:
        self.replace(allowed=allowed, blocked=blocked, unlimited=unlimited)

    def replace(self, *, allowed: Iterable[Network], blocked: Iterable[Network], unlimited: Iterable[Network]) -> None:
        """From the next request on. `allowed`: only these, unless it is empty. `blocked` wins over `allowed`."""
        self._allowed, self._blocked, self._unlimited = tuple(allowed), tuple(blocked), tuple(unlimited)

    def __bool__(self) -> bool:
        return bool(self._allowed or self._blocked)

    def let_in(self, address: Address | None) -> bool:
        """Whether that address may ask. Who comes by a unix socket has no address, and is let in."""
        if address is None:
            return True
        if within(address, self._blocked):
            return False
        return not self._allowed or within(address, self._allowed)

    @property
    def spares_some(self) -> bool:
        """Whether it is worth asking `is_unlimited`."""
        return bool(self._unlimited)

    def is_unlimited(self, address: Address | None) -> bool:
        """Whether nobody counts what comes from there."""
        return address is not None and within(address, self._unlimited)


def _nobody_listens(_address: Address | None) -> None:
    """For whoever keeps no book of refusals."""


class KnownNetworksOnly:
    """ASGI middleware: refuses everybody else, before anything of the request is read; `refused` hears of each."""

    def __init__(
        self,
        app: ASGIApp,
        networks: Networks,
        proxies: Proxies,
        refused: Callable[[Address | None], None] = _nobody_listens,
    ) -> None:
        self._app = app
        self._refused = refused
        self._networks = networks
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or not self._networks
            or scope["path"] in _FOR_EVERYBODY
            or self._networks.let_in(self._proxies.client(scope))
        ):
            await self._app(scope, receive, send)
            return
        self._refused(self._proxies.client(scope))
        refusal = Forbidden("This service does not answer to the network that you come from.")
        await problem_response(refusal, scope)(scope, receive, send)
