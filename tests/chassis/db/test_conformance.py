"""SQLite, PostgreSQL and PostgreSQL behind a pooler pass the same suite."""

import pytest

from filewright.chassis.testing.conformance.database import DatabaseSuite


class TestEveryDatabase(DatabaseSuite):
    """The `database` fixture comes as SQLite and as PostgreSQL."""


@pytest.mark.postgres
class TestPooledDatabase(DatabaseSuite):
    """Each unit of work may meet another connection of the server, and nothing outlives it there."""

    @pytest.fixture
    def database_url(self, _postgres_templates, pgbouncer_server, database_schema, tmp_path):
        direct = _postgres_templates.copy(database_schema, tmp_path)
        return pgbouncer_server.url(direct.rpartition("/")[2])
