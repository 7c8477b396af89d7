"""Whether all processes together ask for more connections than there are: a sum, done when a process starts.

    direct    processes x pool  <=  max_connections - what PostgreSQL keeps for its owner - SPARE
    pooled    processes x pool  <=  the pooler's clients, and its servers fit into PostgreSQL as above

A process cannot see how many others there will be, nor ask a pooler in its own language, so an operator says both;
what PostgreSQL allows, and whether a pooler is in between, is asked. Too large a sum works for months and fails in the
hour of the highest load, so it is refused on the first day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPARE = 3
"""Connections left for a migration, an operator's psql and a monitor."""


class PoolsTooLarge(Exception):
    """The sum does not fit. The message has the sum, what is allowed, and what to change."""


@dataclass(frozen=True)
class Fleet:
    """The most processes of each role that will ever run at once, and how many connections each of them may open."""

    processes: Mapping[str, int]
    pool_size: int

    @property
    def connections(self) -> int:
        """What all of them open at the worst moment."""
        return sum(self.processes.values()) * self.pool_size


@dataclass(frozen=True)
class Server:
    """What PostgreSQL says of itself."""

    max_connections: int
    kept: int
    """For its superuser alone."""
    pooled: bool
    """Whether something stands between it and this process."""

    @property
    def allowed(self) -> int:
        """Connections that are for the program."""
        return max(0, self.max_connections - self.kept - SPARE)


@dataclass(frozen=True)
class Pooler:
    """What PgBouncer is configured with: `max_client_conn`, and `default_pool_size` + `reserve_pool_size`."""

    clients: int
    servers: int


@dataclass(frozen=True)
class Budget:
    """A sum that was checked, for the health page."""

    wanted: int
    allowed: int | None
    """None: a pooler decides, and nobody said what it allows."""
    pooled: bool

    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return {"connections": self.wanted, "allowed": self.allowed, "pooled": self.pooled}


def check(fleet: Fleet, server: Server, pooler: Pooler | None = None) -> Budget:
    """The sum. Raises PoolsTooLarge. A pooler that was described and is not there does not count."""
    if not server.pooled:
        if fleet.connections > server.allowed:
            raise PoolsTooLarge(_too_many_direct(fleet, server))
        return Budget(fleet.connections, server.allowed, pooled=False)
    if pooler is None:
        return Budget(fleet.connections, None, pooled=True)
    if pooler.servers > server.allowed:
        raise PoolsTooLarge(
            f"the pooler may open {pooler.servers} connections to PostgreSQL, which has {server.allowed} for it "
            f"({_allowance(server)}); lower its default_pool_size and reserve_pool_size, or raise max_connections to "
            f"{pooler.servers + server.kept + SPARE}"
        )
    if fleet.connections > pooler.clients:
        raise PoolsTooLarge(
            f"{_sum(fleet)}, and the pooler takes {pooler.clients} clients; {_smaller(fleet, pooler.clients)}, or "
            f"raise its max_client_conn to {fleet.connections}"
        )
    return Budget(fleet.connections, pooler.clients, pooled=True)


def _too_many_direct(fleet: Fleet, server: Server) -> str:
    return (
        f"{_sum(fleet)}, and PostgreSQL has {server.allowed} for them ({_allowance(server)}); "
        f"{_smaller(fleet, server.allowed)}, raise max_connections to {fleet.connections + server.kept + SPARE}, or "
        "put PgBouncer in between"
    )


def _sum(fleet: Fleet) -> str:
    parts = " + ".join(f"{role} {number}" for role, number in fleet.processes.items())
    return f"the processes ({parts}) with {fleet.pool_size} connections each may open {fleet.connections}"


def _allowance(server: Server) -> str:
    return f"max_connections {server.max_connections}, less {server.kept} for its superuser and {SPARE} to spare"


def _smaller(fleet: Fleet, allowed: int) -> str:
    fitting = allowed // max(1, sum(fleet.processes.values()))
    return f"set the pool size to {fitting}" if fitting else "run fewer processes"
