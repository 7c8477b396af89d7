"""How far a client has seen: the position in PostgreSQL's log that everything it was shown or told lies before.

A replica answers a client only when it has replayed up to the client's horizon, so nobody misses their own write or
sees an older state than before. The horizon travels as a token: the client gets one with each answer and sends the
greatest it has got with its next request. Tokens sort as text; they mean nothing else to anybody, and one that is made
up can only make its sender's own reads older.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TOKEN = re.compile(r"[0-9a-f]{16}")


class Horizon:
    """Of one request. Without a `known` position the client may have seen anything, so the primary answers."""

    def __init__(self, known: int | None = None) -> None:
        self.known = known
        self.reached = 0
        """Before this lies what replicas have shown in this request."""
        self.on_primary = False
        """Whether the primary was looked at or written to: then its present position is the horizon."""

    def saw_replica(self, position: int) -> None:
        """Something was read on a replica that had replayed no further than this."""
        self.reached = max(self.reached, position)

    def saw_primary(self) -> None:
        """Something was read or written on the primary."""
        self.on_primary = True


_present: ContextVar[Horizon | None] = ContextVar("horizon", default=None)


def present() -> Horizon | None:
    """The horizon of the request that this code runs for; None outside of requests."""
    return _present.get()


@contextmanager
def within(horizon: Horizon) -> Iterator[Horizon]:
    """Everything that is read and written in here is seen by one client."""
    before = _present.set(horizon)
    try:
        yield horizon
    finally:
        _present.reset(before)


def to_token(position: int) -> str:
    """A position as it goes to a client."""
    return f"{position:016x}"


def from_token(text: str) -> int | None:
    """The position; None for what is no token."""
    return int(text, 16) if _TOKEN.fullmatch(text) else None
