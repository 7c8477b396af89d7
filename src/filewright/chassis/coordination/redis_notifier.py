"""Notifications between processes, over Redis publish and subscribe.

A process hears everything on one connection and picks what somebody here listens to; its own listeners hear at once,
whether Redis is there or not. Announcing never waits for Redis: what was announced is sent from a task, many topics in
one message. When the connection broke, everybody here is woken as soon as it is back, since nobody knows what was
announced meanwhile; until then waiters look after their timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import orjson
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from filewright.chassis.coordination.kept_connection import KeptConnection
from filewright.chassis.coordination.memory import MemoryListener, MemoryNotifier
from filewright.chassis.coordination.port import Hear
from filewright.chassis.coordination.redis_address import RedisAddress, let_go
from filewright.chassis.tasks import ended
from filewright.chassis.telemetry.logs import get_logger

PING_SECONDS = 5.0
"""After so much silence the server is asked whether it is there, and given as long again to answer."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
_READY_SECONDS = 2.0
_GATHER_SECONDS = 0.02
"""After a message, for as long the topics for the next are gathered: what comes alone goes at once."""
_MOST_TOPICS = 10_000
_LARGEST = 1_000_000

log = get_logger(__name__)


class RedisNotifier:
    """Processes hear one another that have the same address and the same `scope`. Raises ValueError for a bad address.

    Publish and subscribe knows no databases, so the number of the database is part of the channel's name.
    """

    def __init__(self, url: str, *, scope: str = "filewright", ping: float = PING_SECONDS) -> None:
        address = RedisAddress.parse(url)
        self._channel = f"{scope}/{address.database}/news"
        self._redis = address.client()
        self._ask = KeptConnection(self._redis)
        self._me = secrets.token_hex(8)
        self._here = MemoryNotifier()
        self._ping = ping
        self._unsent: dict[str, None] = {}
        self._something_unsent = asyncio.Event()
        self._first_try = asyncio.Event()
        self._hears = False
        self._may_have_missed = False
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    async def notify(self, topic: str) -> None:
        await self._here.notify(topic)
        if self._closed:
            return
        self._unsent[topic] = None
        if len(self._unsent) > _MOST_TOPICS:
            del self._unsent[next(iter(self._unsent))]
        self._something_unsent.set()
        self._begin()

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[MemoryListener]:
        """The first listeners of a process wait until it hears, or until it is plain that it does not yet."""
        async with self._here.listen(topic) as listener:
            self._begin()
            if not self._first_try.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._first_try.wait(), _READY_SECONDS)
                self._may_have_missed |= not self._hears
            yield listener

    @asynccontextmanager
    async def follow(self, family: str, hear: Hear) -> AsyncIterator[None]:
        """Waits for nothing: who follows before the process hears is told, once it does, that it missed some."""
        async with self._here.follow(family, hear):
            self._may_have_missed |= not self._hears
            self._begin()
            yield

    def listened(self, family: str) -> Collection[str]:
        return self._here.listened(family)

    def wake(self, topic: str) -> bool:
        return self._here.wake(topic)

    async def wait(self, topic: str, timeout: float) -> bool:  # noqa: ASYNC109
        async with self.listen(topic) as listener:
            return await listener.wait(timeout)

    async def close(self) -> None:
        self._closed = True
        tasks, self._tasks = self._tasks, []
        await ended(tasks, again=0.1)  # a cancellation can get lost in the client's own time-outs
        self._first_try.set()  # nobody who just came waits for what will not be
        await self._here.close()
        await self._ask.close()
        await let_go(self._redis)

    def _begin(self) -> None:
        if not self._tasks and not self._closed:
            self._tasks = [
                asyncio.create_task(self._send(), name="notifier-send"),
                asyncio.create_task(self._hear(), name="notifier-hear"),
            ]

    # --- announcing ----------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        while not self._closed:
            await self._something_unsent.wait()
            self._something_unsent.clear()
            topics, self._unsent = list(self._unsent), {}
            try:
                await self._ask("PUBLISH", self._channel, orjson.dumps([self._me, *topics]))
            except (RedisError, OSError) as error:
                # Whoever lost the connection looks again when it is back; whoever did not looks after a timeout.
                log.warning("announcements_lost", topics=len(topics), error=type(error).__name__)
            await asyncio.sleep(_GATHER_SECONDS)

    # --- hearing -------------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        """Listen for ever, on one connection after another."""
        pause = FIRST_PAUSE
        while not self._closed:
            try:
                async with self._redis.pubsub() as news:
                    await news.subscribe(self._channel)
                    await self._read(news)
            except (RedisError, OSError) as error:
                if self._hears:
                    log.warning("notifier_lost_redis", error=type(error).__name__)
                    pause = FIRST_PAUSE
                self._hears = False
                self._first_try.set()
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads those that were cut off together
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _read(self, news: PubSub) -> None:
        """Take what comes until the connection breaks, or does not even answer a ping. Raises RedisError, OSError."""
        asked = False
        while not self._closed:
            message = await news.get_message(timeout=self._ping)
            if message is None:
                if asked:
                    raise TimeoutError("no answer to a ping")
                await news.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "subscribe":
                await self._begin_to_hear()
            elif message["type"] == "message":
                await self._pass_on(message["data"])

    async def _begin_to_hear(self) -> None:
        """On this connection, for the first time or, when the client has mended it, again."""
        if self._may_have_missed:
            await self._here.wake_all()
        self._hears = self._may_have_missed = True
        self._first_try.set()

    async def _pass_on(self, data: bytes) -> None:
        for topic in _topics(data, self._me):
            await self._here.notify(topic)


def _topics(data: bytes, me: str) -> list[str]:
    """What another process announced; nothing for our own words or for nonsense, which can do no harm here."""
    try:
        said = orjson.loads(data) if len(data) <= _LARGEST else None
    except orjson.JSONDecodeError:
        return []
    if not isinstance(said, list) or not all(isinstance(part, str) for part in said) or said[:1] == [me]:
        return []
    return said[1:]
