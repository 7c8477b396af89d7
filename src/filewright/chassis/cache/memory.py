"""The near cache: this process's memory, alone or over a far one.

Bounded by bytes, the longest unread go first; what is over goes when something new comes. Readers of one key share one
making, which goes on when they leave, for those who come after. The values of a shared kind come from the far cache and
never outlive what is kept there.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Any, TypeVar

from filewright.chassis.cache.early import draws_below, is_time, spread
from filewright.chassis.cache.port import NEWS, Held, Kind, Level, Make
from filewright.chassis.clock import Clock
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.tasks import ended
from filewright.chassis.telemetry.logs import get_logger

T = TypeVar("T")
log = get_logger(__name__)

MOST_BYTES = 64 << 20
_FEW = 1_000
_OVERHEAD = 400
"""Bytes that an entry takes beside its value: key, entry, its place in the order."""
_NOT_AGAIN_SECONDS = 1.0
"""After a value could not be made anew early, nobody tries for so long."""


@dataclass
class Tally:
    """How often, for one kind, since the process began."""

    near: int = 0
    """Found in this process."""
    far: int = 0
    """Found in the far cache."""
    made: int = 0
    """Made here, because it was nowhere."""
    joined: int = 0
    """Waited for somebody in this process who had asked before."""
    early: int = 0
    """Asked for again before its end."""
    dropped: int = 0
    """Forgotten at somebody's word."""


@dataclass(slots=True)
class _Entry:
    value: Any
    weight: int
    until: float
    """When this process's copy ends."""
    took: float
    """Seconds that it took to get."""
    far_until: float
    """When the far one ends, of which this is a copy; never, where there is none."""
    cost: float
    """Seconds that the far one took to make."""
    mark: bytes
    calm_until: float
    """Before this moment no draw can say that it is time for either."""


