"""The migrations give exactly the tables that the code works with, on both databases."""

import pytest
from sqlalchemy import inspect, text

from filewright.chassis.db import dialect
from filewright.chassis.db.database import Database
from filewright.chassis.db.migrations import downgrade, drift, is_behind
from filewright.chassis.db.shards import shard_of
from filewright.converter.migrations import LOCATION
from filewright.converter.migrations.tables import artifacts, metadata


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
    defaults = {name for name in found if name.endswith("_default")}  # the partitions that a new table has
    assert set(metadata.tables) | {"alembic_version"} == set(found) - defaults


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
        "signing_keys",  # the service's own
        "audit_anchors",
        "audit_heads",
        "choices",  # counts of pairs of formats, which are nobody's
        "paces",  # how long work took, whosever it was
        "networks",  # lists that operators keep
        "flags",
    }
    nameless = {name for name, table in metadata.tables.items() if "tenant" not in table.columns}
    assert nameless == exempt


def test_an_older_schema_is_behind_and_a_newer_one_is_not():
    assert is_behind(LOCATION, None)
    assert is_behind(LOCATION, "0001")
    assert not is_behind(LOCATION, "of_a_later_version")


async def columns_of(database: Database) -> dict[str, list[str]]:
    def look(connection):
        seen = inspect(connection)
        return {name: sorted(column["name"] for column in seen.get_columns(name)) for name in seen.get_table_names()}

    async with database.read() as session:
        found: dict[str, list[str]] = await (await session.connection()).run_sync(look)
        return found


@pytest.mark.sampled(2)
async def test_the_way_back_leaves_each_revision_as_it_was_on_the_way_up(database, database_url):
    """Row by row is another matter: what only a later schema can hold is gone."""
    url = dialect.async_url(database_url)
    revisions = sorted(path.name[:4] for path in (LOCATION / "versions").glob("0*.py"))
    seen = {}
    for revision in revisions:
        await database.migrate(LOCATION, revision)
        seen[revision] = await columns_of(database)
    for revision in reversed(revisions[:-1]):
        await downgrade(url, LOCATION, revision)
        assert await columns_of(database) == seen[revision], revision
    await database.migrate(LOCATION)
    assert await columns_of(database) == seen[newest()]
    assert await drift(database, metadata) == []


async def test_rows_that_were_there_are_there_after_an_upgrade_and_after_the_way_back(database, database_url):
    url = dialect.async_url(database_url)
    await database.migrate(LOCATION, "0003")
    moment = "'2026-01-01 00:00:00.000000'" if database.dialect == "sqlite" else "'2026-01-01T00:00:00Z'"
    old = (
        "INSERT INTO artifacts (id, tenant, filename, media_type, bytes, sha256, parts, created_at) "
        f"VALUES ('art_1', 'me', 'a.txt', 'text/plain', 5, '{'0' * 64}', '[]', {moment})"
    )
    async with database.write() as session:
        await session.execute(text(old))
    await database.migrate(LOCATION)
    async with database.read() as session:
        artifact = await session.get_one(artifacts.ArtifactRow, "art_1")
        assert (artifact.filename, artifact.shared) == ("a.txt", False)
    await downgrade(url, LOCATION, "0003")
    async with database.read() as session:
        assert (await session.execute(text("SELECT filename FROM artifacts"))).scalars().all() == ["a.txt"]


@pytest.mark.requirement("E6")
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_tables_that_only_grow_are_cut_by_date(database):
    await database.migrate(LOCATION)
    statement = text("SELECT partrelid::regclass::text, partstrat::text FROM pg_partitioned_table")
    async with database.read() as session:
        found = {(name, strategy) for name, strategy in await session.execute(statement)}
    assert found == {("audit_logs", "r"), ("user_sessions", "r"), ("api_requests", "r")}


@pytest.mark.requirement("E7")
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_database_and_the_program_agree_on_shards(database):
    await database.migrate(LOCATION)
    tenants = [f"usr_{number:026d}" for number in range(500)] + ["", "local", "ip:203.0.113.7", "日本語", "a'b\\c"]
    statement = text("SELECT filewright_shard(t) FROM unnest(CAST(:all AS text[])) t")
    async with database.read() as session:
        assert list(await session.scalars(statement, {"all": tenants})) == [shard_of(tenant) for tenant in tenants]
