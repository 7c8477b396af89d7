"""Notifications within one process and one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager

from filewright.chassis.coordination.port import Hear
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)


class MemoryListener:
    """Remembers that it heard something until a wait has told of it."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()

    def hear(self) -> None:
        self._heard.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        return True


class MemoryNotifier:
    """The embedded adapter. Holds nothing for a topic that nobody listens to."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[MemoryListener]] = {}
        self._followers: dict[str, list[Hear]] = {}

    async def notify(self, topic: str) -> None:
        self.wake(topic)
        if self._followers:
            _tell(self._followers.get(topic.partition(":")[0], ()), topic)

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[MemoryListener]:
        listener = MemoryListener()
        self._listeners.setdefault(topic, set()).add(listener)
        try:
            yield listener
        finally:
            listeners = self._listeners[topic]
            listeners.discard(listener)
            if not listeners:
                del self._listeners[topic]

    @asynccontextmanager
    async def follow(self, family: str, hear: Hear) -> AsyncIterator[None]:
        self._followers.setdefault(family, []).append(hear)
        try:
            yield
        finally:
            followers = self._followers[family]
            followers.remove(hear)
            if not followers:
                del self._followers[family]

    def listened(self, family: str) -> Collection[str]:
        return [topic for topic in self._listeners if topic.startswith(f"{family}:")]

    def wake(self, topic: str) -> bool:
        listeners = self._listeners.get(topic, ())
        for listener in listeners:
            listener.hear()
        return bool(listeners)

    async def wait(self, topic: str, timeout: float) -> bool:  # noqa: ASYNC109
        async with self.listen(topic) as listener:
            return await listener.wait(timeout)

    async def close(self) -> None:
        await self.wake_all()

    async def wake_all(self) -> None:
        """Announce every topic to which somebody listens, and to followers that they may have missed some."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.hear()
        for followers in self._followers.values():
            _tell(followers, None)


def _tell(followers: Iterable[Hear], topic: str | None) -> None:
    for hear in tuple(followers):
        try:
            hear(topic)
        except Exception:
            # Whoever announces must not fail for one who listens badly.
            log.exception("follower_failed", topic=topic)
