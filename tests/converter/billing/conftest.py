"""The tables come from the migrations, and the database's clock is the test's; `billingkit` is on the path."""

import sys
from pathlib import Path

import pytest

from tablekit import migrated

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def database_schema():
    return migrated


@pytest.fixture
def database_clock(clock):
    return clock
