"""Databases with the suite's tables in them."""

import pytest

from filewright.chassis.testing.conformance.database import suite_tables


@pytest.fixture
def database_schema():
    return suite_tables
