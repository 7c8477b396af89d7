"""LibreOffices that convert several documents each, and how they are lent out, one to a document at a time.

A `Helper` is one run of the sandbox that lasts: its workspace is a directory of its own, into which each document is
copied and out of which its products are, so that it never sees more than the document it works on. Its memory does
outlive a document; so it is ended, and another started, when a file of somebody else comes. A call that hangs, a crash
and a cancelled job end it too.

It runs while we reach into its workspace, and may put a link to anywhere in the place of anything there, at any moment.
So the two directories are opened before it begins, and names are only ever looked up in these, without following links.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import Limits, Outcome, Program, Sandbox, SandboxUnavailable
from filewright.chassis.sandbox.streams import Lines, Reader
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.tasks import to_its_end
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.engines.inside.office.helper import ANSWERS, ORDERS
from filewright.converter.engines.libreoffice_office import Answer, Order
from filewright.converter.engines.port import Work, raise_for
from filewright.converter.errors import Cancelled, EngineCrashed, ResourceLimit, Timeout

_log = get_logger(__name__)
_START_SECONDS = 90.0
_SECONDS = 1800.0
_GROWTH_BYTES = 192 << 20
_MOST_FILES = 10_000
_LONGEST_ANSWER = 64 << 10
_LIFE = Limits(wall_seconds=2 * _SECONDS + 600, cpu_seconds=2 * _SECONDS, write_bytes=8 << 30, output_bytes=64 << 20)
"""Of a whole helper; a document's own time is kept by whoever waits for it."""


class Helper:
    """One of them, from out here."""

    def __init__(self, sandbox: Sandbox, workspace: Workspace, program: Program) -> None:
        self.party: str | None = None
        """Whose files it has seen; None: nobody's."""
        self.documents = 0
        self._place = workspace
        self._started = time.monotonic()
        self._memory = self._memory_at_start = 0
        self._inputs, self._products = _held_open(workspace.inputs), _held_open(workspace.out)
        self._orders = _named_pipe(workspace.path / ORDERS)
        hear = Lines(self._hear, longest=_LONGEST_ANSWER)
        self._ears = Reader(_named_pipe(workspace.path / ANSWERS), on_data=hear.feed, keep=False)
        self._next: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._run = asyncio.create_task(sandbox.run(program, workspace=workspace.path, limits=_LIFE))

    async def until_ready(self) -> None:
        """Raises SandboxUnavailable when it does not get there."""
        try:
            await self._answered(_START_SECONDS)
        except (EngineCrashed, Timeout) as error:
            raise SandboxUnavailable("LibreOffice did not start to serve") from error
        self._memory_at_start = self._memory

    def is_worn_out(self, most: int) -> bool:
        """Time for another one: it has served many, or long, or has grown."""
        grown = self._memory - self._memory_at_start > _GROWTH_BYTES
        return self.documents >= most or grown or time.monotonic() - self._started > _SECONDS or self._run.done()

    async def convert(self, order: Order, out: Path, limits: Limits, cancel: asyncio.Event | None = None) -> Answer:
        """One conversion, its products into `out`. Raises as `Work.run`, and is to be stopped after any error."""
        self.documents += 1
        document = self._place.inputs / order.document.name
        product = self._place.out / f"{order.document.stem}.{order.export.extension}"
        await asyncio.to_thread(_lay_down, order.document, self._inputs)
        self._send(
            document=self._inside(document),
            import_filter=order.import_filter,
            product=self._inside(product),
            export_filter=order.export.filter,
            options=order.export.options,
        )
        said = await self._answered(limits.wall_seconds, cancel)
        await asyncio.to_thread(self._hand_out, out, limits.write_bytes)
        return Answer(said.get("opened") is True)

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

    def _inside(self, path: Path) -> str:
        return str(path.relative_to(self._place.path))

    def _send(self, **order: str) -> None:
        if self._next.done():  # an answer that nothing had been asked for
            self._next = asyncio.get_running_loop().create_future()
        try:
            os.write(self._orders, json.dumps(order).encode() + b"\n")
        except OSError as error:
            raise EngineCrashed from error

    async def _answered(self, seconds: float, cancel: asyncio.Event | None = None) -> Mapping[str, Any]:
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
            raise_for(self._outcome().ending)
            raise EngineCrashed
        raise Cancelled if cancel is not None and cancel.is_set() else Timeout

    def _outcome(self) -> Outcome:
        return self._run.result()

    def _hear(self, line: bytes) -> None:
        """It may say anything; only what has the shape of an answer to an order is one."""
        with contextlib.suppress(ValueError, RecursionError):
            said = json.loads(line)
            if isinstance(said, dict) and not self._next.done():
                memory = said.get("memory")
                self._memory = memory if isinstance(memory, int) else 0
                self._next.set_result(said)

    def _hand_out(self, out: Path, most_bytes: int) -> None:
        """Copies, so that whoever still has the file open here can not change them; plain files only."""
        with _its_doing(), os.scandir(self._products) as entries:
            found = [entry for entry, _ in zip(entries, range(_MOST_FILES), strict=False)]
            made = [entry for entry in found if entry.is_file(follow_symlinks=False)]
            if sum(entry.stat(follow_symlinks=False).st_size for entry in made) > most_bytes:
                raise ResourceLimit
            for entry in made:
                _take(entry.name, self._products, out)
        for held in (self._products, self._inputs):
            _clear(held)


class Helpers:
    """Those of one kind in one sandbox."""

    def __init__(self, sandbox: Sandbox, jobs_dir: Path, program: Callable[[], Program], *, documents: int) -> None:
        """`documents`: so many each converts before another takes its place."""
        self._sandbox = sandbox
        self._jobs_dir = jobs_dir
        self._program = program
        self._most = documents
        self._idle: list[Helper] = []
        self._closed = False

    @asynccontextmanager
    async def lent(self, party: str | None) -> AsyncIterator[Helper]:
        """One that has only ever seen files of that party; None: our own samples. Raises SandboxUnavailable."""
        helper = await self._taken(party)
        try:
            yield helper
        except BaseException:
            await to_its_end(helper.stop())
            raise
        if self._closed or helper.is_worn_out(self._most):
            await helper.stop()
        else:
            self._idle.append(helper)

    async def convert(self, work: Work, order: Order) -> Answer:
        """As an `Office` does."""
        async with self.lent(work.party) as helper:
            return await helper.convert(order, work.out, work.limits, work.cancel)

    async def close(self) -> None:
        """End those that rest; those at work end when they are given back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().stop()

    async def _taken(self, party: str | None) -> Helper:
        if self._closed:
            raise SandboxUnavailable("the sandbox is closed")
        mine = next((helper for helper in self._idle if helper.party in {None, party}), None)
        other = mine or (self._idle[0] if self._idle else None)
        if other is not None:
            self._idle.remove(other)
        if mine is not None and not mine.is_worn_out(self._most):
            mine.party = party
            return mine
        if other is not None:
            await other.stop()
        helper = Helper(self._sandbox, Workspace.create(self._jobs_dir), self._program())
        try:
            await helper.until_ready()
            helper.party = party
        except BaseException:
            await to_its_end(helper.stop())
            raise
        return helper


def _named_pipe(path: Path) -> int:
    """Both ends in one, so that neither side waits for the other to open it."""
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _held_open(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _lay_down(document: Path, place: int) -> None:
    with _its_doing():
        target = os.open(document.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=place)
        with document.open("rb") as file, os.fdopen(target, "wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)


def _take(name: str, place: int, out: Path) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    with os.fdopen(source, "rb") as file, (out / name).open("xb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)


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
        raise EngineCrashed from error
