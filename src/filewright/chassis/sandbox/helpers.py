"""Programs that answer several calls each, and how they are lent out, one to a call at a time.

A `Helper` is one run of the sandbox that lasts: its workspace is a directory of its own, into which the files of each
call are copied and out of which its products are, so that it never sees more than what it works on. Its memory does
outlive a call; so it is ended, and another started, when a file of somebody else comes. A call that hangs, a crash and
a cancelled one end it too, and those that nobody needs any more end by themselves.

It runs while we reach into its workspace, and may put a link to anywhere in the place of anything there, at any moment.
So the two directories are opened before it begins, and names are only ever looked up in these, without following links.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.helping import ANSWERS, ORDERS
from filewright.chassis.sandbox.port import Ending, Limits, Program, Sandbox, SandboxUnavailable
from filewright.chassis.sandbox.streams import Lines, Reader
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.tasks import to_its_end

_START_SECONDS = 90.0
_WATCH_SECONDS = 1.0
"""Most of its time it waits."""
_OURS = ".helper-"
"""Begins the names of their workspaces: with a dot, as of all that belongs to no job."""
_MOST_FILES = 10_000
_AT_ONCE_BYTES = 16 << 20
_LONGEST_ANSWER = 4 << 20


class HelperFailed(Exception):
    """It did not answer. `ending` says why, in the words of a run; it is of no use any more."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        super().__init__(ending.value)


@dataclass(frozen=True)
class Terms:
    """How long helpers of a kind last, and how many of them wait for more to do."""

    calls: int
    """That one answers before another takes its place."""
    seconds: float = 1800.0
    """How old it may be when it is given a call."""
    growth_bytes: int = 192 << 20
    """More than that above what it held in the beginning, and it is not used again."""
    idle_seconds: float | None = None
    """It ends when nothing has come for so long. None: it waits on."""
    idle: int = 1
    """Of those that wait: when more do, the one that has waited longest ends."""

    @property
    def limits(self) -> Limits:
        """Of a whole life; the time of a call is kept by whoever waits for it."""
        return Limits(
            wall_seconds=2 * self.seconds + 600,
            cpu_seconds=2 * self.seconds,
            write_bytes=8 << 30,
            output_bytes=64 << 20,
            watch_seconds=_WATCH_SECONDS,
        )


class Helper:
    """One of them, from out here."""

    def __init__(self, sandbox: Sandbox, workspace: Workspace, program: Program, limits: Limits) -> None:
        self.party: str | None = None
        """Whose files it has seen; None: nobody's."""
        self.calls = 0
        self._place = workspace
        self._started = time.monotonic()
        self._memory = self._memory_at_start = 0
        self._inputs, self._products = _held_open(workspace.inputs), _held_open(workspace.out)
        self._orders = _named_pipe(workspace.path / ORDERS)
        hear = Lines(self._hear, longest=_LONGEST_ANSWER)
        self._ears = Reader(_named_pipe(workspace.path / ANSWERS), on_data=hear.feed, keep=False)
        self._next: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._run = asyncio.create_task(sandbox.run(program, workspace=workspace.path, limits=limits))

    async def until_ready(self) -> None:
        """Raises SandboxUnavailable when it does not get there."""
        try:
            await self._answered(_START_SECONDS, None)
        except HelperFailed as error:
            raise SandboxUnavailable("a helper did not start to serve") from error
        self._memory_at_start = self._memory

    def is_worn_out(self, terms: Terms) -> bool:
        """Time for another one: it has served many, or long, or has grown."""
        grown = self._memory - self._memory_at_start > terms.growth_bytes
        old = time.monotonic() - self._started > terms.seconds
        return self.calls >= terms.calls or grown or old or self._run.done()

    async def ask(
        self,
        order: Mapping[str, Any],
        given: Mapping[str, Path],
        *,
        seconds: float,
        cancel: asyncio.Event | None = None,
        out: Path | None = None,
        most_bytes: int = 0,
    ) -> Mapping[str, Any]:
        """One call: what it says, which may be anything.

        `given` are the files that it sees, by their names in `in`; plain files that it left in `out` are copied to
        `out`, no more than `most_bytes` together. Raises HelperFailed, and is to be stopped after any error.
        """
        self.calls += 1
        await asyncio.to_thread(_lay_down, given, self._inputs)
        self._send(order)
        said = await self._answered(seconds, cancel)
        if out is not None or not self._is_forgotten(given):
            await asyncio.to_thread(self._clear_up, out, most_bytes)
        return said

    async def stop(self) -> None:
        """End it, whatever it does, and remove what was its own."""
        self._run.cancel()
        with contextlib.suppress(asyncio.CancelledError, SandboxUnavailable):
            await asyncio.wait([self._run])
        if not self._run.cancelled():
            self._run.exception()
        self._ears.close()
        for held in (self._orders, self._inputs, self._products):
            os.close(held)
        await asyncio.to_thread(self._place.remove)

    def _send(self, order: Mapping[str, Any]) -> None:
        if self._next.done():  # an answer that nothing had been asked for
            self._next = asyncio.get_running_loop().create_future()
        line = json.dumps(order).encode() + b"\n"
        try:
            written = os.write(self._orders, line)
        except OSError as error:
            raise HelperFailed(Ending.CRASHED) from error
        if written < len(line):
            raise HelperFailed(Ending.CRASHED)

    async def _answered(self, seconds: float, cancel: asyncio.Event | None) -> Mapping[str, Any]:
        """What it says next; raises why it will not."""
        cancelled = asyncio.ensure_future(cancel.wait()) if cancel is not None else None
        waiting: list[asyncio.Future[Any]] = [self._next, self._run, *([cancelled] if cancelled else [])]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if cancelled is not None:
                cancelled.cancel()
        if self._next.done():
            said, self._next = self._next.result(), asyncio.get_running_loop().create_future()
            return said
        if self._run.done():
            ending = self._run.result().ending
            raise HelperFailed(Ending.CRASHED if ending in {Ending.COMPLETED, Ending.FAILED} else ending)
        raise HelperFailed(Ending.CANCELLED if cancel is not None and cancel.is_set() else Ending.WALL_LIMIT)

    def _hear(self, line: bytes) -> None:
        """It may say anything; only what has the shape of an answer to an order is one."""
        with contextlib.suppress(ValueError, RecursionError):
            said = json.loads(line)
            if isinstance(said, dict) and not self._next.done():
                memory = said.get("memory")
                self._memory = memory if isinstance(memory, int) else 0
                self._next.set_result(said)

    def _is_forgotten(self, given: Iterable[str]) -> bool:
        """Most often what was given is all that there is, and its few names are gone sooner than a thread begins."""
        with _its_doing():
            for name in given:
                os.unlink(name, dir_fd=self._inputs)
            return _is_empty(self._inputs) and _is_empty(self._products)

    def _clear_up(self, out: Path | None, most_bytes: int) -> None:
        """Take what was made and leave nothing. Copies, so that whoever still has the file open here can not change
        them; plain files only.
        """
        if out is not None:
            self._hand_out(out, most_bytes)
        for held in (self._products, self._inputs):
            _clear(held)

    def _hand_out(self, out: Path, most_bytes: int) -> None:
        with _its_doing(), os.scandir(self._products) as entries:
            found = [entry for entry, _ in zip(entries, range(_MOST_FILES), strict=False)]
            made = [entry for entry in found if entry.is_file(follow_symlinks=False)]
            if sum(entry.stat(follow_symlinks=False).st_size for entry in made) > most_bytes:
                raise HelperFailed(Ending.WRITE_LIMIT)
            for entry in made:
                _take(entry.name, self._products, out)


