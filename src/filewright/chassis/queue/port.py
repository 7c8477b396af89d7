"""What a queue promises here, which is little: it carries hints from those who have work to those who do it.

A `Task` names a row by kind and id and holds nothing else, so that a forged, doubled or stale one does no harm: whoever
takes it asks the database whether there is anything to do. Who needs certainty writes to the outbox (`outbox.py`) and
lets the dispatcher hint again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PREMIUM = "premium"
STANDARD = "standard"
LANES = (PREMIUM, STANDARD)
"""Every lane, the one served first in front."""


class QueueFull(Exception):
    """The queue holds as much as it may. The hint was not taken; keep it and publish it later."""


class QueueUnavailable(Exception):
    """The queue cannot be reached now. Keep the hint and publish it later."""


@dataclass(frozen=True)
class Task:
    """A hint: look at the row `id` of this `kind`. `lane` is one of `LANES`."""

    kind: str
    id: str
    lane: str = STANDARD


class TaskQueue(Protocol):
    """Carries hints between the process that has work and those that do it."""

    async def publish(self, task: Task) -> None:
        """Offer a hint. One that already waits is not doubled where the adapter can tell.

        Raises QueueFull or QueueUnavailable.
        """
        ...

    async def publish_all(self, tasks: Sequence[Task]) -> int:
        """Offer many hints of one lane, in order; how many of them were taken, until the queue was full.

        Raises QueueUnavailable.
        """
        ...

    async def take(self, timeout: float) -> Task | None:  # noqa: ASYNC109
        """The next hint, premium before standard (but see the adapter's fairness); None after `timeout` seconds.

        It is gone once taken. A taker that is cancelled while waiting takes nothing.
        """
        ...

    async def depth(self) -> Mapping[str, int]:
        """How many hints wait in each lane."""
        ...

    async def close(self) -> None:
        """Wake all takers with None and let go of connections. What still waits is dropped: it is only hints."""
        ...
