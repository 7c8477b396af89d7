"""Keep one warm parent of each kind, and get children from it.

A parent starts when the first call for it comes, and is replaced when it dies, after a number of calls, when it has
grown or is old. Modules that start threads on import can not be forked from safely: calls for those are told to start
fresh instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import struct
import time
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox import system
from filewright.chassis.sandbox.port import SandboxUnavailable, WarmParent
from filewright.chassis.sandbox.processes import measure
from filewright.chassis.sandbox.starting import Launch, Pipes, StartedChild, Starter
from filewright.chassis.sandbox.streams import Lines, Reader
from filewright.chassis.sandbox.streams import readable as until_readable
from filewright.chassis.sandbox.supervision import Exit
from filewright.chassis.sandbox.workspace import remove_tree

_START_SECONDS = 120.0
_HELLO_SECONDS = 20.0
_FAREWELL_SECONDS = 5.0
_CALLS_BETWEEN_LOOKS = 50
_SCM_CREDENTIALS = 2
_CREDENTIALS = struct.Struct("3i")

QUIET = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "VIPS_CONCURRENCY": "1",
    "_RJEM_MALLOC_CONF": "background_thread:false",
}
"""Pools and helpers that libraries would start on import; a job's share of the machine is about one core."""

_HARMLESS_THREADS = frozenset({"polars-ooc-clea"})
"""Threads that may be missing in a child. Polars' waits on a channel to remove spill files, and holds nothing while it
waits: 400 of 400 forked children wrote and read Parquet without it."""


class NotForkable(Exception):
    """These modules start threads when they are imported."""


class WarmChild:
    """A `supervision.Child` that a warm parent forked. It can start no process, so it is its own whole tree."""

    def __init__(self, pid: int, told: asyncio.Future[dict[str, Any]], parent: RunningParent) -> None:
        self.root = pid
        self._pidfd = os.pidfd_open(pid)
        self._told = told
        self._parent = parent
        self.memory_before = measure(pid).memory_bytes

    def terminate(self) -> None:
        """There is nothing in a call that would tidy up."""
        self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def ended(self) -> None:
        await until_readable(self._pidfd)

    async def exit(self) -> Exit:
        facts: dict[str, Any] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                facts = await self._told
        code = os.waitstatus_to_exitcode(facts.get("status", int(signal.SIGKILL)))
        cpu, rss = facts.get("cpu", 0.0), facts.get("rss", 0)
        return Exit(code, None, cpu, rss) if code >= 0 else Exit(None, -code, cpu, rss)

    @property
    def was_started(self) -> bool:
        return True

    def was_out_of_memory(self) -> bool:
        return False

    def close(self) -> None:
        os.close(self._pidfd)
        self._parent.child_closed(self.root)


class RunningParent:
    """One warm process, from out here."""

    def __init__(
        self, kind: WarmParent, child: StartedChild, pipes: Pipes, control: socket.socket, place: Path | None
    ) -> None:
        self._kind = kind
        self.place = place
        self._child = child
        self._control = control
        self._told: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._first: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        hear = Lines(self._hear)
        self._readers = (
            Reader(os.dup(control.fileno()), on_data=hear.feed, keep=False, on_end=self._lost),
            Reader(pipes.stdout, keep=False),
            Reader(pipes.stderr, keep=False),
        )
        pipes.stdout = pipes.stderr = -1
        pipes.close()
        self._memory_at_start = 0
        self._started = time.monotonic()
        self._calls = 0
        self._children: set[int] = set()
        self._being_born = 0
        self.dead = False

    @property
    def is_worn_out(self) -> bool:
        """Time for a new one: it has served long, or holds much more than when it was young."""
        if self._calls >= self._kind.children or time.monotonic() - self._started > self._kind.seconds:
            return True
        if self._calls % _CALLS_BETWEEN_LOOKS:
            return False
        return self._memory() - self._memory_at_start > self._kind.growth_bytes

    @property
    def is_idle(self) -> bool:
        return not self._children and not self._being_born

    @property
    def pid(self) -> int:
        """The root of its process tree."""
        return self._child.root

    async def until_ready(self) -> None:
        """Raises SandboxUnavailable when a module can not be imported, NotForkable when one has started a thread."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                first = await self._first
        except TimeoutError:
            raise SandboxUnavailable("a warm parent did not get ready in time") from None
        if not first.get("ready"):
            raise SandboxUnavailable(f"a warm parent could not start: {first.get('failed') or 'it ended'}")
        if set(first["threads"]) - _HARMLESS_THREADS:
            raise NotForkable
        self._memory_at_start = self._memory()

    async def fork(self, streams: tuple[int, int]) -> tuple[WarmChild, socket.socket]:
        """A child that waits for its order at the socket. Raises SandboxUnavailable when the parent is gone."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._calls += 1
        self._being_born += 1
        try:
            with theirs:
                socket.send_fds(self._control, [b"call"], [theirs.fileno(), *streams])
            pid, inner_pid = await _hello(ours)
            told = self._told.setdefault(inner_pid, asyncio.get_running_loop().create_future())
            child = WarmChild(pid, told, self)
            self._children.add(pid)
        except (OSError, TimeoutError, ValueError) as error:
            ours.close()
            raise SandboxUnavailable("a warm parent could not fork") from error
        except BaseException:
            ours.close()
            raise
        finally:
            self._being_born -= 1
        told.add_done_callback(lambda _: self._told.pop(inner_pid, None))
        return child, ours

    def child_closed(self, pid: int) -> None:
        """The run of one child is over."""
        self._children.discard(pid)

    async def close(self) -> None:
        """End it and all its children."""
        self._lost()
        self._child.kill()
        await self._child.ended()
        await self._child.exit()
        for reader in self._readers:
            reader.close()
        self._control.close()
        self._child.close()
        if self.place is not None:
            await asyncio.to_thread(remove_tree, self.place)

    def _memory(self) -> int:
        """Its own, without what its children hold."""
        return measure(self._child.root, without=self._children).memory_bytes

    def _hear(self, line: bytes) -> None:
        facts = json.loads(line)
        if "pid" not in facts:
            if not self._first.done():
                self._first.set_result(facts)
            return
        told = self._told.setdefault(facts["pid"], asyncio.get_running_loop().create_future())
        if not told.done():
            told.set_result(facts)

    def _lost(self) -> None:
        self.dead = True
        for waiting in (self._first, *self._told.values()):
            if not waiting.done():
                waiting.set_result({})


