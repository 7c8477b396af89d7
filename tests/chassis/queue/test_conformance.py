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
