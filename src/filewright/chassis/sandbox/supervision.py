"""Watch one run until it is over: its output, its limits, its cancellation; and end it by rising force.

    the program ends by itself          -> completed, failed or crashed
    a limit is passed, or a cancel      -> TERM to every process, a short wait, KILL to all at once, wait for the end

`Child` is what a way of starting programs must give: `bubblewrap` and `launcher` processes and children of a warm
parent all look alike from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filewright.chassis.sandbox import disk
from filewright.chassis.sandbox.port import Ending, Limits, SandboxUnavailable
from filewright.chassis.sandbox.processes import TreeUse, measure, unlinked_bytes

_DISK_TICKS = 5
_REWRITES = 8
"""How many times its limit a program may write over what it has written."""
_OOM_KILLS = b"\noom_kill "
_OWN_PROCESSES = 8
"""What bubblewrap, a gate or a launcher adds to the tree."""
_LAST_RESORT_SECONDS = 10.0
_GRACE_SECONDS = {
    Ending.WALL_LIMIT: 2.0,
    Ending.IDLE_LIMIT: 2.0,
    Ending.CPU_LIMIT: 2.0,
    Ending.CANCELLED: 0.3,
}
"""How long a program may tidy up after TERM. One that eats memory or disk gets no time at all."""


@dataclass(frozen=True)
class Exit:
    """How a process tree ended. At most one of `code` and `signal` is set."""

    code: int | None
    signal: int | None
    cpu_seconds: float
    max_rss_bytes: int


class Child(Protocol):
    """A running tree of processes."""

    @property
    def root(self) -> int:
        """The process that all the others stem from, as seen from out here."""
        ...

    @property
    def memory_before(self) -> int:
        """What the root had already when the run began, shared with others; not held against the run."""
        ...

    def terminate(self) -> None:
        """Ask all processes to end."""
        ...

    def kill(self) -> None:
        """End all processes, whatever they do."""
        ...

    async def ended(self) -> None:
        """Return when no process of the tree is left."""
        ...

    async def exit(self) -> Exit:
        """How it ended; after `ended` only."""
        ...

    def was_out_of_memory(self) -> bool:
        """Whether the kernel killed something in the tree for its memory."""
        ...


@dataclass
class Watched:
    """What the watch has seen so far."""

    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    alive_at: float = 0.0
    """When it last did something: wrote, reported, computed."""


class Supervision:
    """One run from start to end."""

    def __init__(self, child: Child, limits: Limits, workspace: Path, cancel: asyncio.Event | None) -> None:
        self._child = child
        self.limits = limits
        self._workspace = workspace
        self._cancel = cancel
        self._verdict: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._started = time.monotonic()
        self._bytes_before = disk.used_bytes(workspace)
        self._kills_before = _out_of_memory_kills()
        self.watched = Watched(alive_at=self._started)

    @property
    def verdict(self) -> Ending | None:
        """Why the run was ended from out here; None when it was not."""
        return self._verdict.result() if self._verdict.done() and not self._verdict.cancelled() else None

    @property
    def wall_seconds(self) -> float:
        return time.monotonic() - self._started

    def machine_ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed anything on this machine for want of memory since the run began."""
        return _out_of_memory_kills() > self._kills_before

    def end(self, ending: Ending) -> None:
        """End the run for this reason; the first reason counts."""
        if not self._verdict.done():
            self._verdict.set_result(ending)

    def alive(self) -> None:
        """Something was heard of the program."""
        self.watched.alive_at = time.monotonic()

    async def until_over(self) -> None:
        """Return when all processes are gone, by themselves or by force. Cancelling this kills them first."""
        ended = asyncio.ensure_future(self._child.ended())
        watch = asyncio.ensure_future(self._watch())
        tasks: list[asyncio.Future[Any]] = [watch]
        if self._cancel is not None:
            tasks.append(asyncio.ensure_future(self._await_cancel(self._cancel)))
        try:
            waiting: list[asyncio.Future[Any]] = [ended, self._verdict, watch]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                if not self._verdict.done():
                    watch.result()  # it only ends like this by an error
                await self._end_by_force(ended, _GRACE_SECONDS.get(self._verdict.result(), 0.0))
        except BaseException:
            self._child.kill()
            await _undisturbed(ended)
            await _undisturbed(asyncio.ensure_future(self._child.exit()))
            raise
        finally:
            for task in (*tasks, ended):
                task.cancel()
        if not self._verdict.done() and self._disk_passed(TreeUse()):
            self.end(Ending.WRITE_LIMIT)

    async def _end_by_force(self, ended: asyncio.Future[None], grace: float) -> None:
        if grace:
            self._child.terminate()
            await asyncio.wait([ended], timeout=grace)
        if not ended.done():
            self._child.kill()
            await asyncio.wait([ended], timeout=_LAST_RESORT_SECONDS)
        if not ended.done():
            raise SandboxUnavailable(f"process {self._child.root} can not be killed")

    async def _await_cancel(self, cancel: asyncio.Event) -> None:
        await cancel.wait()
        self.end(Ending.CANCELLED)

    async def _watch(self) -> None:
        for tick in itertools.count(1):
            await asyncio.sleep(self.limits.watch_seconds)
            use = measure(self._child.root)
            self._take_note(use)
            ending = self._passed(use)
            if ending is None and tick % _DISK_TICKS == 0:
                ending = await asyncio.to_thread(self._disk_passed, use)
            if ending is not None:
                self.end(ending)
                return

    def _disk_passed(self, use: TreeUse) -> Ending | None:
        """Most of the time a walk through the workspace tells all. The rest is for those who hide what they write."""
        limit = self.limits.write_bytes
        held = disk.used_bytes(self._workspace) - self._bytes_before
        if held <= limit < use.written_bytes:
            held += unlinked_bytes(self._child.root)
        return Ending.WRITE_LIMIT if held > limit or use.written_bytes > _REWRITES * limit else None

    def _take_note(self, use: TreeUse) -> None:
        if use.cpu_seconds > self.watched.cpu_seconds:
            self.watched.cpu_seconds = use.cpu_seconds
            self.alive()
        self.watched.memory_bytes = max(self.watched.memory_bytes, use.memory_bytes - self._child.memory_before)

    def _passed(self, use: TreeUse) -> Ending | None:
        limits, now = self.limits, time.monotonic()
        if use.memory_bytes - self._child.memory_before > limits.memory_bytes:
            return Ending.MEMORY_LIMIT
        if self._child.was_out_of_memory():  # the kernel may have picked one process, and the others wait for it
            return Ending.MEMORY_LIMIT
        if use.processes > limits.processes + _OWN_PROCESSES:
            return Ending.MEMORY_LIMIT  # where the kernel could not be told to refuse them
        if use.cpu_seconds > limits.cpu_seconds:
            return Ending.CPU_LIMIT
        if self.wall_seconds > limits.wall_seconds:
            return Ending.WALL_LIMIT
        if limits.idle_seconds is not None and now - self.watched.alive_at > limits.idle_seconds:
            return Ending.IDLE_LIMIT
        return None


async def _undisturbed(future: asyncio.Future[Any]) -> None:
    """Wait for what must come, for a bounded time, even when this task is cancelled again meanwhile."""
    deadline = time.monotonic() + _LAST_RESORT_SECONDS
    while not future.done() and time.monotonic() < deadline:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([future], timeout=deadline - time.monotonic())
    future.cancel()


def _out_of_memory_kills() -> int:
    with contextlib.suppress(OSError):
        facts = Path("/proc/vmstat").read_bytes()
        found = facts.find(_OOM_KILLS)
        if found >= 0:
            return int(facts[found + len(_OOM_KILLS) :].split(maxsplit=1)[0])
    return 0
