"""The tables come from the product's migrations: triggers are part of what is tested."""

from __future__ import annotations

import pytest

from filewright.chassis.audit.copies import Copies
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.db.database import Database
from filewright.chassis.storage.local import LocalStore
from filewright.converter.migrations import LOCATION

SECRET = b"a secret of more than thirty-two bytes"


async def migrated(database: Database) -> None:
    await database.migrate(LOCATION)


@pytest.fixture
def database_schema():
    return migrated


@pytest.fixture
def database_clock(clock):
    return clock


@pytest.fixture
def seals() -> Seals:
    return Seals(SECRET)


@pytest.fixture
def audit(database, seals) -> Audit:
    return Audit(database, seals)


@pytest.fixture
def copies(database, audit, seals, tmp_path) -> Copies:
    return Copies(database, LocalStore(tmp_path / "elsewhere"), audit, seals)
