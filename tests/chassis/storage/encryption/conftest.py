"""Keys in a folder of the test's, and an encrypted store over memory."""

import base64
import os

import pytest

from filewright.chassis.storage.encryption.master import MasterKeyFile
from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.obstore_store import open_store


def a_key() -> bytes:
    """As `openssl rand -base64 48` makes it."""
    return base64.b64encode(os.urandom(48)) + b"\n"


@pytest.fixture
def master(tmp_path):
    path = tmp_path / "master.key"
    path.write_bytes(a_key())
    return path


@pytest.fixture
def keys(master, clock):
    return TenantKeys(master.with_name("master.key.tenants"), MasterKeyFile(master), clock)


@pytest.fixture
def bucket():
    """What somebody sees who has the bucket and nothing else."""
    return open_store("memory://")


@pytest.fixture
def sealed(bucket, keys):
    return EncryptedStore(bucket, keys)
