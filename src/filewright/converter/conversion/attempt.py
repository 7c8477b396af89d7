"""What the steps of one piece of work share: a directory each, one progress for all, and the time that is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filewright.chassis.clock import Clock
from filewright.chassis.sandbox.port import Limits
from filewright.converter.errors import Cancelled, Timeout
from filewright.converter.tiers import Tier

OnProgress = Callable[[float], None]


class Progress:
    """Fractions of the whole, never falling."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._highest = 0.0

    def report(self, fraction: float) -> None:
        if fraction > self._highest:
            self._highest = min(1.0, fraction)
            self._on_progress(self._highest)

    def part(self, start: float, end: float) -> OnProgress:
        """For one step, which counts its own 0..1."""
        return lambda fraction: self.report(start + (end - start) * min(1.0, max(0.0, fraction)))


@dataclass
class Attempt:
    """What all steps share: a directory, the time that is left, the progress."""

    tier: Tier
    workspace: Path
    cancel: asyncio.Event | None
    progress: Progress
    started: float
    clock: Clock
    steps: int = 0

    @property
    def current_workspace(self) -> Path:
        return self.workspace / f"step-{self.steps}"

    def next_workspace(self) -> Path:
        """A fresh directory for a step."""
        self.steps += 1
        for part in ("in", "out", "tmp"):
            (self.current_workspace / part).mkdir(mode=0o700, parents=True)
        return self.current_workspace

    def seconds_left(self) -> float:
        """Of the tier's time; raises Timeout when it is over."""
        left = self.tier.max_wall_seconds - (self.clock.monotonic() - self.started)
        if left <= 0:
            allowed = f"{self.tier.max_wall_seconds:.0f}"
            raise Timeout(f"The conversion took longer than the {allowed} seconds that are allowed.")
        return left

    def limits(self, at_most: float | None = None) -> Limits:
        """What is left of the tier's time, and its other limits."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled
        tier, left = self.tier, self.seconds_left()
        wall = min(left, at_most) if at_most is not None else left
        return Limits(
            wall_seconds=wall,
            cpu_seconds=2 * wall,
            memory_bytes=tier.max_memory_bytes,
            write_bytes=tier.max_output_bytes,
        )
