"""Who lives below a process, and who is left when it was killed: asked of the kernel, never guessed by name."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from filewright.chassis.sandbox.processes import descendants

_PR_SET_CHILD_SUBREAPER = 36


class Subreaper:
    """While it lasts, orphans of our children become children of ours instead of the machine's first process."""

    def __enter__(self) -> Self:
        self._prctl(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._prctl(0)

    def adopted(self, but: set[int]) -> list[int]:
        """Children of this process that it did not start itself. Dead ones are buried and not counted."""
        alive = []
        for pid in children(os.getpid()):
            if pid not in but and not _bury(pid):
                alive.append(pid)
        return alive

    def wait_until_gone(self, pids: set[int], but: set[int], seconds: float) -> list[int]:
        """Wait for the end of these and of all that were adopted; who is still there after that time."""
        deadline = time.monotonic() + seconds
        while True:
            left = sorted({*self.adopted(but), *(pid for pid in pids if not _bury(pid) and is_alive(pid))})
            if not left or time.monotonic() > deadline:
                return left
            wait_for_exit(left[0], deadline - time.monotonic())

    @staticmethod
    def _prctl(value: int) -> None:
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


def children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found.extend(map(int, (task / "children").read_text().split()))
    return found


def is_alive(pid: int) -> bool:
    """Whether it runs; a dead one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def wait_for_exit(pid: int, seconds: float) -> bool:
    """Whether the process ended within that time. Does not bury it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], max(0.0, seconds))[0])
    finally:
        os.close(descriptor)


def running_program(root: int, name: str) -> int | None:
    """The process below `root` whose program has that name."""
    for pid in descendants(root)[1:]:
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                return pid
    return None


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _bury(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return not Path(f"/proc/{pid}").exists()
