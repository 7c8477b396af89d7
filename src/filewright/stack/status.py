"""How a stack is: every process asked itself, beside what its supervisor says. Nothing is changed by asking."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filewright.stack.layout import Layout
from filewright.stack.plan import Service
from filewright.stack.probes import is_well, sign_at
from filewright.stack.processes import is_running
from filewright.stack.state import Stage, State, read_state


@dataclass(frozen=True)
class Row:
    """How one process is."""

    name: str
    role: str
    pid: int | None
    address: str | None
    healthy: bool
    stage: str
    restarts: int
    detail: str
    since: float = 0.0
    """When this stage began; seconds since the epoch."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What it tells of itself: slots and how many of them are busy, whether it leads, how long the queue is."""


@dataclass(frozen=True)
class Status:
    """How a stack is. `url` is None when it is down."""

    url: str | None
    supervisor_pid: int | None
    halted: str
    rows: tuple[Row, ...]
    secure_url: str | None = None
    certificate: Path | None = None
    """What a client has to trust for `secure_url`."""


def status_of(layout: Layout) -> Status:
    """Also when no supervisor lives, and where there is no stack."""
    plan = layout.plan() if layout.data.is_dir() else None
    if plan is None:
        return Status(None, None, "", ())
    state = read_state(layout)
    supervisor = state.supervisor
    alive = supervisor is not None and is_running(supervisor)
    services = [service for service in plan.services if not service.once]
    wells = asyncio.run(_ask_all(services))
    rows = [_row(service, state, well=well) for service, well in zip(services, wells, strict=True)]
    return Status(
        plan.url,
        supervisor.pid if supervisor and alive else None,
        state.halted,
        tuple(rows),
        plan.secure_url,
        layout.tls / "tls.crt" if plan.secure_url else None,
    )


async def _ask_all(services: Iterable[Service]) -> list[bool]:
    return list(await asyncio.gather(*(is_well(service.probe) for service in services)))


def _row(service: Service, state: State, *, well: bool) -> Row:
    known = state.processes.get(service.name)
    identity = known.identity if known else None
    alive = identity is not None and is_running(identity)
    sign = sign_at(service.probe) if alive else None
    return Row(
        service.name,
        service.role,
        identity.pid if identity and alive else None,
        service.address,
        alive and well and (known is None or known.stage is not Stage.STOPPING),
        str(known.stage) if known else "waiting",
        known.restarts if known else 0,
        (sign.why if sign and sign.why else known.detail) if known else "",
        known.since if known else 0.0,
        sign.facts if sign else {},
    )
