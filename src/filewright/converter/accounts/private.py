"""Answers that hold secrets, kept for the same `Idempotency-Key` like all others, but sealed.

What was asked holds secrets too: of it only a keyed mark is kept, from which no password can be guessed.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from filewright.chassis.sealing import Box, derived
from filewright.chassis.web.idempotency import Answer, IdempotencyKeys, fingerprint, idempotency_key

_PURPOSE = "filewright kept answers"


class PrivateAnswers:
    """Does a keyed request once."""

    def __init__(self, keys: IdempotencyKeys, secret: bytes) -> None:
        self._keys = keys
        self._box = Box(secret, _PURPOSE)
        self._mark = derived(secret, f"{_PURPOSE}, marks")

    async def once(
        self, request: Request, tenant: str, raw: bytes, answer: Callable[[], Awaitable[Response]]
    ) -> Response:
        """What `answer` gives, or gave to the same request before. Raises IdempotencyMismatch, InFlight."""
        key = idempotency_key(request)
        if key is None:
            return await answer()
        mark = fingerprint(request, hmac.digest(self._mark, raw, "sha256"))
        context = f"{tenant} {key}"
        async with self._keys.claim(tenant, key, mark) as claim:
            if claim.replay is not None:
                return self._opened(claim.replay, context)
            response = await answer()
            await claim.keep_now(self._sealed(response, context))
            return response

    def _sealed(self, response: Response, context: str) -> Response:
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        body = self._box.seal(bytes(response.body), context=context)
        return Response(body, status_code=response.status_code, headers=headers)

    def _opened(self, kept: Answer, context: str) -> Response:
        body = self._box.open(kept.body, context=context)
        return Response(body or None, status_code=kept.status, headers=dict(kept.headers))
