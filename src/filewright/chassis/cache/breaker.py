"""Not to ask a server that did not answer, for a while that grows.

The first failure is enough: what is asked for can always be made, so nobody should wait to find out a second time.
When the while is over one asks, and all others go on without until that one has its answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0


class Breaker:
    """`clock` gives seconds that never go backwards."""

    def __init__(self, clock: Callable[[], float], chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._pause = 0.0
        self._until = 0.0
        self._tries = False

    @property
    def is_open(self) -> bool:
        """Whether the last answer did not come."""
        return self._pause > 0

    def allows(self) -> bool:
        """Whether to ask now. Who is told yes says how it went, or holds others up for a while."""
        if not self._pause:
            return True
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + self._pause
        self._tries = True
        return True

    def succeeded(self) -> bool:
        """An answer came; whether that is news."""
        was_open = self.is_open
        self._pause, self._tries = 0.0, False
        return was_open

    def failed(self) -> bool:
        """None came; whether that is news."""
        was_open = self.is_open
        if was_open and not self._tries:
            return False  # one of many that were under way together
        self._pause = min(LONGEST_PAUSE, self._pause * 2) if was_open else FIRST_PAUSE
        self._until = self._clock() + self._pause * (0.5 + self._chance())
        self._tries = False
        return not was_open
