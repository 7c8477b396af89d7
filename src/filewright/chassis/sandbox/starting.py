"""What it takes to start a program, whichever way: bubblewrap (`isolated`), or a launcher of ours (`confined`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from filewright.chassis.sandbox import seccomp, system
from filewright.chassis.sandbox.port import Common, Limits, SandboxLevel
from filewright.chassis.sandbox.supervision import Child


@dataclass(frozen=True)
class Launch:
    """A program to start. `{work}` in `argv` and `env` becomes the path of `writable` as the program sees it."""

    argv: tuple[str, ...]
    writable: Path
    """The one directory it may write to, and its working directory. Has a `tmp` in it, unless `shared`."""
    env: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    limits: Limits | None = None
    """None: for a warm parent, which is ours and lives long."""
    sockets: str = "unix"
    makes_sockets: bool = False
    """It has to be able to make Unix sockets in the system's /tmp."""
    shared: bool = False
    """`writable` is the directory of all jobs: for a warm parent only."""
    pass_fds: tuple[int, ...] = ()

    def environment(self, work: str) -> dict[str, str]:
        """All of the program's environment."""
        tmp = work if self.shared else f"{work}/tmp"  # noqa: S108 - a workspace's own
        base = {"PATH": system.search_path(), "HOME": tmp, "TMPDIR": tmp, "LANG": "C.UTF-8", "TZ": "UTC"}
        return base | {name: value.replace("{work}", work) for name, value in self.env.items()}

    def command(self, work: str) -> list[str]:
        return [part.replace("{work}", work) for part in self.argv]


@dataclass
class Pipes:
    """Our ends of a child's standard streams. Whoever holds this closes them."""

    stdin: int
    stdout: int
    stderr: int

    def close(self) -> None:
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd >= 0:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = -1


class StartedChild(Child, Protocol):
    """A child that is a program of its own."""

    @property
    def was_started(self) -> bool:
        """Whether the program itself ever ran. After `exit` only."""
        ...

    def close(self) -> None:
        """Let go of what is held for it; after the end."""
        ...


class Starter(Protocol):
    """One way of starting programs."""

    level: SandboxLevel

    def work(self, writable: Path) -> str:
        """Where a program sees the directory that it may write to."""
        ...

    async def start(self, launch: Launch) -> tuple[StartedChild, Pipes]:
        """Start it under its limits. Raises SandboxUnavailable."""
        ...


class Sharing:
    """A `Starter` that gives each program what is common to all."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self.common = Common()
        self.level = starter.level

    def work(self, writable: Path) -> str:
        return self._starter.work(writable)

    async def start(self, launch: Launch) -> tuple[StartedChild, Pipes]:
        readable, env = (*launch.readable, *self.common.readable), {**self.common.env, **launch.env}
        return await self._starter.start(replace(launch, readable=readable, env=env))


def policy(launch: Launch, *, own_namespace: bool) -> seccomp.Policy:
    """The system call filter that fits: where others are in sight, it may neither call nor signal them."""
    if own_namespace:
        return seccomp.Policy(sockets=launch.sockets)
    # A warm parent is ours; its children get a filter of their own, with their own number in it.
    signals = "any" if launch.shared else "self"
    return seccomp.Policy(sockets="listen" if launch.sockets == "unix" else "none", signals=signals)
