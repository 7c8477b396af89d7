"""Every cache passes the port's suite: memory, memory over Redis, Redis alone; and Redis that of a far one."""

import itertools
from dataclasses import replace

import pytest
import pytest_asyncio

from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.redis_level import RedisLevel
from filewright.chassis.clock import SystemClock
from filewright.chassis.testing.conformance.cache import CacheSuite, LevelSuite

SECRET = b"s" * 32
PATIENT = 20.0
"""Seconds: a busy machine is not a Redis that does not answer."""
_count = itertools.count()


def level(server, scope):
    return RedisLevel(server.url(), SECRET, SystemClock(), scope=scope, answer_seconds=PATIENT)


@pytest.fixture
def scope():
    return f"test{next(_count)}"


@pytest.mark.requirement("G1")
class TestMemoryCache(CacheSuite):
    @pytest_asyncio.fixture
    async def cache(self):
        cache = MemoryCache(SystemClock())
        yield cache
        await cache.close()


@pytest.mark.redis
@pytest.mark.requirement("G1", "G2")
class TestMemoryOverRedis(CacheSuite):
    @pytest_asyncio.fixture
    async def cache(self, redis_server, scope):
        cache = MemoryCache(SystemClock(), far=level(redis_server, scope))
        yield cache
        await cache.close()


class NothingNear:
    """Each reader asks the far cache, whatever the kind says of the near one."""

    def __init__(self, cache):
        self._cache = cache

    def _kind(self, kind):
        return kind if kind.shared is None else replace(kind, seconds=0)

    async def get(self, kind, key, make):
        return await self._cache.get(self._kind(kind), key, make)

    async def drop(self, kind, key):
        await self._cache.drop(self._kind(kind), key)

    def peek(self, kind, key):
        return self._cache.peek(self._kind(kind), key)

    def put(self, kind, key, value):
        self._cache.put(self._kind(kind), key, value)


@pytest.mark.redis
@pytest.mark.requirement("G2")
class TestRedisAlone(CacheSuite):
    @pytest_asyncio.fixture
    async def cache(self, redis_server, scope):
        cache = MemoryCache(SystemClock(), far=level(redis_server, scope))
        yield NothingNear(cache)
        await cache.close()


@pytest.mark.redis
@pytest.mark.requirement("G2")
class TestRedisLevel(LevelSuite):
    @pytest_asyncio.fixture
    async def one(self, redis_server, scope):
        one = level(redis_server, scope)
        yield one
        await one.close()

    @pytest_asyncio.fixture
    async def other(self, redis_server, scope):
        other = level(redis_server, scope)
        yield other
        await other.close()
