"""An encrypted store passes the port's suite, over a folder, memory and a bucket."""

import pytest

from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.testing.conformance.storage import ObjectStoreSuite


class TestEncryptedStore(ObjectStoreSuite):
    @pytest.fixture
    def store(self, store, keys):
        return EncryptedStore(store, keys)
