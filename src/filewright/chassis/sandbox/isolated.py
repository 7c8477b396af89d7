"""Start a program inside bubblewrap, and know it from out here by the first process of its pid namespace."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox import bubblewrap, seccomp
from filewright.chassis.sandbox.cgroups import Cgroup, Cgroups
from filewright.chassis.sandbox.limits import kernel_limits, set_limits
from filewright.chassis.sandbox.port import Limits, SandboxLevel, SandboxUnavailable
from filewright.chassis.sandbox.processes import descendants, send_signal
from filewright.chassis.sandbox.starting import Launch, Pipes, policy
from filewright.chassis.sandbox.streams import readable as until_readable
from filewright.chassis.sandbox.supervision import Exit
from filewright.chassis.tasks import to_its_end

_GO = b"go\n"
_START_SECONDS = 20.0
_SIGNALLED = 128
_SIGNALS = frozenset(signal.Signals)
_PR_SET_CHILD_SUBREAPER = 36
_REAP_TRIES = 1000
Process = subprocess.Popen[bytes]  # noqa: TID251 - this is the sandbox
_CHILD_PID = re.compile(rb'"child-pid": (\d+)')


class IsolatedChild:
    """A `supervision.Child`: killing the namespace's first process kills all of them, daemons too."""

    memory_before = 0

    def __init__(self, process: Process, init: int, status_fd: int, cgroup: Cgroup | None) -> None:
        self._process = process
        self._init = init
        self._pidfd = os.pidfd_open(init)
        self._status_fd = status_fd
        self._status = b""
        self._cgroup = cgroup

    @property
    def root(self) -> int:
        return self._init

    def terminate(self) -> None:
        send_signal(self._init, signal.SIGTERM, spare=self._init)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def ended(self) -> None:
        # The kernel reaps the whole namespace before its first process counts as dead.
        await until_readable(self._pidfd)

    async def exit(self) -> Exit:
        status, usages = await reap(self._process), [await _reap_orphan(self._init)]
        usages.append(status[1])
        cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages if usage)
        rss = usages[0].ru_maxrss << 10 if usages[0] else 0
        with contextlib.suppress(BlockingIOError):
            self._status += os.read(self._status_fd, 4096)
        code = os.waitstatus_to_exitcode(status[0])
        if code < 0:
            return Exit(None, -code, cpu, rss)
        if code - _SIGNALLED in _SIGNALS:  # ffmpeg ends by itself with codes such as 183, which is no signal
            return Exit(None, code - _SIGNALLED, cpu, rss)
        return Exit(code, None, cpu, rss)

    @property
    def was_started(self) -> bool:
        """Bubblewrap tells an exit code only of a program that it could execute. After `exit` only."""
        return b'"exit-code"' in self._status

    def was_out_of_memory(self) -> bool:
        return self._cgroup is not None and self._cgroup.was_out_of_memory()

    def close(self) -> None:
        for fd in (self._pidfd, self._status_fd):
            os.close(fd)
        if self._cgroup is not None:
            self._cgroup.remove()


