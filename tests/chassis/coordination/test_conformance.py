"""Every notifier passes the port's suite; the one over Redis also between two processes' worth of it."""

from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.coordination.redis_notifier import RedisNotifier
from filewright.chassis.testing.conformance.coordination import NotifierSuite


class TestMemoryNotifier(NotifierSuite):
    @pytest.fixture
    def notifier(self):
        return MemoryNotifier()


@pytest.mark.redis
class TestRedisNotifier(NotifierSuite):
    @pytest_asyncio.fixture
    async def notifier(self, redis_server):
        notifier = RedisNotifier(redis_server.url())
        yield notifier
        await notifier.close()


class Across:
    """What is announced on one notifier is listened to on another."""

    def __init__(self, url):
        self.here, self.there = RedisNotifier(url), RedisNotifier(url)

    async def notify(self, topic):
        await self.there.notify(topic)

    @asynccontextmanager
    async def listen(self, topic):
        async with self.here.listen(topic) as listener:
            yield listener

    @asynccontextmanager
    async def follow(self, family, hear):
        async with self.here.follow(family, hear):
            yield

    async def wait(self, topic, timeout):
        return await self.here.wait(topic, timeout)

    async def close(self):
        await self.here.close()
        await self.there.close()


@pytest.mark.redis
class TestRedisNotifierBetweenProcesses(NotifierSuite):
    @pytest_asyncio.fixture
    async def notifier(self, redis_server):
        notifier = Across(redis_server.url())
        yield notifier
        await notifier.close()
