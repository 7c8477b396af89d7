"""The limits that the kernel keeps by itself, for one process at a time.

They are the net below the watchdog, which sees the whole tree of processes: wider than what was asked for, so that it
is usually the watchdog that ends a run and can name the reason.
"""

from __future__ import annotations

import resource

from filewright.chassis.sandbox.port import Limits

_MEMORY_HEADROOM = 4 << 30
"""Address space is not memory: runtimes reserve gigabytes that they never touch."""
_CPU_GRACE_SECONDS = 1


def kernel_limits(limits: Limits, *, processes: int | None = None) -> dict[int, int]:
    """`resource.RLIMIT_*` to its value. `processes` bounds how many the user may have; None leaves that alone."""
    chosen = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: int(limits.cpu_seconds) + _CPU_GRACE_SECONDS,
        resource.RLIMIT_FSIZE: limits.write_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_AS: 2 * limits.memory_bytes + _MEMORY_HEADROOM,
        resource.RLIMIT_MEMLOCK: 64 << 10,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if processes is not None:
        chosen[resource.RLIMIT_NPROC] = processes
    return chosen


def set_limits(pid: int, chosen: dict[int, int]) -> None:
    """Put them on a process; never above the hard limits it has already."""
    for which, wanted in chosen.items():
        _, hard = resource.prlimit(pid, which)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.prlimit(pid, which, (value, value))
