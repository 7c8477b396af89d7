"""On a loopback address the service believes that whoever calls owns the machine.

A web page in the owner's browser could borrow that trust by a name of its own that it lets resolve to 127.0.0.1 (DNS
rebinding). So there the service answers to its own names only.
"""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from filewright.chassis.web.problems import Forbidden, problem_response


class OwnNamesOnly:
    """ASGI middleware: refuses a request whose `Host` is neither `localhost` nor a loopback address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_own(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        refusal = Forbidden(
            "This service listens on a loopback address and answers to that name only. Behind a proxy, set "
            "FILEWRIGHT_TRUSTED_PROXIES."
        )
        await problem_response(refusal, scope)(scope, receive, send)


def _is_own(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]").lower().rstrip(".")
    if name in {"", "localhost"} or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
