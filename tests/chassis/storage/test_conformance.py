"""Every store passes the port's suite."""

from filewright.chassis.testing.conformance.storage import ObjectStoreSuite


class TestEveryStore(ObjectStoreSuite):
    """The `store` fixture comes as a local folder, as memory and as a bucket."""
