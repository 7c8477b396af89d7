"""What the settings say of jobs as such: how long things may take, and where jobs queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class JobRules:
    """The same for all jobs of an installation."""

    deadline: timedelta = timedelta(hours=24)
    """After this long a job that is not over is ended with `timeout`."""
    first_hint: timedelta = timedelta(seconds=15)
    """The outbox tells the queue at once; after this the dispatcher tells it again."""
    look_again: float = 2.0
    """Seconds after which a waiter looks at the database although nobody announced anything."""
    lane: str | None = None
    """Where all jobs queue; None: where their callers' tiers say."""
