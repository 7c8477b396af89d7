"""SQLite and PostgreSQL pass the same suite."""

from filewright.chassis.testing.conformance.database import DatabaseSuite


class TestEveryDatabase(DatabaseSuite):
    """The `database` fixture comes as SQLite and as PostgreSQL."""
