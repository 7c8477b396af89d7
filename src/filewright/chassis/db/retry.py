"""Whether and when to try a unit of work again. A pure decision; `database.py` does the waiting."""

from __future__ import annotations

from dataclasses import dataclass

from filewright.chassis.db.dialect import Trouble

MAX_ATTEMPTS = {Trouble.CONFLICT: 5, Trouble.BUSY: 2}
"""Busy has few, because each of them waited already for as long as the database's own time-out."""
FIRST_SECONDS = 0.02


@dataclass(frozen=True)
class TryAgain:
    """Run the whole unit of work again, `seconds` from now."""

    seconds: float


@dataclass(frozen=True)
class GiveUp:
    """Tell the caller. `unavailable`: waiting longer could help; otherwise the work itself is at fault."""

    unavailable: bool


def after(trouble: Trouble, attempt: int, *, jitter: float = 0.0) -> TryAgain | GiveUp:
    """What to do after attempt number `attempt` (from 1) met this trouble.

    `jitter` (0 to 1) spreads those that collided once, so that they do not collide again. A database that is down is
    not tried again here: the caller hears of it at once and waits as its own deadline allows.
    """
    if attempt >= MAX_ATTEMPTS.get(trouble, 1):
        return GiveUp(unavailable=trouble is not Trouble.NONE)
    return TryAgain(FIRST_SECONDS * 2 ** (attempt - 1) * (1 + jitter))
