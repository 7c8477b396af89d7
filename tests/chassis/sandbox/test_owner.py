"""When the process that owns a sandbox is gone, by whatever end, so is everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.processes import descendants

OWNER = """
import asyncio, sys
from pathlib import Path
from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import LIMITS, call, python, sandbox_of

async def main():
    jobs = Path(sys.argv[1])
    sandbox = sandbox_of(SandboxLevel[sys.argv[2]], jobs)
    daemon = "import os, time; os.fork() or os.setsid() or os.fork(); time.sleep(500)"
    runs = [python(daemon), call("sleep", seconds=500)]
    async with asyncio.TaskGroup() as group:
        for program in runs:
            group.create_task(sandbox.run(program, workspace=Workspace.create(sandbox._jobs_dir).path, limits=LIMITS))

if sys.argv[3] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


def eventually(fact: Callable[[], bool]) -> bool:
    """Whether it becomes true within ten seconds."""
    deadline = time.monotonic() + 10
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_alive(pid: int) -> bool:
    """A zombie that only waits to be reaped does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def sleepers(owner: int) -> list[int]:
    """Processes below the owner that have slept in their programs: the command, its daemon, the call's child."""
    found = []
    for pid in descendants(owner)[1:]:
        try:
            if Path(f"/proc/{pid}/wchan").read_text() == "hrtimer_nanosleep":
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("level", ["ISOLATED", "CONFINED", "LIMITED"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_killing_the_owner_leaves_no_process(tmp_path: Path, level: str, loop: str) -> None:
    assert level in SandboxLevel.__members__
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path / "jobs"), level, loop])
    family: list[int] = []
    try:
        assert eventually(lambda: len(sleepers(owner.pid)) >= 3), "the programs never ran"
        family = descendants(owner.pid)[1:]
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert eventually(lambda: not any(map(is_alive, family)))
    finally:
        for pid in [owner.pid, *family]:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
