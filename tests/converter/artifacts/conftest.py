"""The tables come from the migrations."""

import pytest

from tablekit import migrated


@pytest.fixture
def database_schema():
    return migrated
