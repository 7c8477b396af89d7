"""A Redis that can be done without: each question has a moment, and after one without an answer there is none for a
while.

For what is kept (`redis_level.py`), and for whatever else is shared and not vital, as counts of requests are. Who asks
and is told nothing decides what that means: make the value, let the request through, or refuse it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from filewright.chassis.cache.breaker import Breaker
from filewright.chassis.clock import Clock
from filewright.chassis.coordination.redis_address import RedisAddress, let_go
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

ANSWER_SECONDS = 0.1
"""Redis answers in a thousandth of it; who waits longer had better do without."""
_AT_ONCE = 16
_MOST_OWED = 10_000


class OptionalRedis:
    """One client, for all who share its fate. Raises ValueError for a bad address.

    `client` is for making commands; they go to Redis through `ask` only.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        chance: Callable[[], float] = random.random,
    ) -> None:
        # `ask` has the one limit on time; the client's own would make a task for each command.
        limits = {"socket_timeout": None, "socket_connect_timeout": answer_seconds}
        self.client: Redis = RedisAddress.parse(url).client(**limits)
        self._answer_seconds = answer_seconds
        self._breaker = Breaker(clock.monotonic, chance)
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._closed = False
        self._owed: dict[str, None] = {}
        self.unanswered = 0
        """How often it was asked and did not answer in time."""
        self.unasked = 0
        """How often it was not asked, because it had not answered before."""

    async def ask(self, command: Callable[[], Awaitable[Any]]) -> Any:
        """The answer; None when there is none, after `answer_seconds` at the latest."""
        if self._closed or not self._breaker.allows():
            self.unasked += 1
            return None
        try:
            async with asyncio.timeout(self._answer_seconds), self._room:
                if self._owed:
                    await self._pay()
                answer = await command()
        except (RedisError, OSError) as error:
            self.unanswered += 1
            if self._breaker.failed():
                log.warning("cache_lost_redis", error=type(error).__name__)
            return None
        if self._breaker.succeeded():
            log.info("cache_found_redis")
        return answer

    async def delete(self, *names: str) -> None:
        """Delete these; what cannot be told now is told before anything else is asked for."""
        if await self.ask(lambda: self.client.delete(*names)) is not None:
            return
        self._owed |= dict.fromkeys(names)
        while len(self._owed) > _MOST_OWED:
            del self._owed[next(iter(self._owed))]

    async def close(self) -> None:
        """Let go of connections, once what was asked is answered; later questions get none.

        Closed under a command, a connection looks broken to the client, which would open it again.
        """
        if not self._closed:
            self._closed = True
            for _ in range(_AT_ONCE):
                await self._room.acquire()
        await let_go(self.client)

    async def _pay(self) -> None:
        owed = tuple(self._owed)
        await self.client.delete(*owed)
        for name in owed:
            self._owed.pop(name, None)
