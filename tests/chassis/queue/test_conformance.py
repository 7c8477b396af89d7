"""Every queue passes the port's suite."""

import pytest

from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.testing.conformance.queue import TaskQueueSuite


class TestEmbeddedQueue(TaskQueueSuite):
    @pytest.fixture
    def queue(self):
        return EmbeddedQueue(capacity=100)
