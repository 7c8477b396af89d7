"""Every notifier passes the port's suite."""

import pytest

from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.testing.conformance.coordination import NotifierSuite


class TestMemoryNotifier(NotifierSuite):
    @pytest.fixture
    def notifier(self):
        return MemoryNotifier()
