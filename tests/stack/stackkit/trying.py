"""A stack under test: the product's place is taken by `program.py`, everything else is as it is."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filewright.stack.layout import Layout
from filewright.stack.operations import Stack
from filewright.stack.processes import identify
from filewright.stack.roles import Role
from filewright.stack.state import read_state
from filewright.stack.status import Row

PROGRAM = (sys.executable, str(Path(__file__).with_name("program.py")))
ROLES = {
    "migrate": Role(
        ("migrate",),
        default=1,
        command=PROGRAM,
        once=True,
        settings={"DATABASE_URL": "{direct_database_url}"},
    ),
    "api": Role(
        ("api", "{port}"), default=2, command=PROGRAM, ready_path="/readyz", after=("migrate",), grace_seconds=15
    ),
    "worker": Role(("worker",), default=1, command=PROGRAM, settings={"SLOTS": "{slots}"}, after=("migrate",)),
    "beat": Role(("worker",), default=0, command=PROGRAM, settings={"SLOTS": "0"}, after=("migrate",)),
}


@dataclass(frozen=True)
class Tried:
    """A stack and what a test wants to know of it."""

    stack: Stack

    @property
    def data(self) -> Path:
        return self.stack.data

    @property
    def url(self) -> str:
        url = self.stack.status().url
        assert url is not None
        return url

    @property
    def settings(self) -> dict[str, str]:
        lines = Layout(self.data).settings_file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def row(self, name: str) -> Row:
        return next(row for row in self.stack.status().rows if row.name == name)

    def rows(self, role: str) -> list[Row]:
        return [row for row in self.stack.status().rows if row.role == role]

    def pid(self, name: str) -> int:
        pid = self.row(name).pid
        assert pid is not None
        return pid

    def kill_supervisor(self) -> None:
        supervisor = read_state(Layout(self.data)).supervisor
        assert supervisor is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        eventually(lambda: identify(supervisor.pid) != supervisor)

    def family(self) -> set[int]:
        """The supervisor, every process it keeps, and all in their sessions."""
        state = read_state(Layout(self.data))
        leaders = {known.pid for known in state.processes.values() if known.pid} | {state.supervisor_pid}
        return {pid for pid in _everybody() if _session(pid) in leaders}


def _everybody() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def eventually(is_true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    return identify(pid) is not None


def _session(pid: int) -> int | None:
    with suppress(OSError):
        return os.getsid(pid)
    return None
