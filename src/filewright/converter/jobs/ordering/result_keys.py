"""What the result of an order follows from, as one short text: two orders with the same have the same result.

The bytes and names of the files, what is to be done with them, the options with their defaults filled in, the engines
that would do it and their versions, the limits they would have to keep, and what else shows in a product: this very
version of the program, the fonts of the machine, whether files are scanned. The owner is in it too, under a secret of
the service: the key of one says nothing about the files of another.

An order with a password has none, nor has one whose caller wants no part in this.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from filewright import __version__
from filewright.chassis.clock import Clock
from filewright.converter.artifacts.models import Artifact
from filewright.converter.jobs.orders import JobOrder, Planned, Reuse
from filewright.converter.tiers import Caller

_LOOK_SECONDS = 60.0
_LIMITS = ("max_input_bytes", "max_output_bytes", "max_wall_seconds", "max_memory_bytes", "max_pages", "max_pixels")
"""Of a tier, those that a job has to keep."""


@dataclass(eq=False)
class Surroundings:
    """What products depend on beside orders, files and engines. `folders`: where fonts are."""

    folders: Sequence[Path]
    scanned: bool
    clock: Clock
    _told: str = ""
    _looked_at: float | None = None

    def told(self) -> str:
        """It, in a few letters; looked at once a minute."""
        now = self.clock.monotonic()
        if self._looked_at is None or now - self._looked_at > _LOOK_SECONDS:
            changes = orjson.dumps([__version__, self.scanned, *_changes(self.folders)])
            self._told, self._looked_at = sha256(changes).hexdigest(), now
        return self._told


class ResultKeys:
    """Makes them. `secret` is for nothing else."""

    def __init__(self, secret: bytes, surroundings: Surroundings) -> None:
        self._secret = secret
        self._surroundings = surroundings

    def key_of(self, caller: Caller, order: JobOrder, files: Sequence[Artifact], planned: Planned) -> str | None:
        """Of an order that was planned for these files."""
        if order.password is not None or order.reuse is Reuse.NONE:
            return None
        plan, steps = planned.plan, planned.steps
        facts = [
            caller.tenant,
            self._surroundings.told(),
            [[file.sha256, file.filename, item.source_format] for file, item in zip(files, order.inputs, strict=True)],
            [step.as_json() for step in steps],
            [plan.source_format, plan.target_format, dict(plan.options)],
            [hop.as_json() for hop in plan.route],
            [getattr(caller.tier, name) for name in _LIMITS],
        ]
        return hmac.digest(self._secret, orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), "sha256").hex()


def _changes(folders: Sequence[Path]) -> Iterator[tuple[str, int]]:
    """When anything was put into one of the folders or those below it, or taken out."""
    for folder in folders:
        for place, below, _ in os.walk(folder):
            below.sort()
            yield place, Path(place).stat().st_mtime_ns
