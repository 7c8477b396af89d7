"""The tables come from the migrations."""

import pytest

from filewright.chassis.db.database import Database
from filewright.converter.migrations import LOCATION


async def migrated(database: Database) -> None:
    """All tables, as a real installation has them."""
    await database.migrate(LOCATION)


@pytest.fixture
def database_schema():
    return migrated
