"""Start a program by our own launcher: shut in by Landlock and a system call filter, or by limits alone."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox import system
from filewright.chassis.sandbox.cgroups import Cgroup, Cgroups
from filewright.chassis.sandbox.isolated import Process, own_pipes, reap, spawn
from filewright.chassis.sandbox.limits import kernel_limits
from filewright.chassis.sandbox.port import SandboxLevel, SandboxUnavailable
from filewright.chassis.sandbox.processes import send_signal
from filewright.chassis.sandbox.starting import Launch, Pipes, policy
from filewright.chassis.sandbox.streams import readable as until_readable
from filewright.chassis.sandbox.supervision import Exit

SYSTEM_TMP = "/tmp"  # noqa: S108 - what programs that insist on it mean


class ConfinedChild:
    """A `supervision.Child`: the launcher is the root, and ends only when everything below it has."""

    memory_before = 0

    def __init__(self, process: Process, status_fd: int, cgroup: Cgroup | None) -> None:
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        self._status_fd = status_fd
        self._facts: dict[str, Any] = {}
        self._cgroup = cgroup

    @property
    def root(self) -> int:
        return self._process.pid

    def terminate(self) -> None:
        send_signal(self.root, signal.SIGTERM, spare=self.root)

    def kill(self) -> None:
        """The launcher is asked, and kills until nobody is left."""
        send_signal(self.root, signal.SIGKILL, spare=self.root)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)

    async def ended(self) -> None:
        await until_readable(self._pidfd)

    async def exit(self) -> Exit:
        launcher, usage = await reap(self._process)
        for line in _read_all(self._status_fd).splitlines():
            self._facts |= json.loads(line)
        cpu, rss = usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10
        code = os.waitstatus_to_exitcode(self._facts.get("status", launcher))
        return Exit(code, None, cpu, rss) if code >= 0 else Exit(None, -code, cpu, rss)

    @property
    def was_started(self) -> bool:
        return "error" not in self._facts and "status" in self._facts

    def was_out_of_memory(self) -> bool:
        return self._cgroup is not None and self._cgroup.was_out_of_memory()

    def close(self) -> None:
        for fd in (self._pidfd, self._status_fd):
            os.close(fd)
        if self._cgroup is not None:
            self._cgroup.remove()


class Launcher:
    """A `starting.Starter` of the two lower levels."""

    def __init__(self, level: SandboxLevel, cgroups: Cgroups) -> None:
        self.level = level
        self._cgroups = cgroups

    def work(self, writable: Path) -> str:
        return str(writable)

    async def start(self, launch: Launch) -> tuple[ConfinedChild, Pipes]:
        order_in, order_out = os.pipe()
        status_in, status_out = os.pipe()
        os.set_blocking(status_in, False)
        line = [*system.python_argv("filewright.chassis.sandbox.launcher", str(order_in), bare=True)]
        try:
            process = spawn(line, {}, (order_in, status_out, *launch.pass_fds))
        except OSError as error:
            os.close(order_out)
            os.close(status_in)
            raise SandboxUnavailable(f"the launcher could not be started: {error}") from error
        finally:
            os.close(order_in)
            os.close(status_out)
        pipes = own_pipes(process)
        try:
            cgroup = None
            if launch.limits is not None:
                cgroup = await self._cgroups.create(process.pid, launch.limits)
            child = ConfinedChild(process, status_in, cgroup)
            # The launcher begins when it has its orders whole; by then its group is in place.
            await asyncio.to_thread(_write_and_close, order_out, json.dumps(self._order(launch, status_out)).encode())
        except BaseException:
            process.terminate()  # without orders it just dies; with them it clears up first
            pipes.close()
            os.close(status_in)
            await reap(process)
            raise
        return child, pipes

    def _order(self, launch: Launch, status_fd: int) -> dict[str, Any]:
        work = self.work(launch.writable)
        confined = self.level >= SandboxLevel.CONFINED
        limits = kernel_limits(launch.limits) if launch.limits is not None else {}
        return {
            "argv": launch.command(work),
            "env": launch.environment(work),
            "cwd": work,
            "owner": os.getpid(),
            "limits": list(limits.items()),
            "landlock": confinement(work, _readable(launch), sockets=launch.makes_sockets) if confined else None,
            "seccomp": dataclasses.asdict(policy(launch, own_namespace=False)) if confined else None,
            "status_fd": status_fd,
        }


def _readable(launch: Launch) -> tuple[Path, ...]:
    """A warm parent keeps all of /proc, or its children could not be left their own part of it."""
    return (*launch.readable, Path("/proc")) if launch.shared else launch.readable


def confinement(work: str, readable: tuple[Path, ...] = (), *, sockets: bool = False) -> dict[str, list[str]]:
    """What Landlock leaves to a program that works in `work`."""
    return {
        "readable": [*system.readable_paths(), *map(str, readable)],
        "writable": [work, *system.DEVICES],
        "sockets": [SYSTEM_TMP] if sockets else [],
    }


def remove_sockets(names: str) -> None:
    """Remove the sockets of these names from the system's /tmp, but for those that a process still has open."""
    alive = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")
    for path in Path(SYSTEM_TMP).glob(names):
        if path.is_socket() and str(path) not in alive:
            path.unlink(missing_ok=True)


def _write_and_close(fd: int, data: bytes) -> None:
    with os.fdopen(fd, "wb") as pipe, contextlib.suppress(BrokenPipeError):
        pipe.write(data)


def _read_all(fd: int) -> bytes:
    data = b""
    with contextlib.suppress(BlockingIOError):
        while piece := os.read(fd, 4096):
            data += piece
    return data
