"""The migrations give exactly the tables that the code works with, on both databases."""

import pytest
from sqlalchemy import inspect

from filewright.chassis.db.database import Database
from filewright.chassis.db.migrations import drift, is_behind
from filewright.converter.migrations import LOCATION
from filewright.converter.migrations.tables import metadata


def newest() -> str:
    return max(path.name[:4] for path in (LOCATION / "versions").glob("0*.py"))


async def nothing(database: Database) -> None:
    """An empty database."""


@pytest.fixture
def database_schema():
    return nothing


async def test_an_empty_database_gets_every_table(database):
    await database.migrate(LOCATION)
    async with database.read() as session:
        found = await (await session.connection()).run_sync(lambda connection: inspect(connection).get_table_names())
    assert set(metadata.tables) | {"alembic_version"} == set(found)


async def test_the_tables_of_the_code_and_of_the_migrations_do_not_differ(database):
    await database.migrate(LOCATION)
    assert await drift(database, metadata) == []


async def test_migrating_twice_changes_nothing(database):
    await database.migrate(LOCATION)
    before = await database.revision()
    await database.migrate(LOCATION)
    assert await database.revision() == before == newest()


async def test_every_table_with_files_or_jobs_names_its_tenant():
    exempt = {
        "outbox",  # task ids only, for the time between a commit and its hint
        "leaders",  # who keeps the machinery going,
        "ticks",  # and what it did when: nothing of anybody's
        "choices",  # counts of pairs of formats, which are nobody's
    }
    nameless = {name for name, table in metadata.tables.items() if "tenant" not in table.columns}
    assert nameless == exempt


def test_an_older_schema_is_behind_and_a_newer_one_is_not():
    assert is_behind(LOCATION, None)
    assert is_behind(LOCATION, "0001")
    assert not is_behind(LOCATION, "of_a_later_version")