class MemoryCache:
    """`far` serves the kinds that are shared. With a `notifier` others are told what was dropped here; to hear what
    was dropped elsewhere, `hear` has to follow the family `NEWS`.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        far: Level | None = None,
        notifier: Notifier | None = None,
        most_bytes: int = MOST_BYTES,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._now = clock.monotonic
        self._far = far
        self._notifier = notifier
        self._most = most_bytes
        self._chance = chance
        self._kept: OrderedDict[str, _Entry] = OrderedDict()
        self._ends: list[tuple[float, str]] = []
        """A heap: when what was kept by that name is over."""
        self._making: dict[str, asyncio.Task[Held[Any]]] = {}
        self._tasks: set[asyncio.Task[Held[Any]]] = set()
        self.bytes = 0
        """About how much memory the values take."""
        self.evicted = 0
        """How many were forgotten for want of room."""
        self.tallies: dict[str, Tally] = {}

    async def get(self, kind: Kind[T], key: str, make: Make[T]) -> T:
        name, now = kind.named(key), self._now()
        entry = self._find(name, now)
        if entry is None:
            return await self._fetch(kind, key, make, name)
        self._tally(kind).near += 1
        if now >= entry.calm_until:
            self._consider(kind, key, make, name, entry, now)
        value: T = entry.value
        return value

    def peek(self, kind: Kind[T], key: str) -> T | None:
        entry = self._find(kind.named(key), self._now())
        if entry is None:
            return None
        self._tally(kind).near += 1
        value: T = entry.value
        return value

    def put(self, kind: Kind[T], key: str, value: T) -> None:
        self._tally(kind).made += 1
        self._keep(kind, kind.named(key), Held(value, left=math.inf), took=0.0)

    async def drop(self, kind: Kind[T], key: str) -> None:
        name = kind.named(key)
        self._tally(kind).dropped += 1
        self._forget(name)
        if self._far is not None and kind.shared is not None:
            await self._far.drop(kind, key)
            self._forget(name)  # what was read from there meanwhile
        if self._notifier is not None:
            await self._notifier.notify(f"{NEWS}:{name}")

    def hear(self, topic: str | None) -> None:
        """Somebody dropped what the topic names; None: anything may have been dropped."""
        if topic is not None:
            self._forget(topic.removeprefix(f"{NEWS}:"))
            return
        self._kept.clear()
        self._ends.clear()
        self._making.clear()
        self.bytes = 0

    async def close(self) -> None:
        """Stop what is being made, and let go of the far cache."""
        self.hear(None)
        await ended(self._tasks)
        if self._far is not None:
            await self._far.close()

    # --- asking --------------------------------------------------------------------------------------------------

    async def _fetch(self, kind: Kind[T], key: str, make: Make[T], name: str) -> T:
        if not kind.seconds and self._shares(kind):
            # Who must see what was dropped a moment ago may not join one who asked before that.
            task = self._start(self._ask(kind, key, make, b""), kind)
        elif (joined := self._making.get(name)) is not None:
            self._tally(kind).joined += 1
            task = joined
        else:
            task = self._begin(kind, key, make, name, b"")
        value: T = (await asyncio.shield(task)).value
        return value

    def _consider(self, kind: Kind[T], key: str, make: Make[T], name: str, entry: _Entry, now: float) -> None:
        """Draw whether to have the value made anew, or else only this copy of it fetched again."""
        if name in self._making:
            return
        if is_time(entry.far_until - now, entry.cost, self._chance()):
            instead_of = entry.mark
        elif is_time(entry.until - now, entry.took, self._chance()):
            instead_of = b""
        else:
            return
        self._tally(kind).early += 1
        self._begin(kind, key, make, name, instead_of)

    def _begin(self, kind: Kind[T], key: str, make: Make[T], name: str, mark: bytes) -> asyncio.Task[Held[Any]]:
        task = self._start(self._ask_and_keep(kind, key, make, name, mark), kind)
        self._making[name] = task
        task.add_done_callback(partial(self._end, name))
        return task

    def _start(self, asking: Coroutine[Any, Any, Held[Any]], kind: Kind[Any]) -> asyncio.Task[Held[Any]]:
        """In a task of its own, which goes on when whoever began it leaves."""
        task = asyncio.create_task(asking, name=f"cache-{kind.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _ask_and_keep(self, kind: Kind[T], key: str, make: Make[T], name: str, mark: bytes) -> Held[T]:
        began = self._now()
        held = await self._ask(kind, key, make, mark)
        if self._making.get(name) is asyncio.current_task():  # else it was dropped meanwhile, and this may be old
            self._keep(kind, name, held, took=self._now() - began)
        return held

    async def _ask(self, kind: Kind[T], key: str, make: Make[T], mark: bytes) -> Held[T]:
        if self._far is not None and kind.shared is not None:
            held = await self._far.fetch(kind, key, make, instead_of=mark)
        else:
            held = Held(await make(), left=math.inf, made=True)
        tally = self._tally(kind)
        if held.made:
            tally.made += 1
        else:
            tally.far += 1
        return held

    def _end(self, name: str, task: asyncio.Task[Held[Any]]) -> None:
        if self._making.get(name) is task:
            del self._making[name]
        if task.cancelled() or (error := task.exception()) is None:
            return
        entry = self._kept.get(name)
        if entry is not None:  # it was early, and nobody waits for it
            log.warning("cache_refresh_failed", kind=name.partition(".")[0], error=type(error).__name__)
            entry.calm_until = self._now() + _NOT_AGAIN_SECONDS

    # --- keeping -------------------------------------------------------------------------------------------------

    def _find(self, name: str, now: float) -> _Entry | None:
        entry = self._kept.get(name)
        if entry is None:
            return None
        if entry.until <= now:
            self._remove(name)
            return None
        self._kept.move_to_end(name)
        return entry

    def _keep(self, kind: Kind[T], name: str, held: Held[T], *, took: float) -> None:
        self._remove(name)
        lasts = spread(kind.seconds, self._chance())
        weight = kind.weigh(held.value) + _OVERHEAD
        if min(lasts, held.left) <= 0 or weight > self._most:
            return
        now = self._now()
        until, far_until = now + min(lasts, held.left), now + held.left
        calm_until = min(until - draws_below(took), far_until - draws_below(held.cost))
        self._kept[name] = _Entry(held.value, weight, until, took, far_until, held.cost, held.mark, calm_until)
        self.bytes += weight
        heappush(self._ends, (until, name))
        self._drop_what_is_over(now)
        while self.bytes > self._most:
            self._remove(next(iter(self._kept)))
            self.evicted += 1

    def _drop_what_is_over(self, now: float) -> None:
        """Most of what is kept is never asked for again: it should not wait for the room to be full."""
        if len(self._ends) > 2 * len(self._kept) + _FEW:  # of names that were kept again before
            self._ends = [(entry.until, name) for name, entry in self._kept.items()]
            heapify(self._ends)
        while self._ends and self._ends[0][0] <= now:
            _, name = heappop(self._ends)
            entry = self._kept.get(name)
            if entry is not None and entry.until <= now:
                self._remove(name)

    def _forget(self, name: str) -> None:
        self._remove(name)
        self._making.pop(name, None)

    def _remove(self, name: str) -> None:
        entry = self._kept.pop(name, None)
        if entry is not None:
            self.bytes -= entry.weight

    def _shares(self, kind: Kind[Any]) -> bool:
        return self._far is not None and kind.shared is not None

    def _tally(self, kind: Kind[Any]) -> Tally:
        tally = self.tallies.get(kind.name)
        if tally is None:
            tally = self.tallies[kind.name] = Tally()
        return tally
