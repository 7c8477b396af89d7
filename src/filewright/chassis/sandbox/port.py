"""Run a program that nobody trusts, and say honestly how it ended.

A `Sandbox` runs a `Command` (an executable) or a `PythonCall` (a function of ours that drives a library) in a fresh
child of its own: no network, an empty environment, one private directory, limits on time, memory, processes and
output. It knows nothing of what the program is for. What comes back is an `Outcome`; nothing in it may be believed
beyond its type, because a hostile program chose the bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, Protocol


class SandboxLevel(IntEnum):
    """How strong the boundary is. A higher level includes the lower ones."""

    LIMITED = 1
    """Own process group, empty environment, rlimits. Only for programs that are trusted."""
    CONFINED = 2
    """And Landlock and seccomp: no network, no files outside the workspace and the read-only system."""
    ISOLATED = 3
    """And namespaces by bubblewrap: sees no other process, file or network at all; user namespaces off."""


@dataclass(frozen=True)
class Limits:
    """What one run may use. Past any of these the run is ended and the `Outcome` says which."""

    wall_seconds: float = 120.0
    idle_seconds: float | None = None
    """No progress report, no new output and no CPU time for this long. None: not watched."""
    cpu_seconds: float = 240.0
    memory_bytes: int = 2 << 30
    write_bytes: int = 2 << 30
    """Bytes in the workspace, all files together, over what was there at the start."""
    processes: int = 128
    """Together at one time. The kernel refuses more; where it can not be told to, the run ends as `memory_limit`."""
    open_files: int = 1024
    output_bytes: int = 1 << 20
    """Bytes of stdout and of stderr that are read; more than that ends the run."""
    watch_seconds: float = 0.1
    """How often it is looked at what a run uses; what the kernel bounds, it bounds at once."""


@dataclass(frozen=True)
class Common:
    """What every program of a sandbox may read and is told, besides what it asks for itself. For the operator's word,
    never for a job's.
    """

    readable: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """An executable with its arguments. Runs with the workspace as its working directory.

    Give paths relative to the workspace. Where a program insists on an absolute one, write `{work}`: it becomes the
    workspace's path as the program sees it, in `argv` and in the values of `env`. Arguments are never built from what
    a user typed, and never hold a secret: pass secrets by `stdin`.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """All it gets besides PATH, HOME, TMPDIR, LANG=C.UTF-8 and TZ=UTC, which the sandbox sets."""
    readable: tuple[Path, ...] = ()
    """More files and directories it may read (and execute), beyond the system's own and this Python's."""
    stdin: bytes = b""
    socket_names: str = ""
    """A glob for the names of Unix sockets that it insists on making in the system's /tmp. They are gone after the run.
    Where the sandbox gives it a /tmp of its own, nothing of this is needed."""
    lent: Path | None = None
    """A directory below that of all jobs which it may read besides, and no other run unless it is lent to that, too. In
    the values of `env`, `{lent}` becomes its path as the program sees it."""


@dataclass(frozen=True)
class WarmParent:
    """A process that has done once what is dear, and from which calls get their children. Equal ones are one process.

    With the defaults it imports modules and that is all. A `main` of its own may do more, such as load a library that
    no interpreter brings along and convert something with it; what it did then is in each child. It sees no stranger's
    bytes, ever.
    """

    arguments: tuple[str, ...] = ()
    """What `main` is told: by default, the modules to import."""
    main: str = "filewright.chassis.sandbox.warm_parent"
    """The module whose `main` it runs; see there for what that has to do."""
    interpreter: str = ""
    """Another Python than this one, with nothing but its standard library and the first of `python_path`."""
    python_path: tuple[str, ...] = ()
    """Directories of modules beside this interpreter's own."""
    readable: tuple[Path, ...] = ()
    """More files and directories that it and its children may read."""
    has_directory: bool = False
    """It gets a directory that only it may write to, and its children may read."""
    children: int = 1000
    """After so many it is replaced by a new one, as it is when it has grown by `growth_bytes` or is `seconds` old."""
    growth_bytes: int = 256 << 20
    seconds: float = 86_400.0


@dataclass(frozen=True)
class PythonCall:
    """A call of `module:function` in a child of a warm parent that has already imported `warm`'s modules.

    The function is called as `function(report=..., **arguments)` with the workspace as working directory; `report(f)`
    takes a fraction 0..1. `arguments` and what it returns are JSON. To refuse the input it raises
    `filewright.chassis.sandbox.child.Refusal(code)`. It may start threads but no process.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    warm: tuple[str, ...] | WarmParent = ()
    """Modules the warm parent imports before any job arrives, or more of it; calls with the same share one parent."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Set before the function is called; what a warm parent has read of its own by then stays as it is."""
    lent: Path | None = None
    """As of a `Command`."""

    @property
    def parent(self) -> WarmParent:
        return self.warm if isinstance(self.warm, WarmParent) else WarmParent(self.warm)


Program = Command | PythonCall


class Ending(StrEnum):
    """Why a run is over. `completed` and `failed` are the program's own doing; the rest was done to it."""

    COMPLETED = "completed"
    FAILED = "failed"
    """Ended by itself with a non-zero exit code, an exception, or a `Refusal`."""
    CRASHED = "crashed"
    """Died of a signal that nobody sent on purpose (SIGSEGV, SIGABRT, ...)."""
    WALL_LIMIT = "wall_limit"
    IDLE_LIMIT = "idle_limit"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    WRITE_LIMIT = "write_limit"
    OUTPUT_LIMIT = "output_limit"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Usage:
    """What the run cost: its whole process tree."""

    wall_seconds: float
    cpu_seconds: float
    max_rss_bytes: int


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Everything named `untrusted_*` was written by the program."""

    ending: Ending
    exit_code: int | None
    signal: int | None
    usage: Usage
    untrusted_stdout: bytes = b""
    untrusted_stderr: bytes = b""
    untrusted_value: Any = None
    """What a `PythonCall` returned."""
    refusal: str | None = None
    """The code of the `Refusal` that a `PythonCall` raised: at most 64 characters of [a-z_]."""


class Sandbox(Protocol):
    """The port. One instance serves many runs at once; a run shares nothing with another."""

    @property
    def level(self) -> SandboxLevel:
        """What the self-test at start proved, not what was asked for."""
        ...

    async def run(
        self,
        program: Program,
        *,
        workspace: Path,
        limits: Limits,
        on_line: Callable[[bytes], None] | None = None,
        on_progress: Callable[[float], None] | None = None,
        cancel: asyncio.Event | None = None,
    ) -> Outcome:
        """Run to the end, whatever the end is; when this returns, no process of the run and no symbolic link is left.

        `workspace` is an existing directory that this run alone owns; it is the only place the program may write.
        `on_line` gets each line of a Command's stdout as it comes; `on_progress` each fraction that a PythonCall
        reports. Setting `cancel` ends the run within a second. Cancelling the awaiting task does the same.
        Raises `SandboxUnavailable` when the child cannot be started at all.
        """
        ...

    async def close(self) -> None:
        """End the warm parents. The sandbox can not be used afterwards; a second call does nothing."""
        ...


class SandboxUnavailable(Exception):
    """No child could be started: the fault of this machine, never of the input."""
