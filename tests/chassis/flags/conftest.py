from __future__ import annotations

import pytest

from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.flags.service import Flags
from tablekit import database_clock, database_schema

__all__ = ["database_clock", "database_schema"]


@pytest.fixture
def audit(database) -> Audit:
    return Audit(database, Seals(b"s" * 32))


@pytest.fixture
def notifier() -> MemoryNotifier:
    return MemoryNotifier()


@pytest.fixture
def make_flags(database, audit, clock, notifier):
    """As another process has them, which hears the same news."""
    return lambda: Flags(database, MemoryCache(clock, notifier=notifier), audit)


@pytest.fixture
def flags(make_flags) -> Flags:
    return make_flags()
