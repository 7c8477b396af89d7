"""Whoever comes while the one before is still being served waits in a line; those who wait are served together.

Each line is for those who would be in each other's way: here the orders of one owner, of which the database takes one
after the other. The first of those who wait takes all behind it along that are of its `kind`. `many` serves them, and
may leave some out, as when there is not room for all; those are served by `one`, each for itself and in their order, as
is whoever comes alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

W = TypeVar("W")
A = TypeVar("A")

MOST_AT_ONCE = 50
_LONGEST_TURN_SECONDS = 1.0


@dataclass(eq=False)
class _Waiting(Generic[W, A]):
    wish: W
    kind: Hashable | None
    taken: bool = False
    answer: asyncio.Future[A] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(eq=False)
class _Line(Generic[W, A]):
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Waiting[W, A]] = field(default_factory=list)

    def take(self, first: _Waiting[W, A]) -> Sequence[_Waiting[W, A]]:
        """The first, and those behind it who may go with it."""
        kind = first.kind
        others = (each for each in self.waiting if each is not first and each.kind == kind)
        taken = [first] if kind is None else [first, *others][:MOST_AT_ONCE]
        for each in taken:
            each.taken = True
        self.waiting = [each for each in self.waiting if not each.taken]
        return taken


class Gathering(Generic[W, A]):
    """Serves wishes. `many` answers in the order in which it is asked, None for what is to be served alone."""

    def __init__(
        self, one: Callable[[W], Awaitable[A]], many: Callable[[Sequence[W]], Awaitable[Sequence[A | None]]]
    ) -> None:
        self._one = one
        self._many = many
        self._lines: WeakValueDictionary[str, _Line[W, A]] = WeakValueDictionary()
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, name: str, wish: W, kind: Hashable | None) -> A:
        """What becomes of the wish. `kind`: None for one that goes with no other. Raises what `one` and `many` raise.

        Nobody who is given up takes others along: those who are served together are served to the end.
        """
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line()
        mine: _Waiting[W, A] = _Waiting(wish, kind)
        line.waiting.append(mine)
        try:
            async with _turn(line.turn):
                if not mine.taken:
                    together = line.take(mine)
                    if len(together) == 1:
                        return await self._one(wish)
                    self._begin(together)
                return await mine.answer
        finally:
            if not mine.taken:
                line.waiting.remove(mine)

    def _begin(self, together: Sequence[_Waiting[W, A]]) -> None:
        task = asyncio.create_task(self._serve(together), name="served-together")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _serve(self, together: Sequence[_Waiting[W, A]]) -> None:
        try:
            answers = await self._many([each.wish for each in together])
            for each, answer in zip(together, answers, strict=True):
                if answer is not None and not each.answer.done():
                    each.answer.set_result(answer)
            for each, answer in zip(together, answers, strict=True):
                if answer is None and not each.answer.done():
                    await self._serve_alone(each)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait
            for each in together:
                if not each.answer.done():
                    each.answer.set_exception(error)
        finally:
            for each in together:
                each.answer.cancel()

    async def _serve_alone(self, each: _Waiting[W, A]) -> None:
        try:
            answer = await self._one(each.wish)
        except Exception as error:  # noqa: BLE001 - it is theirs who waits
            if not each.answer.done():
                each.answer.set_exception(error)
        else:
            if not each.answer.done():
                each.answer.set_result(answer)


@asynccontextmanager
async def _turn(lock: asyncio.Lock) -> AsyncIterator[None]:
    """Two at once would be in each other's way, and one of them would have come in vain. That is all: who has waited
    for long need not wait for one who does not come back.
    """
    try:
        async with asyncio.timeout(_LONGEST_TURN_SECONDS if lock.locked() else None):
            await lock.acquire()
    except TimeoutError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
