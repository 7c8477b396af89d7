"""The tables come from the migrations, and the database's clock is the test's."""

import pytest

from tablekit import migrated


@pytest.fixture
def database_schema():
    return migrated


@pytest.fixture
def database_clock(clock):
    return clock
