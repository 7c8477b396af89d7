"""The law of all rate limits here: the generic cell rate algorithm, the leaky bucket told with one moment per key.

What is kept is the moment at which the key would be as fresh as if it had never been used. Each thing that is taken
moves that moment on by the rate's interval; it may lie ahead of now by as much as a burst, and no further. So within
any time `t` no more is given than `burst + t / interval`, there is no window whose edge lets twice as much through,
and a refusal knows to the microsecond when it would be none.

Pure: time comes in, in whole microseconds. Whole numbers give the same answer here and in Redis (`shared.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 1_000_000
"""In microseconds."""


@dataclass(frozen=True)
class Rate:
    """So many in so many seconds, and `burst` of them at once."""

    count: int
    seconds: float = 60.0
    burst: int = 0
    """0: as many as `count`."""

    @property
    def most(self) -> int:
        """How many may come at once."""
        return self.burst or self.count

    @property
    def interval(self) -> int:
        """Microseconds that one costs; rounded up, so that it is never less than the rate says."""
        return max(1, -int(-self.seconds * SECOND // self.count))

    def halved(self) -> Rate:
        """Half as fast, and half as many at once."""
        return Rate(self.count, self.seconds * 2, max(1, self.most // 2))


@dataclass(frozen=True)
class Verdict:
    """What was given, and what is left. Times in seconds."""

    allowed: bool
    remaining: int
    """How many more could be taken right now."""
    retry_after: float = 0.0
    """After this as many as were asked for could be given; 0 when they were."""
    reset_after: float = 0.0
    """After this nothing of it would be felt any more."""


def decide(interval: int, most: int, fresh_at: int | None, now: int, cost: int = 1) -> tuple[Verdict, int]:
    """The verdict, and the key's new moment. `fresh_at`: the moment kept, None for a key that is not known."""
    ahead = max((fresh_at or now) - now, 0)
    wanted = ahead + cost * interval
    allowed = wanted <= most * interval
    ahead = wanted if allowed else ahead
    remaining = max((most * interval - ahead) // interval, 0)
    wait = 0 if allowed else wanted - most * interval
    return Verdict(allowed, remaining, wait / SECOND, ahead / SECOND), now + ahead
