"""What is: the supervisor's account of every process, for commands to read and for the next supervisor to go on from.

Written whole at each change. It is a hint for people and a record for adoption: a process in it is believed to be ours
only if its number and its beginning still match.
"""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from filewright.stack.layout import VERSION, Layout, check_version, write_private
from filewright.stack.processes import Identity


class Stage(StrEnum):
    """Where a process is in its life."""

    WAITING = "waiting"
    """For what it needs."""
    STARTING = "starting"
    READY = "ready"
    UNWELL = "unwell"
    """It was ready and does not answer now."""
    BACKING_OFF = "backing off"
    """It died and will be started again."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"
    """It had one thing to do and did it."""


class ProcessState(BaseModel):
    """One process."""

    model_config = ConfigDict(frozen=True)

    stage: Stage
    pid: int | None = None
    began: int | None = None
    digest: str = ""
    """Of the service it was started as."""
    failures: int = 0
    """Deaths in a row, forgotten after a while of health."""
    restarts: int = 0
    """How often it was started again because it died."""
    detail: str = ""
    """What happened last, when it was not good."""
    since: float = 0.0
    """When this stage began; seconds since the epoch."""

    @property
    def identity(self) -> Identity | None:
        return Identity(self.pid, self.began) if self.pid is not None and self.began is not None else None


class State(BaseModel):
    """All of it."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    """Of the supervisor that wrote it."""
    boot: str = ""
    """Which start of the machine it is of: numbers and beginnings count from there."""
    supervisor_pid: int | None = None
    supervisor_began: int | None = None
    revision: int = 0
    """Of the plan that has been made true; 0: none yet."""
    front_knows: bool = False
    """Whether the front sends requests to exactly those who can take them."""
    halted: str = ""
    """Why a change was not carried through."""
    processes: dict[str, ProcessState] = {}

    @property
    def supervisor(self) -> Identity | None:
        if self.supervisor_pid is None or self.supervisor_began is None:
            return None
        return Identity(self.supervisor_pid, self.supervisor_began)


def read_state(layout: Layout) -> State:
    """The last account; empty when there is none, it is of no use, or the machine was started anew since.

    Raises StackProblem for one that a newer supervisor wrote.
    """
    try:
        text = layout.state_file.read_bytes()
        check_version(layout.state_file, text)
        state = State.model_validate_json(text)
    except (OSError, ValueError):
        return State()
    return state if state.boot == _boot() else State()


def write_state(layout: Layout, state: State) -> None:
    said = state.model_copy(update={"boot": _boot(), "version": VERSION})
    write_private(layout.state_file, said.model_dump_json())


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def now() -> float:
    """For people to read, never to decide by."""
    return time.time()
