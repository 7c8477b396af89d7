"""Migrations run from the program, on both databases, in several processes at once, wholly or not at all."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest
from sqlalchemy import String, inspect, text

from filewright.chassis.db.database import Database
from filewright.chassis.db.migrations import drift
from filewright.chassis.testing.conformance.database import SuiteBase, suite_tables

TREE = Path(__file__).with_name("tree")


async def nothing(database: Database) -> None:
    """An empty database."""


@pytest.fixture
def database_schema():
    return nothing


async def tables(database: Database) -> set[str]:
    async with database.read() as session:
        return set(
            await (await session.connection()).run_sync(lambda connection: inspect(connection).get_table_names())
        )


async def test_a_database_that_was_never_migrated_has_no_revision(database):
    assert await database.revision() is None


async def test_an_empty_database_comes_to_the_newest_revision_and_stays_there(database):
    await database.migrate(TREE)
    await database.migrate(TREE)
    assert await database.revision() == "0002"
    assert await tables(database) == {"alembic_version", "author", "book"}


async def test_rows_that_refer_to_a_remade_table_survive_it(database):
    await database.migrate(TREE, "0001")
    async with database.write() as session:
        await session.execute(text("INSERT INTO author VALUES ('a', '1900')"))
        await session.execute(text("INSERT INTO book VALUES ('b', 'a')"))
    await database.migrate(TREE)
    async with database.read() as session:
        assert (await session.execute(text("SELECT id, author FROM book"))).all() == [("b", "a")]


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(database, tmp_path):
    tree = shutil.copytree(TREE, tmp_path / "tree")
    (tree / "versions" / "0003_breaks.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\nrevision = '0003'\ndown_revision = '0002'\n"
        "def upgrade():\n    op.create_table('half', sa.Column('id', sa.Integer))\n"
        "    raise RuntimeError('on purpose')\n"
    )
    with pytest.raises(RuntimeError, match="on purpose"):
        await database.migrate(tree)
    assert await database.revision() is None
    assert await tables(database) <= {"alembic_version"}
    await database.migrate(TREE)


async def test_processes_that_start_at_once_migrate_once(database, database_url):
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, Path(__file__).with_name("migrator.py"), database_url, TREE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, output) == (0, b"0002\n"), errors.decode()


async def test_a_database_made_from_the_tables_has_no_drift_and_one_that_differs_has(database):
    await suite_tables(database)
    assert await drift(database, SuiteBase.metadata) == []
    async with database.write() as session:
        await session.execute(text("ALTER TABLE suite_note ADD COLUMN extra VARCHAR(3)"))
    [(change, _, table, column)] = await drift(database, SuiteBase.metadata)
    assert (change, table, column.name) == ("remove_column", "suite_note", "extra")
    assert isinstance(column.type, String)


async def test_a_tree_run_by_hand_says_how_it_is_run():
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(TREE))
    with pytest.raises(RuntimeError, match=r"call Database\.migrate"):
        await asyncio.to_thread(command.upgrade, config, "head")
