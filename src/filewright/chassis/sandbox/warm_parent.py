"""A process that has done its imports, and forks one child per call. Lives in the sandbox; serves one owner.

Started as `python -I -m ...warm_parent <fd> <directory> <module>...`. Another `main` than the one here is told more in
place of the modules, may use the directory (empty when it has none) and ends in `serve`.
Over the socket at `fd` it says

    {"ready": true, "threads": [...]}    once, after the imports and rehearsals (a module's `rehearse()`, if it has
                                         one); a fork is safe only from a single thread
    {"pid": 7, "status": 0, "cpu": 0.01, "rss": 1234}      when a child has ended

and gets, per call, three descriptors: the child's socket, stdout and stderr. It runs no call itself and has nothing
that a child could make use of; it ends when its owner does.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from filewright.chassis.sandbox import headroom, inside

_PR_SET_PDEATHSIG = 1
_HANDED_OVER = 3
_OF_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGXCPU)
"""A library that was loaded may have handlers of its own for these, which would try to save something first."""


def main() -> NoReturn:
    """Import, then serve until the owner hangs up."""
    control = socket.socket(fileno=int(sys.argv[1]))
    serve(control, failed=_import(sys.argv[3:]))


def serve(control: socket.socket, *, failed: str = "") -> NoReturn:
    """Say whether all went well or what `failed`, then fork children until the owner hangs up."""
    _tell(control, ready=not failed, failed=failed, threads=other_threads())
    inside.prepare()
    gc.collect()  # what it lets go of would be holes
    gc.freeze()
    headroom.leave_room()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    while True:
        watched: list[Any] = [control, wake_read]
        ready, _, _ = select.select(watched, [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _tell_of_the_dead(control)
        if control in ready and not _take_call(control, (wake_read, wake_write)):
            os._exit(0)


def _import(modules: list[str]) -> str:
    rehearsals: list[Callable[[], None]] = []
    for name in modules:
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a library may raise anything on import
            return f"{name}: {type(error).__name__}: {error}"
        if hasattr(module, "rehearse"):
            rehearsals.append(module.rehearse)
    for rehearse in rehearsals:
        with contextlib.suppress(Exception):  # then each child does it for itself
            rehearse()
    return ""


def other_threads() -> list[str]:
    """Names of the threads of this process beside its first."""
    own = str(os.getpid())
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != own]
    return [(task / "comm").read_text().strip() for task in tasks]


def _take_call(control: socket.socket, private: tuple[int, ...]) -> bool:
    """Fork a child for the next call; False when the owner is gone."""
    message, fds, _, _ = socket.recv_fds(control, 16, _HANDED_OVER)
    if not message:
        return False
    parent = os.getpid()
    if os.fork() == 0:
        _become_child(parent, fds, (control.fileno(), *private))
    for fd in fds:
        os.close(fd)
    return True


def _become_child(parent: int, fds: list[int], private: tuple[int, ...]) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, *_OF_CRASHES):
            signal.signal(number, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, *map(ctypes.c_ulong, (signal.SIGKILL, 0, 0, 0)))
        if os.getppid() != parent:
            os._exit(1)
        os.setsid()
        talk, stdout, stderr = fds
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for fd in (stdout, stderr, *private):
            os.close(fd)
        inside.serve(socket.socket(fileno=talk))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - a forked child must never return into the parent's loop
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _tell_of_the_dead(control: socket.socket) -> None:
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(control, pid=pid, status=status, cpu=usage.ru_utime + usage.ru_stime, rss=usage.ru_maxrss << 10)


def _tell(control: socket.socket, **facts: Any) -> None:
    try:
        control.sendall(json.dumps(facts).encode() + b"\n")
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
