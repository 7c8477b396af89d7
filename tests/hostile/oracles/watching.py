"""What the machine looked like before and after: limits that were kept, processes, mounts and memory."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import Limits, Outcome, Program, Sandbox, SandboxLevel
from filewright.chassis.sandbox.processes import descendants

_WALL_SLACK = 5.0
_MEMORY_SLACK = 256 << 20
_WRITE_SLACK = 64 << 20


@dataclass
class Watched:
    """A sandbox that passes everything on, and keeps account of what each run was allowed and what it used."""

    inner: Sandbox
    runs: list[tuple[Limits, Outcome, int]] = field(default_factory=list)

    @property
    def level(self) -> SandboxLevel:
        return self.inner.level

    async def run(self, program: Program, *, workspace: Path, limits: Limits, **more: Any) -> Outcome:
        outcome = await self.inner.run(program, workspace=workspace, limits=limits, **more)
        self.runs.append((limits, outcome, size_of(workspace)))
        return outcome

    async def close(self) -> None:
        await self.inner.close()

    def exceeded(self) -> list[str]:
        """Runs that used more than they were given, since the last call."""
        runs, self.runs = self.runs, []
        complaints = []
        for limits, outcome, written in runs:
            used = outcome.usage
            if used.wall_seconds > limits.wall_seconds + _WALL_SLACK:
                complaints.append(f"ran {used.wall_seconds:.1f} s of {limits.wall_seconds:.1f}")
            if used.max_rss_bytes > limits.memory_bytes + _MEMORY_SLACK:
                complaints.append(f"took {used.max_rss_bytes:,} bytes of memory of {limits.memory_bytes:,}")
            if written > limits.write_bytes + _WRITE_SLACK:
                complaints.append(f"wrote {written:,} bytes of {limits.write_bytes:,}")
        return complaints


def size_of(folder: Path) -> int:
    """Blocks on the disk, so that holes do not count."""
    return sum(Path(top, name).lstat().st_blocks * 512 for top, _, names in os.walk(folder) for name in names)


def processes() -> set[int]:
    """What lives below this process, but for the warm parents, which are there to stay."""
    return {pid for pid in descendants(os.getpid())[1:] if not _is_ours(pid)}


async def left_since(before: set[int]) -> set[int]:
    """What is there that was not; a warm parent that is just being started says so a moment later."""
    for _ in range(40):
        if not (left := processes() - before):
            break
        await asyncio.sleep(0.05)
    return left


def _is_ours(pid: int) -> bool:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return b"warm_parent" in line or b"bwrap" in line or not line


def mounts() -> list[str]:
    """Of this machine, as this process sees them."""
    return sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())


def forget_peak() -> int:
    """Start to measure this process's peak anew; the memory it has now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> int:
    """The most memory that this process had since `forget_peak`."""
    return _status("VmHWM")


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) << 10
