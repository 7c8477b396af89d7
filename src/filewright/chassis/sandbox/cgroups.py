"""Bound memory and processes of a run by a control group of its own, where this process may make one.

A help, not a condition: as an ordinary user without delegation there is none, and the watchdog does the same work a
little later. Versions 1 and 2 are both in use.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

from filewright.chassis.sandbox.port import Limits

_ROOT = Path("/sys/fs/cgroup")
_GROUP = "filewright"
_numbers = itertools.count()


@dataclass(frozen=True)
class Cgroup:
    """The group of one run: one directory, or one per controller in version 1."""

    directories: tuple[Path, ...]

    def was_out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the group because the group was over its memory."""
        for directory in self.directories:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError, ValueError):
                    facts = dict(line.split() for line in (directory / name).read_text().splitlines())
                    if int(facts.get("oom_kill", 0)) > 0:
                        return True
        return False

    def remove(self) -> bool:
        """After the end; False when something is still in it."""
        for directory in self.directories:
            with contextlib.suppress(FileNotFoundError):
                try:
                    directory.rmdir()
                except OSError:
                    return False
        return True


class Cgroups:
    """Makes groups below this process's own, or none at all."""

    def __init__(self) -> None:
        self._parents = _version_2() or _version_1()
        self._left: list[Cgroup] = []
        self._sweep()

    @property
    def available(self) -> bool:
        return bool(self._parents)

    async def create(self, pid: int, limits: Limits) -> Cgroup | None:
        """A group for `pid` and all it starts from now on; None when that can not be had."""
        if not self.available:
            return None
        # In a thread: the kernel can take its time to move a process.
        making = asyncio.ensure_future(asyncio.to_thread(self._create, pid, limits))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._leave)
            raise

    def _leave(self, making: asyncio.Future[Cgroup | None]) -> None:
        """Nobody waited for it: it is removed before the next one is made."""
        group = making.result()
        if group is not None:
            self._left.append(group)

    def _create(self, pid: int, limits: Limits) -> Cgroup | None:
        self._left = [group for group in self._left if not group.remove()]
        name = f"{os.getpid()}-{next(_numbers)}"
        directories = tuple(parent / name for parent in self._parents)
        group = Cgroup(directories)
        try:
            for directory in directories:
                directory.mkdir()
                _set(directory, limits)
                (directory / "cgroup.procs").write_text(str(pid))
        except OSError:
            group.remove()
            return None
        return group

    def _sweep(self) -> None:
        """Remove the groups of processes that are gone."""
        for parent in self._parents:
            for directory in parent.iterdir():
                owner = directory.name.partition("-")[0]
                if directory.is_dir() and owner.isdigit() and not Path("/proc", owner).exists():
                    Cgroup((directory,)).remove()


def _set(directory: Path, limits: Limits) -> None:
    values = {
        "memory.max": limits.memory_bytes,
        "memory.swap.max": 0,
        "memory.oom.group": 1,
        "memory.limit_in_bytes": limits.memory_bytes,
        "pids.max": limits.processes + 8,  # and what bubblewrap itself needs
    }
    for name, value in values.items():
        if (directory / name).exists():
            (directory / name).write_text(str(value))


def _version_1() -> tuple[Path, ...]:
    parents = []
    for controllers, path in _memberships():
        for controller in {"memory", "pids"} & set(controllers):
            parent = _ROOT / controller / path.lstrip("/") / _GROUP
            try:
                parent.mkdir(exist_ok=True)
            except OSError:
                return ()
            if not os.access(parent, os.W_OK):
                return ()
            parents.append(parent)
    return tuple(parents) if len(parents) == 2 else ()


def _version_2() -> tuple[Path, ...]:
    """Our own group when the controllers may be handed down in it, which needs a delegated or a container's root."""
    for controllers, path in _memberships():
        own = _ROOT / path.lstrip("/")
        if controllers or not (_ROOT / "cgroup.controllers").exists():
            continue
        with contextlib.suppress(OSError):
            (own / "cgroup.subtree_control").write_text("+memory +pids")
            parent = own / _GROUP
            parent.mkdir(exist_ok=True)
            (parent / "cgroup.subtree_control").write_text("+memory +pids")
            return (parent,)
    return ()


def _memberships() -> list[tuple[list[str], str]]:
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        return [(names.split(",") if names else [], path) for _, names, path in (line.split(":", 2) for line in lines)]
    return []
