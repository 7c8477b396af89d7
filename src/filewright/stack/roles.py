"""How each role of the product is started: the one table between the stack and the program that it runs.

`{port}`, `{name}`, `{slots}` and `{direct_database_url}` are filled in for each process. Settings that all roles share
are in the file that `FILEWRIGHT_CONFIG` names (`templates/filewright.env`); what stands here is what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SHARED = ("pgbouncer", "redis-broker", "redis-cache", "s3")
"""What every role needs before it starts."""


@dataclass(frozen=True)
class Role:
    """One role of the product."""

    arguments: tuple[str, ...]
    """Of `python -m filewright`; see `command` for another program."""
    default: int
    """How many there are when nobody says."""
    most: int = 64
    command: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of this role alone, without the prefix."""
    ready_path: str | None = None
    """What it answers with 200 when it is ready; None: it listens nowhere."""
    beats: bool = False
    """It says how it is in a file of its directory; without that and a path, being there is enough."""
    once: bool = False
    after: tuple[str, ...] = ()
    grace_seconds: float = 30.0
    start_seconds: float = 120.0


ROLES: Mapping[str, Role] = {
    "migrate": Role(
        ("migrate",),
        default=1,
        once=True,
        # Through PgBouncer a lock of a session would be held by whoever has the connection next.
        settings={"DATABASE_URL": "{direct_database_url}"},
    ),
    "api": Role(
        # Nothing is on its way to it any more when it is told to end, so it need not linger.
        ("api", "--host", "127.0.0.1", "--port", "{port}", "--linger", "0"),
        default=2,
        ready_path="/readyz",
        after=("migrate",),
        grace_seconds=45,
    ),
    "worker": Role(
        ("worker",), default=1, settings={"SLOTS": "{slots}"}, beats=True, after=("migrate",), grace_seconds=90
    ),
    "beat": Role(("beat",), default=1, most=4, beats=True, after=("migrate",)),
}

COUNTED = ("api", "worker", "beat")
"""What `up` and `scale` take a number for, in the order in which `restart` goes through them."""
EDGE_ROLE = "api"
"""The role that the front spreads requests over."""
