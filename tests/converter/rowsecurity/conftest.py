"""The tables come from the migrations, the policies with them."""

import pytest

from filewright.converter.migrations import LOCATION


async def migrated(database):
    """All tables, as a real installation has them."""
    await database.migrate(LOCATION)


@pytest.fixture
def database_schema():
    return migrated
