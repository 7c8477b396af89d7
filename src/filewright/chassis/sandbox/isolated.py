"""Start a program inside bubblewrap, and know it from out here by the first process of its pid namespace."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox import bubblewrap, seccomp
from filewright.chassis.sandbox.limits import kernel_limits, set_limits
from filewright.chassis.sandbox.port import Limits, SandboxUnavailable
from filewright.chassis.sandbox.processes import send_signal
from filewright.chassis.sandbox.streams import readable as until_readable
from filewright.chassis.sandbox.supervision import Exit

_START_SECONDS = 10.0
_SIGNALLED = 128
_PR_SET_CHILD_SUBREAPER = 36
_REAP_TRIES = 1000
GO = b"go\n"


class Pipes:
    """Our ends of the child's standard streams."""

    def __init__(self, stdin: int, stdout: int, stderr: int) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr


class IsolatedChild:
    """A `supervision.Child`: killing the namespace's first process kills all of them, daemons too."""

    memory_before = 0

    def __init__(self, process: subprocess.Popen[bytes], init: int, status_fd: int) -> None:
        self._process = process
        self._init = init
        self._pidfd = os.pidfd_open(init)
        self._status_fd = status_fd
        self._status = b""

    @property
    def root(self) -> int:
        return self._init

    def terminate(self) -> None:
        send_signal(self._init, signal.SIGTERM, spare=self._init)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def ended(self) -> None:
        await until_readable(self._pidfd)

    async def exit(self) -> Exit:
        """Raises SandboxUnavailable when the program was never started."""
        status, _ = await _wait(self._process)
        usage = await _reap(self._init)
        with contextlib.suppress(BlockingIOError):
            self._status += os.read(self._status_fd, 4096)
        cpu, rss = (usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10) if usage else (0.0, 0)
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return Exit(None, -code, cpu, rss)
        if code > _SIGNALLED:
            return Exit(None, code - _SIGNALLED, cpu, rss)
        return Exit(code, None, cpu, rss)

    @property
    def was_started(self) -> bool:
        """Bubblewrap tells an exit code only of a program that it could execute. After `exit` only."""
        return b'"exit-code"' in self._status

    def was_out_of_memory(self) -> bool:
        return False

    def close(self) -> None:
        for fd in (self._pidfd, self._status_fd):
            os.close(fd)


async def start(
    bwrap: Path,
    argv: Iterable[str],
    *,
    env: Mapping[str, str],
    binds: Mapping[str, str],
    readable: Iterable[Path] = (),
    cwd: str = bubblewrap.WORK,
    limits: Limits | None,
    policy: seccomp.Policy,
    pass_fds: tuple[int, ...] = (),
) -> tuple[IsolatedChild, Pipes]:
    """Start it; it begins to run only once its limits are set. Raises SandboxUnavailable."""
    status_in, status_out = os.pipe()
    gate_in, gate_out = os.pipe()
    filter_in, filter_out = os.pipe()
    os.write(filter_out, seccomp.program(policy))
    os.close(filter_out)
    inherited = (status_out, gate_in, filter_in)
    line = bubblewrap.command_line(
        bwrap,
        argv,
        binds=binds,
        readable=readable,
        cwd=cwd,
        status_fd=status_out,
        gate_fd=gate_in,
        seccomp_fd=filter_in,
    )
    try:
        # On the loop's own thread: the child dies with the thread that started it.
        process = subprocess.Popen(  # noqa: ASYNC220, TID251 - this is the sandbox
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            pass_fds=(*inherited, *pass_fds),
            bufsize=0,
        )
    except OSError as error:
        for fd in (status_in, gate_out):
            os.close(fd)
        raise SandboxUnavailable(f"bubblewrap could not be started: {error}") from error
    finally:
        for fd in inherited:
            os.close(fd)
    pipes = _own(process)
    try:
        child = await _let_go(process, status_in, gate_out, limits)
        os.write(pipes.stdin, GO)
    except BaseException:
        # Whatever of it was made already finds its stdin closed and ends.
        process.kill()
        for fd in (status_in, pipes.stdin, pipes.stdout, pipes.stderr):
            os.close(fd)
        await _wait(process)
        raise
    finally:
        os.close(gate_out)
    return child, pipes


async def _let_go(
    process: subprocess.Popen[bytes], status_fd: int, gate_fd: int, limits: Limits | None
) -> IsolatedChild:
    """Set the limits on the waiting child, then let it run."""
    async with asyncio.timeout(_START_SECONDS):
        init = _child_pid(await _first_line(status_fd))
    child = IsolatedChild(process, init, status_fd)
    if limits is not None:
        set_limits(init, kernel_limits(limits, processes=limits.processes))
    os.write(gate_fd, b"go")
    return child


async def _first_line(status_fd: int) -> bytes:
    """Bubblewrap writes it piece by piece."""
    os.set_blocking(status_fd, False)
    line = b""
    while not line.endswith(b"\n"):
        await until_readable(status_fd)
        piece = os.read(status_fd, 4096)
        if not piece:
            break
        line += piece
    return line


def _child_pid(status: bytes) -> int:
    try:
        return int(json.loads(status.splitlines()[0])["child-pid"])
    except (ValueError, KeyError, IndexError) as error:
        raise SandboxUnavailable("bubblewrap could not make its namespaces") from error


def _own(process: subprocess.Popen[bytes]) -> Pipes:
    """Take the pipes away from Popen, which would close them at its own time."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    fds = [os.dup(stream.fileno()) for stream in (process.stdin, process.stdout, process.stderr)]
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    return Pipes(*fds)


def adopt_orphans() -> None:
    """Become the parent of what loses its own below this process, so that its use can be known and no zombie stays."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, *map(ctypes.c_ulong, (1, 0, 0, 0)))


async def _reap(orphan: int) -> Any:
    """The use of a dead process that was handed to us when bubblewrap ended; None when it went elsewhere."""
    for _ in range(_REAP_TRIES):
        try:
            pid, _, usage = os.wait4(orphan, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid:
            return usage
        await asyncio.sleep(0.001)
    return None


async def _wait(process: subprocess.Popen[bytes]) -> tuple[int, Any]:
    """Reap bubblewrap itself, which ends right after its child."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return status, usage
        await asyncio.sleep(0.001)
