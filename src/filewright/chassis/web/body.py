"""Read a request's body: whole and bounded, or as a stream that stops within a piece of its limit."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from filewright.chassis.errors import ProblemError
from filewright.chassis.web.problems import BodyTooLarge

__all__ = ["ClientDisconnect", "declared_length", "limited", "read_body"]


def declared_length(request: Request) -> int | None:
    """What Content-Length says. It may lie; it is good only for refusing early."""
    length = request.headers.get("content-length")
    return int(length) if length is not None else None


def body_too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {max_bytes} bytes that are allowed here.")


async def limited(
    request: Request, max_bytes: int, too_large: type[ProblemError] | ProblemError | None = None
) -> AsyncIterator[bytes]:
    """The pieces of the body. Raises `too_large` before the first piece when Content-Length says so, else as soon as
    the limit is passed: no piece is read after that, and the pieces given out never exceed the limit.
    """
    refusal = too_large or body_too_large(max_bytes)
    if (declared_length(request) or 0) > max_bytes:
        raise refusal
    taken = 0
    async for piece in request.stream():
        taken += len(piece)
        if taken > max_bytes:
            raise refusal
        if piece:
            yield piece


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body, at most `max_bytes`; kept on the request, so that it may be asked for twice."""
    known: bytes | None = getattr(request.state, "whole_body", None)
    if known is not None:
        return known
    whole = b"".join([piece async for piece in limited(request, max_bytes)])
    request.state.whole_body = whole
    return whole
