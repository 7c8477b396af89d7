"""What is to run: every process with its arguments, its place in the order, how to ask whether it is well, how it ends.

A plan is data. Commands write it, the supervisor makes the machine look like it; it is a file between the two, so a
supervisor that was killed finds it again. It holds passwords and is readable by its owner alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Signal = Literal["SIGTERM", "SIGINT", "SIGQUIT"]


class Service(BaseModel):
    """One process of the plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: str
    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    user: str | None = None
    """Whom it runs as; None: as the one who started the stack."""
    port: int | None = None
    probe: str | None = None
    """What to ask, as a URL (see `probes`); None: being there is enough."""
    after: tuple[str, ...] = ()
    """Names or roles that must be ready before it starts, and that stop after it."""
    once: bool = False
    """It runs to its end, and that end (with exit code 0) is what others wait for."""
    ending: Signal = "SIGTERM"
    grace_seconds: float = 10.0
    start_seconds: float = 60.0
    generation: int = 0
    """Raised to have it replaced by a new process."""

    @property
    def address(self) -> str | None:
        return f"127.0.0.1:{self.port}" if self.port is not None else None

    @property
    def digest(self) -> str:
        """Differs when the process would have to be another. A field that came with a later version changes nothing
        as long as it says nothing.
        """
        return hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16]

    def is_one_of(self, names: tuple[str, ...]) -> bool:
        return self.name in names or self.role in names


class FrontPlan(BaseModel):
    """Which service spreads requests over which role, and the file that tells it where they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    role: str
    rotation_file: Path
    health_url: str


class Plan(BaseModel):
    """All of it. `revision` grows with each change, so that a command knows when its change has been made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    revision: int
    rolling: bool = True
    """What has to be another process is replaced one at a time; else all at once, with a gap."""
    url: str
    secure_url: str | None = None
    """The same over TLS, with the stack's own certificate."""
    services: tuple[Service, ...]
    """In the order in which they start."""
    front: FrontPlan

    def service(self, name: str) -> Service | None:
        return next((service for service in self.services if service.name == name), None)
