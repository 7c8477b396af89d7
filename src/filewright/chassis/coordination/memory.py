"""Notifications within one process and one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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

    async def notify(self, topic: str) -> None:
        for listener in self._listeners.get(topic, ()):
            listener.hear()

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

    async def wait(self, topic: str, timeout: float) -> bool:  # noqa: ASYNC109
        async with self.listen(topic) as listener:
            return await listener.wait(timeout)

    async def close(self) -> None:
        await self.wake_all()

    async def wake_all(self) -> None:
        """Announce every topic to which somebody listens."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.hear()
