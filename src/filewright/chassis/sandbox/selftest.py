"""Find out what a sandbox really holds back, by letting the worst engine loose in it before any stranger's file.

The canaries are real: listeners on loopback, a socket in the file system, a file outside, another job's directory,
this process itself. What counts is what the attempts report and what the canaries saw.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import select
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox import evil
from filewright.chassis.sandbox.port import (
    Command,
    Limits,
    Outcome,
    PythonCall,
    Sandbox,
    SandboxLevel,
    SandboxUnavailable,
)
from filewright.chassis.sandbox.workspace import Workspace

_LIMITS = Limits(wall_seconds=60, cpu_seconds=20.0)
_AT_ANY_LEVEL = ("odd_environment",)
_ONLY_FOR_CALLS = ("fork",)
_ALLOWED = ("leave_daemon",)
"""Attempts that may succeed; what becomes of them is looked at from out here."""


@dataclass(frozen=True)
class Probe:
    """One thing that was tried and whether the sandbox held."""

    name: str
    held: bool
    detail: str


@dataclass(frozen=True)
class Report:
    """What was found at start. For the health page and for `doctor`."""

    level: SandboxLevel
    probes: tuple[Probe, ...]
    """At the level that was chosen."""
    passed_over: dict[str, str] = field(default_factory=dict)
    """Higher levels by name, and why they did not hold."""
    notes: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        return all(probe.held for probe in self.probes)


async def prove(sandbox: Sandbox, jobs_dir: Path) -> tuple[Probe, ...]:
    """Every attempt that this level promises to refuse, as a command and as a call. Takes well under a second."""
    with _canaries(jobs_dir) as canaries, Workspace.create(jobs_dir) as workspace:
        attempts = _promised(sandbox.level)
        by_command = await sandbox.run(
            _command(canaries, (*attempts, *_ALLOWED)), workspace=workspace.path, limits=_LIMITS
        )
        probes = _judge("command", _answers(by_command), attempts)
        probes.append(_no_daemon_left(workspace.path / "tmp" / "daemon.lock", by_command))
        if sandbox.level >= SandboxLevel.CONFINED:
            attempts = (*attempts, *_ONLY_FOR_CALLS)
        call = PythonCall("filewright.chassis.sandbox.evil:call", {"names": attempts, "targets": canaries.targets})
        by_call = await sandbox.run(call, workspace=workspace.path, limits=_LIMITS)
        probes += _judge("call", by_call.untrusted_value, attempts)
        if sandbox.level >= SandboxLevel.CONFINED:
            probes.append(Probe("canaries", not canaries.seen(), ", ".join(canaries.seen()) or "saw nothing"))
        return tuple(probes)


def _promised(level: SandboxLevel) -> tuple[str, ...]:
    if level < SandboxLevel.CONFINED:
        return _AT_ANY_LEVEL
    return tuple(name for name in evil.ATTEMPTS if name not in {*_ONLY_FOR_CALLS, *_ALLOWED})


def _command(canaries: _Canaries, names: tuple[str, ...]) -> Command:
    order = {"names": names, "targets": canaries.targets}
    return Command((sys.executable, "-I", "-S", evil.__file__), stdin=json.dumps(order).encode())


def _answers(outcome: Outcome) -> object:
    try:
        return json.loads(outcome.untrusted_stdout)
    except ValueError:
        return {"ended": f"{outcome.ending}: {outcome.untrusted_stderr[-300:].decode(errors='replace')}"}


def _judge(way: str, answers: object, names: tuple[str, ...]) -> list[Probe]:
    """An attempt that nothing was heard of counts as a success of the attacker."""
    given = answers if isinstance(answers, dict) else {}
    silence = str(given.get("ended", "no answer"))
    return [
        Probe(f"{way}.{name}", str(given.get(name, "")).startswith("refused"), str(given.get(name, silence)))
        for name in names
    ]


def _no_daemon_left(lock: Path, outcome: Outcome) -> Probe:
    """The daemon holds the lock for as long as it lives."""
    try:
        fd = os.open(lock, os.O_RDWR)
    except OSError:
        return Probe("command.leave_daemon", held=False, detail=f"it was never started ({outcome.ending})")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Probe("command.leave_daemon", held=True, detail="dead when the run was over")
    except BlockingIOError:
        return Probe("command.leave_daemon", held=False, detail="a process outlived the run")
    finally:
        os.close(fd)


class _Canaries:
    """What should never be reached."""

    def __init__(self, outside: Path, sibling: Path, jobs_dir: Path) -> None:
        self._outside = outside
        self._sockets: dict[str, socket.socket] = {}
        (sibling / "in" / "secret").write_text(secrets.token_hex())
        (outside / "canary").write_text(secrets.token_hex())
        unix_name, abstract = str(outside / "socket"), secrets.token_hex(16)
        self._listen("tcp4", socket.AF_INET, ("127.0.0.1", 0))
        self._listen("tcp6", socket.AF_INET6, ("::1", 0))
        self._listen("udp", socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM)
        self._listen("unix", socket.AF_UNIX, unix_name)
        self._listen("abstract", socket.AF_UNIX, "\0" + abstract)
        self.targets: evil.Targets = {
            **{name: self._port(name) for name in ("tcp4", "tcp6", "udp")},
            "unix": unix_name,
            "abstract": abstract,
            "outside": str(outside / "written"),
            "canary": str(outside / "canary"),
            "siblings": [str(sibling), f"/job/{sibling.relative_to(jobs_dir)}", f"../{sibling.name}"],
            "owner": os.getpid(),
        }

    def seen(self) -> list[str]:
        """Which of them noticed a visitor."""
        visited = [name for name, listener in self._sockets.items() if select.select([listener], [], [], 0)[0]]
        return [*visited, *(["outside"] if (self._outside / "written").exists() else [])]

    def close(self) -> None:
        for listener in self._sockets.values():
            listener.close()

    def _listen(self, name: str, family: int, address: Any, kind: int = socket.SOCK_STREAM) -> None:
        # A machine without IPv6 has nothing to reach there; nor has a temp directory too deep for a socket's name.
        with contextlib.suppress(OSError), contextlib.ExitStack() as unusable:
            listener = unusable.enter_context(socket.socket(family, kind))
            listener.bind(address)
            if kind == socket.SOCK_STREAM:
                listener.listen()
            unusable.pop_all()
            self._sockets[name] = listener

    def _port(self, name: str) -> int:
        address = self._sockets[name].getsockname() if name in self._sockets else ("", 9)
        return int(address[1]) or 9


@contextlib.contextmanager
def _canaries(jobs_dir: Path) -> Iterator[_Canaries]:
    outside = Path(tempfile.mkdtemp(prefix="filewright-selftest-"))
    try:
        with Workspace.create(jobs_dir) as sibling:
            canaries = _Canaries(outside, sibling.path, jobs_dir)
            try:
                yield canaries
            finally:
                canaries.close()
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def explain(level: SandboxLevel, probes: tuple[Probe, ...]) -> str:
    """Why a level did not hold, in a line."""
    failed = [f"{probe.name} ({probe.detail})" for probe in probes if not probe.held]
    return f"{level.name.lower()} does not hold: {', '.join(failed)}"


def unavailable(minimum: SandboxLevel, reasons: dict[str, str]) -> SandboxUnavailable:
    """The error for a machine that can not do what was asked of it."""
    found = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return SandboxUnavailable(
        f"No sandbox of level {minimum.name.lower()} works on this machine. {found}. "
        "Install bubblewrap (apt-get install bubblewrap) and allow unprivileged user namespaces; in a container, "
        "run with a seccomp profile that allows them. Or lower the minimum level, if every file is trusted."
    )
