"""Processes of our own and no others: started so that each is on record before it runs, known ever after by its number
*and* the moment it began, and signalled through a descriptor of the kernel's that cannot mean another process.

A process may outlive whoever started it. `Process.adopt` takes it over, and from then on both kinds are alike, except
that the exit code of an adopted one is not ours to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

_GATE = 'read -r go && exec "$@" </dev/null'
"""Waits for a line before it becomes the program. Whoever dies before writing that line leaves nothing running."""


_Child = subprocess.Popen[bytes]  # noqa: TID251 - the type of what `start` starts


@dataclass(frozen=True)
class Identity:
    """Which process: numbers come again, a number with its beginning (in ticks since the machine started) does not."""

    pid: int
    began: int


class Process:
    """A process that runs or has just ended. Made by `start` or `adopt`."""

    def __init__(self, identity: Identity, descriptor: int, child: _Child | None) -> None:
        self.identity = identity
        self._descriptor = descriptor
        self._child = child

    @classmethod
    def start(
        cls,
        argv: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        log: Path,
        user: str | None,
        record: Callable[[Identity], None],
    ) -> Self:
        """Start it in a session of its own, as `user`, once `record` has noted who it is.

        The folder is entered before the user changes, so a program that uses relative paths needs no right to walk
        there. Raises OSError when it cannot be started.
        """
        with _opened_log(log) as output:
            child = subprocess.Popen(  # noqa: TID251 - these are the operator's servers, not conversions
                ["/bin/sh", "-c", _GATE, "gate", *argv],
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **_as_user(user),  # type: ignore[call-overload] # user, group and extra_groups, or nothing
            )
        assert child.stdin is not None
        with child.stdin as gate:
            try:
                started = cls(_identity_of_child(child.pid), os.pidfd_open(child.pid), child)
                record(started.identity)
            except BaseException:
                gate.close()
                child.wait()
                raise
            with contextlib.suppress(BrokenPipeError):
                gate.write(b"go\n")
                gate.flush()
        return started

    @classmethod
    def adopt(cls, identity: Identity) -> Self | None:
        """Take over a process that somebody else started; None when it is gone."""
        try:
            descriptor = os.pidfd_open(identity.pid)
        except OSError:
            return None
        if identify(identity.pid) != identity:  # looked at after the descriptor was opened, so it is about the same one
            os.close(descriptor)
            return None
        return cls(identity, descriptor, None)

    async def ended(self) -> int | None:
        """Wait for the end. The exit code (negative: the signal), or None for an adopted process."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(self._descriptor)
        return self._bury()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time; blocks."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        self._bury()
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send it; nothing happens when the process is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End it and everything that it started in its session, at once."""
        self.signal(signal.SIGKILL)
        self._kill_session()

    def close(self) -> None:
        """Let go of the descriptor; the process itself is left alone."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def _bury(self) -> int | None:
        self._kill_session()  # before the number is free again
        return self._child.wait() if self._child is not None else None

    def _kill_session(self) -> None:
        """What a dead leader left behind. A live process of that number that is not ours means: not our session."""
        leader = identify(self.identity.pid)
        if leader is not None and leader != self.identity:
            return
        for pid in _session(self.identity.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def identify(pid: int) -> Identity | None:
    """Who has this number now; None for nobody, or one who has ended and is only not buried."""
    fields = _fields(pid)
    return Identity(pid, int(fields[19])) if fields and fields[0] not in {"Z", "X"} else None


def is_running(identity: Identity) -> bool:
    """Whether that very process still runs."""
    return identify(identity.pid) == identity


def _identity_of_child(pid: int) -> Identity:
    fields = _fields(pid)  # a child that nobody waited for has them, even when it ended already
    return Identity(pid, int(fields[19]))


def _fields(pid: int) -> list[str]:
    """The state and what follows it in /proc/PID/stat; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _session(leader: int) -> list[int]:
    """Everybody in the session that this process leads or led, but the leader."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (pid := int(entry.name)) != leader:
            fields = _fields(pid)
            if fields and fields[0] not in {"Z", "X"} and int(fields[3]) == leader:
                found.append(pid)
    return found


def _opened_log(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


def _as_user(user: str | None) -> dict[str, object]:
    if user is None:
        return {}
    import pwd  # noqa: PLC0415 - only where users change

    entry = pwd.getpwnam(user)
    return {
        "user": entry.pw_uid,
        "group": entry.pw_gid,
        "extra_groups": os.getgrouplist(user, entry.pw_gid),
    }
