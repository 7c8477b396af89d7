"""Every queue passes the port's suite."""

import pytest
import pytest_asyncio

from filewright.chassis.queue.celery_queue import CeleryQueue
from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.testing.conformance.queue import TaskQueueSuite

SECRET = b"a secret of the tests, of 32 bytes or more"


class TestEmbeddedQueue(TaskQueueSuite):
    @pytest.fixture
    def queue(self):
        return EmbeddedQueue(capacity=100)


@pytest.mark.redis
class TestCeleryQueue(TaskQueueSuite):
    @pytest_asyncio.fixture
    async def queue(self, redis_server):
        queue = CeleryQueue(redis_server.url(), SECRET, capacity=100)
        yield queue
        await queue.close()


class Across:
    """What is published on one queue is taken from another."""

    def __init__(self, url):
        self._here, self._there = (CeleryQueue(url, SECRET, capacity=100) for _ in range(2))

    async def publish(self, task):
        await self._there.publish(task)

    async def publish_all(self, tasks):
        return await self._there.publish_all(tasks)

    async def take(self, timeout):
        return await self._here.take(timeout)

    async def depth(self):
        return await self._there.depth()

    async def close(self):
        await self._here.close()
        await self._there.close()


@pytest.mark.redis
class TestCeleryQueueBetweenProcesses(TaskQueueSuite):
    @pytest_asyncio.fixture
    async def queue(self, redis_server):
        queue = Across(redis_server.url())
        yield queue
        await queue.close()
