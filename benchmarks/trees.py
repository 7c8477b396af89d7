"""What processes and all that they started take: processor time, and memory that is truly theirs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1 << 20
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, OSError)


@dataclass(frozen=True)
class Memory:
    """Proportional set size: a page that several processes share counts once, divided among them."""

    root: int
    children: int
    processes: int

    @property
    def all(self) -> int:
        return self.root + self.children


def tree(pid: int) -> list[psutil.Process]:
    """The process and all below it; what ends meanwhile may be missing."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the trees; ended processes are in that of those that waited for them."""
    total = 0.0
    for pid in pids:
        for process in tree(pid):
            with suppress(*_GONE):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def memory(pids: Iterable[int]) -> Memory:
    """Of the trees, now."""
    root = children = processes = 0
    for pid in pids:
        for process in tree(pid):
            size = _proportional(process.pid)
            processes += 1
            if process.pid == pid:
                root += size
            else:
                children += size
    return Memory(root, children, processes)


def end_well() -> None:
    """When this process is told to end, leave by the usual way out, on which everything that was started is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def open_files(pid: int) -> int:
    """Descriptors of that one process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def kill(pid: int) -> None:
    """Kill the tree, and leave it to whoever started it to wait for it."""
    for process in tree(pid):
        with suppress(*_GONE):
            process.kill()


def end(pid: int) -> None:
    """End the tree: those below, which a killed parent would leave behind, at the same time."""
    processes = tree(pid)
    for process in processes:
        with suppress(*_GONE):
            process.terminate()
    for process in psutil.wait_procs(processes, timeout=5)[1]:
        with suppress(*_GONE):
            process.kill()


def _proportional(pid: int) -> int:
    with suppress(*_GONE):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0