class WarmParents:
    """All of them, by what they have warm."""

    def __init__(self, starter: Starter, jobs_dir: Path) -> None:
        self._starter = starter
        self._jobs_dir = jobs_dir
        self._parents: dict[WarmParent, RunningParent] = {}
        self._retired: list[RunningParent] = []
        self._locks: dict[WarmParent, asyncio.Lock] = {}
        self._not_forkable: set[WarmParent] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The roots of those that run now."""
        return [parent.pid for parent in self._parents.values()]

    def inside(self, directory: Path) -> str:
        """Where the parents and their children see a directory below that of all jobs."""
        return str(Path(self._starter.work(self._jobs_dir)) / directory.relative_to(self._jobs_dir))

    async def fork(
        self, kind: WarmParent, streams: tuple[int, int]
    ) -> tuple[WarmChild, socket.socket, tuple[Path, ...]]:
        """A child, and what it should be let read of its parent's. Raises NotForkable, SandboxUnavailable."""
        parent = await self._parent(kind)
        try:
            child, talk = await parent.fork(streams)
        except SandboxUnavailable:
            # It may have died a moment ago without anybody having noticed. Nothing of the call has run yet.
            await self._retire(kind)
            parent = await self._parent(kind)
            child, talk = await parent.fork(streams)
        own = () if parent.place is None else (Path(self.inside(parent.place)),)
        return child, talk, (*kind.readable, *own)

    async def close(self) -> None:
        """End all of them."""
        self._closed = True
        await self.cool_down()

    async def cool_down(self) -> None:
        """End those that run; new calls start new ones."""
        for parent in (*self._parents.values(), *self._retired):
            await parent.close()
        self._parents.clear()
        self._retired.clear()

    async def _parent(self, kind: WarmParent) -> RunningParent:
        async with self._locks.setdefault(kind, asyncio.Lock()):
            if self._closed:
                raise SandboxUnavailable("the sandbox is closed")
            if kind in self._not_forkable:
                raise NotForkable
            await self._bury_the_idle()
            parent = self._parents.get(kind)
            if parent is not None and (parent.dead or parent.is_worn_out):
                await self._retire(kind)
                parent = None
            if parent is None:
                parent = self._parents[kind] = await self._start(kind)
            return parent

    async def _start(self, kind: WarmParent) -> RunningParent:
        place = self._place() if kind.has_directory else None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        argv = system.python_argv(
            kind.main,
            str(theirs.fileno()),
            "" if place is None else self.inside(place),
            *kind.arguments,
            interpreter=kind.interpreter,
            path=kind.python_path,
        )
        launch = Launch(
            argv, self._jobs_dir, QUIET, kind.readable, sockets="none", shared=True, pass_fds=(theirs.fileno(),)
        )
        try:
            with theirs:
                child, pipes = await self._starter.start(launch)
        except BaseException:
            ours.close()
            if place is not None:
                remove_tree(place)
            raise
        parent = RunningParent(kind, child, pipes, ours, place)
        try:
            await parent.until_ready()
        except BaseException as error:
            if isinstance(error, NotForkable):
                self._not_forkable.add(kind)
            await parent.close()
            raise
        return parent

    def _place(self) -> Path:
        place = self._jobs_dir / f".warm-{secrets.token_hex(8)}"
        place.mkdir(mode=0o700)
        return place

    async def _retire(self, kind: WarmParent) -> None:
        parent = self._parents.pop(kind, None)
        if parent is not None:
            self._retired.append(parent)
            await self._bury_the_idle()

    async def _bury_the_idle(self) -> None:
        for parent in [parent for parent in self._retired if parent.is_idle]:
            self._retired.remove(parent)
            await parent.close()


async def _hello(ours: socket.socket) -> tuple[int, int]:
    """The child's pid as it is out here, which the kernel vouches for, and as it is in there."""
    async with asyncio.timeout(_HELLO_SECONDS):
        await until_readable(ours.fileno())
    data, ancillary, _, _ = ours.recvmsg(256, socket.CMSG_SPACE(_CREDENTIALS.size))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == _SCM_CREDENTIALS:
            pid, _, _ = _CREDENTIALS.unpack(content)
            return int(pid), int(json.loads(data)["hello"])
    raise ValueError("no child said hello")
