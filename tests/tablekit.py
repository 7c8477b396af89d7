"""The tables of a real installation, for tests of whatever needs them.

One function for all: each database of the tests is copied from one that was made by the same function before, so every
function of its own would have all migrations run once more in each process of a run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from filewright.chassis.db.database import Database
from filewright.chassis.testing.clock import FakeClock
from filewright.converter.migrations import LOCATION


async def migrated(database: Database) -> None:
    """All tables, by all migrations."""
    await database.migrate(LOCATION)


@pytest.fixture
def database_schema() -> Callable[[Database], Awaitable[None]]:
    """Imported by a conftest: its tests have all tables."""
    return migrated


@pytest.fixture
def database_clock(clock: FakeClock) -> FakeClock:
    """Imported by a conftest: the database's time is the test's."""
    return clock
