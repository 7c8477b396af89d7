"""Read from /proc what a tree of processes uses, and signal it. Reads only; every process may vanish at any moment."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class TreeUse:
    """What all processes of a tree use together at one moment."""

    processes: int = 0
    """Threads are not counted."""
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    """Private and shared memory without file pages, which the kernel can drop."""
    written_bytes: int = 0
    """Bytes written to disk files, whether they still exist or not."""


def descendants(root: int) -> list[int]:
    """`root` and all below it, parents first."""
    found = [root]
    for pid in found:
        found.extend(_children(pid))
    return found


def measure(root: int, *, without: Collection[int] = ()) -> TreeUse:
    """The use of `root` and all below it but for the processes `without`; zeros when it is gone."""
    processes, cpu, memory, written = 0, 0.0, 0, 0
    for pid in descendants(root):
        if pid in without:
            continue
        try:
            line = Path(f"/proc/{pid}/stat").read_bytes()
            status = Path(f"/proc/{pid}/status").read_bytes()
        except OSError:
            continue
        fields = line[line.rindex(b")") + 2 :].split()
        processes += 1
        cpu += sum(int(ticks) for ticks in fields[11:15]) / _TICKS  # own and of children it has waited for
        memory += sum(_kilobytes(status, key) for key in (b"RssAnon:", b"RssShmem:"))
        written += _written(pid)
    return TreeUse(processes, cpu, memory, written)


def unlinked_bytes(root: int) -> int:
    """Bytes on disk of files that processes below `root` hold open and that no directory shows any more."""
    found: dict[tuple[int, int], int] = {}
    for pid in descendants(root):
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    facts = Path(entry.path).stat()
                    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                        found[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(found.values())


def send_signal(root: int, number: signal.Signals, *, spare: int | None = None) -> None:
    """Send to `root` and all below it, except `spare`."""
    for pid in descendants(root):
        if pid != spare:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.scandir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                children.extend(map(int, Path(task.path, "children").read_bytes().split()))
    return children


def _kilobytes(status: bytes, key: bytes) -> int:
    start = status.find(key)
    return int(status[start + len(key) :].split(maxsplit=1)[0]) << 10 if start >= 0 else 0


def _written(pid: int) -> int:
    try:
        counters = dict(line.split(b": ") for line in Path(f"/proc/{pid}/io").read_bytes().splitlines())
    except (OSError, ValueError):
        return 0
    return int(counters.get(b"write_bytes", 0))
