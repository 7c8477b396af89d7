"""The tables come from the migrations, and the database's clock is the test's."""

import base64
import os

import pytest

from filewright.chassis.storage.encryption.master import MasterKeyFile
from filewright.chassis.storage.encryption.tenants import TenantKeys
from tablekit import database_clock, database_schema

__all__ = ["database_clock", "database_schema"]


@pytest.fixture
def keys(tmp_path, clock):
    master = tmp_path / "keys" / "master.key"
    master.parent.mkdir()
    master.write_bytes(base64.b64encode(os.urandom(48)))
    return TenantKeys(master.with_name("master.key.tenants"), MasterKeyFile(master), clock)
