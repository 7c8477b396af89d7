"""One question for all who ask the same kind of thing at the same moment.

A trip to the database costs about as much for a hundred keys as for one. So whoever asks while a question is under way
waits for the next one, which goes as soon as that is answered: the more there is to ask, the less each answer costs,
and nobody is told what was so before they asked.

The question is asked for no request in particular, and sees what the service itself sees. Who may be told what it finds
is for `ask` to say: a key names its owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_Asking = tuple[K, asyncio.Future[V | None]]

MOST_AT_ONCE = 200
"""Keys in one question."""
_MOST_ASKERS = 4
_LATE_SECONDS = 0.05
"""Who comes when a question has been under way for so long does not wait for its answer."""


class Together(Generic[K, V]):
    """Ask it as if it were a function of one key. `ask` takes many, and tells of those that there is something of."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._ask = ask
        self._waiting: list[_Asking[K, V]] = []
        self._askers: set[asyncio.Task[None]] = set()
        self._last_sent = 0.0

    async def __call__(self, key: K) -> V | None:
        """What there is of it. Raises what `ask` raised."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[V | None] = loop.create_future()
        self._waiting.append((key, answer))
        late = len(self._askers) < _MOST_ASKERS and loop.time() - self._last_sent > _LATE_SECONDS
        if not self._askers or late:
            self._last_sent = loop.time()
            self._askers.add(loop.create_task(self._ask_all(), name="asked-together", context=Context()))
        return await answer

    async def _ask_all(self) -> None:
        try:
            await self._ask_until_none_waits()
        finally:  # at once, not when the loop tells of the task's end: somebody may come in between
            self._askers.discard(asyncio.current_task())

    async def _ask_until_none_waits(self) -> None:
        while self._waiting:
            asked = self._waiting[:MOST_AT_ONCE]
            del self._waiting[: len(asked)]
            self._last_sent = asyncio.get_running_loop().time()
            try:
                found = await self._ask(list({key for key, _ in asked}))
            except Exception as error:  # noqa: BLE001 - it is theirs who asked
                for _, answer in _still_wanted(asked):
                    answer.set_exception(error)
            except BaseException:
                for _, answer in _still_wanted(asked):
                    answer.cancel()
                raise
            else:
                for key, answer in _still_wanted(asked):
                    answer.set_result(found.get(key))


def _still_wanted(asked: Sequence[_Asking[K, V]]) -> Iterator[_Asking[K, V]]:
    """Without those who have gone."""
    return (asking for asking in asked if not asking[1].done())