class Helpers:
    """Those of one kind in one sandbox."""

    def __init__(self, sandbox: Sandbox, jobs_dir: Path, program: Callable[[], Program], terms: Terms) -> None:
        self._sandbox = sandbox
        self._jobs_dir = jobs_dir
        self._program = program
        self._terms = terms
        self._idle: dict[Helper, asyncio.TimerHandle | None] = {}
        """The one that has waited longest comes first; with it, what will end it."""
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    @asynccontextmanager
    async def lent(self, party: str | None) -> AsyncIterator[Helper]:
        """One that has only ever seen files of that party; None: our own samples. Raises SandboxUnavailable."""
        helper = self._waiting(party) or await self._started(party)
        try:
            yield helper
        except BaseException:
            await to_its_end(helper.stop())
            raise
        if self._closed:
            await to_its_end(helper.stop())
        elif helper.is_worn_out(self._terms):
            self._end(helper)
        else:
            self._put_by(helper)

    async def close(self) -> None:
        """End those that wait; those at work end when they are given back."""
        self._closed = True
        for helper in list(self._idle):
            self._take(helper)
            self._end(helper)
        while self._ending:
            await asyncio.wait(self._ending)

    def _waiting(self, party: str | None) -> Helper | None:
        if self._closed:
            raise SandboxUnavailable("the sandbox is closed")
        for helper in [helper for helper in reversed(self._idle) if helper.party in {None, party}]:
            self._take(helper)
            if not helper.is_worn_out(self._terms):
                helper.party = party
                return helper
            self._end(helper)
        return None

    async def _started(self, party: str | None) -> Helper:
        while len(self._idle) >= self._terms.idle:
            oldest = next(iter(self._idle))
            self._take(oldest)
            self._end(oldest)
        place = Workspace.create(self._jobs_dir, f"{_OURS}{secrets.token_hex(8)}")
        helper = Helper(self._sandbox, place, self._program(), self._terms.limits)
        try:
            await helper.until_ready()
            helper.party = party
        except BaseException:
            await to_its_end(helper.stop())
            raise
        return helper

    def _put_by(self, helper: Helper) -> None:
        seconds, timer = self._terms.idle_seconds, None
        if seconds is not None:
            timer = asyncio.get_running_loop().call_later(seconds, self._dismiss, helper)
        self._idle[helper] = timer

    def _dismiss(self, helper: Helper) -> None:
        """It has waited for too long."""
        self._take(helper)
        self._end(helper)

    def _take(self, helper: Helper) -> None:
        timer = self._idle.pop(helper)
        if timer is not None:
            timer.cancel()

    def _end(self, helper: Helper) -> None:
        """Nobody waits for that."""
        task = asyncio.create_task(helper.stop())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _named_pipe(path: Path) -> int:
    """Both ends in one, so that neither side waits for the other to open it."""
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _held_open(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _lay_down(given: Mapping[str, Path], place: int) -> None:
    with _its_doing():
        for name, path in given.items():
            target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=place)
            source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(source, "rb", 0) as file, os.fdopen(target, "wb", 0) as copy:
                while os.sendfile(copy.fileno(), file.fileno(), None, _AT_ONCE_BYTES):  # within the kernel
                    pass


def _take(name: str, place: int, out: Path) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    with os.fdopen(source, "rb") as file, (out / name).open("xb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)


def _is_empty(place: int) -> bool:
    with os.scandir(place) as entries:
        return next(entries, None) is None


def _clear(place: int) -> None:
    with _its_doing(), os.scandir(place) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.name, dir_fd=place)
            else:
                os.unlink(entry.name, dir_fd=place)


@contextlib.contextmanager
def _its_doing() -> Iterator[None]:
    """Files that are not as we left them: whatever it was that did this is not asked again."""
    try:
        yield
    except (OSError, RecursionError) as error:
        raise HelperFailed(Ending.CRASHED) from error