class Bubblewrap:
    """A `starting.Starter` of the strongest level."""

    level = SandboxLevel.ISOLATED

    def __init__(self, bwrap: Path, cgroups: Cgroups) -> None:
        self._bwrap = bwrap
        self._cgroups = cgroups
        _adopt_orphans()

    def work(self, writable: Path) -> str:
        return bubblewrap.WORK

    async def start(self, launch: Launch) -> tuple[IsolatedChild, Pipes]:
        process, pipes, status_fd, gate_fd = self._spawn(launch)
        starting = asyncio.ensure_future(self._let_go(process, status_fd, gate_fd, launch.limits))
        try:
            child = await asyncio.shield(starting)
            os.write(pipes.stdin, _GO)
        except BaseException:
            pipes.close()
            await to_its_end(self._take_back(starting, process, status_fd))
            raise
        finally:
            os.close(gate_fd)
        return child, pipes

    async def _take_back(self, starting: asyncio.Future[IsolatedChild], process: Process, status_fd: int) -> None:
        """End what was begun. Bubblewrap is let come as far as to name its child, which is what can be ended surely:
        of one that is only being made nobody knows yet, and it would wait for its parent for ever.
        """
        await asyncio.wait([starting])
        if starting.cancelled() or starting.exception() is not None:
            os.close(status_fd)
            await _abandon(process)
            return
        child = starting.result()
        child.kill()
        await child.ended()
        await child.exit()
        child.close()

    def _spawn(self, launch: Launch) -> tuple[Process, Pipes, int, int]:
        status_in, status_out = os.pipe()
        gate_in, gate_out = os.pipe()
        filter_in = _pipe_with(seccomp.program(policy(launch, own_namespace=True)))
        inherited = (status_out, gate_in, filter_in)
        line = bubblewrap.command_line(
            self._bwrap,
            launch.command(bubblewrap.WORK),
            binds=_binds(launch),
            readable=launch.readable,
            cwd=bubblewrap.WORK,
            status_fd=status_out,
            gate_fd=gate_in,
            seccomp_fd=filter_in,
        )
        try:
            process = spawn(line, launch.environment(bubblewrap.WORK), (*inherited, *launch.pass_fds))
        except OSError as error:
            os.close(status_in)
            os.close(gate_out)
            raise SandboxUnavailable(f"bubblewrap could not be started: {error}") from error
        finally:
            for fd in inherited:
                os.close(fd)
        return process, own_pipes(process), status_in, gate_out

    async def _let_go(self, process: Process, status_fd: int, gate_fd: int, limits: Limits | None) -> IsolatedChild:
        """Set the limits on the waiting child, then let it run."""
        async with asyncio.timeout(_START_SECONDS):
            line = await _first_line(status_fd)
        found = _CHILD_PID.search(line)
        if found is None:
            raise SandboxUnavailable("bubblewrap could not make its namespaces")
        init = int(found[1])
        cgroup = None
        if limits is not None:
            set_limits(init, kernel_limits(limits, processes=limits.processes))
            cgroup = await self._cgroups.create(init, limits)
        child = IsolatedChild(process, init, status_fd, cgroup)
        os.write(gate_fd, b"go")
        return child


def spawn(line: list[str], env: dict[str, str], pass_fds: tuple[int, ...]) -> Process:
    """Popen with three pipes. To be called on the loop's own thread: a child dies with the thread that started it."""
    return Process(
        line,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        pass_fds=pass_fds,
        bufsize=0,
    )


def own_pipes(process: Process) -> Pipes:
    """Take the pipes away from Popen, which would close them at its own time."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    streams = (process.stdin, process.stdout, process.stderr)
    pipes = Pipes(*(os.dup(stream.fileno()) for stream in streams))
    for stream in streams:
        stream.close()
    return pipes


async def reap(process: Process) -> tuple[int, Any]:
    """Wait status and use of a process that is ending; it was killed or its pidfd told so."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)  # noqa: ASYNC222 - does not hang
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return status, usage
        await asyncio.sleep(0.001)


async def _reap_orphan(orphan: int) -> Any:
    """The use of a dead process that was handed to us when bubblewrap ended; None when it went elsewhere."""
    for _ in range(_REAP_TRIES):
        try:
            pid, _, usage = os.wait4(orphan, os.WNOHANG)  # noqa: ASYNC222 - does not hang
        except ChildProcessError:
            return None
        if pid:
            return usage
        await asyncio.sleep(0.001)
    return None


async def _abandon(process: Process) -> None:
    """End bubblewrap half-way: held still first, so that it can not have another child behind our back."""
    os.kill(process.pid, signal.SIGSTOP)  # not Popen's way, which would reap it when it is dead already
    family = descendants(process.pid)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await reap(process)
    for pid in family[1:]:
        await _reap_orphan(pid)


def _adopt_orphans() -> None:
    """Become the parent of what loses its own below this process, so that its use can be known and no zombie stays."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, *map(ctypes.c_ulong, (1, 0, 0, 0)))


def _binds(launch: Launch) -> dict[str, str]:
    work = {bubblewrap.WORK: str(launch.writable)}
    if launch.shared:
        return work
    tmp = str(launch.writable / "tmp")
    return work | {"/tmp": tmp, "/dev/shm": tmp}  # noqa: S108 - inside, it is nobody else's


def _pipe_with(data: bytes) -> int:
    read_end, write_end = os.pipe()
    os.write(write_end, data)
    os.close(write_end)
    return read_end


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
