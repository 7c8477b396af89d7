"""The tables come from the product's migrations: triggers are part of what is tested."""

from __future__ import annotations

import pytest

from filewright.chassis.audit.copies import Copies
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.storage.local import LocalStore
from tablekit import database_clock, database_schema

__all__ = ["database_clock", "database_schema"]

SECRET = b"a secret of more than thirty-two bytes"


@pytest.fixture
def seals() -> Seals:
    return Seals(SECRET)


@pytest.fixture
def audit(database, seals) -> Audit:
    return Audit(database, seals)


@pytest.fixture
def copies(database, audit, seals, tmp_path) -> Copies:
    return Copies(database, LocalStore(tmp_path / "elsewhere"), audit, seals)
