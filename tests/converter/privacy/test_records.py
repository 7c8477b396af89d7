"""Every table that holds something of somebody is shown to them, and emptied for them, or a test here fails."""

import io
import zipfile

import orjson
import pytest
import sqlalchemy as sa

from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.clock import SystemClock
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.local import LocalStore
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.migrations.tables import metadata
from filewright.converter.privacy.certificates import Signer
from filewright.converter.privacy.erasing import Erasures
from filewright.converter.privacy.exporting import Exports
from filewright.converter.privacy.records import RECORDS, tables_of_tenants, uncovered


def audit_of(database):
    return Audit(database, Seals(b"a secret of more than thirty-two bytes"))


NOW = SystemClock().now()
"""For which there are partitions."""


@pytest.mark.requirement("S27")
def test_of_every_table_with_a_tenant_it_is_said_what_an_export_and_an_erasure_do_with_it():
    assert uncovered(metadata) == set()
    assert set(RECORDS) == {table.name for table in tables_of_tenants(metadata)}
    for name, record in RECORDS.items():
        assert record.what
        assert record.hidden <= set(metadata.tables[name].columns.keys()), name


@pytest.mark.requirement("S27")
@pytest.mark.parametrize("column", ["tenant", "tenant_id", "user_id", "owner"])
def test_a_new_table_of_which_nobody_has_said_anything_is_noticed(column):
    fresh = sa.MetaData()
    sa.Table("diaries", fresh, sa.Column("id", sa.String, primary_key=True), sa.Column(column, sa.String))
    assert uncovered(fresh) == {"diaries"}


async def fill(database, tenant, number):
    """A row in every table that has tenants, with the tenant's name in whatever takes text; gives them by table."""
    made = {}
    async with database.write() as session:
        for table in tables_of_tenants(metadata):
            row = {}
            for column in table.columns:
                keys = list(column.foreign_keys)
                if keys:
                    row[column.name] = made[keys[0].column.table.name][keys[0].column.name]
                else:
                    row[column.name] = value_for(column, tenant, number)
            row["tenant"] = tenant
            if table.name == "artifacts":
                row["erased_at"] = None
            made[table.name] = row
            await session.execute(sa.insert(table).values(**row))
    return made


def value_for(column, tenant, number):
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, sa.LargeBinary):
        return f"secret of {tenant}".encode()
    if isinstance(kind, sa.Integer | sa.BigInteger | sa.SmallInteger):
        return number
    if isinstance(kind, sa.Float | sa.Numeric):
        return 1.5
    if isinstance(kind, sa.String):
        return f"{tenant}_{column.name}"[: kind.length or 40]
    if isinstance(kind, sa.DateTime | sa.TypeDecorator):
        return NOW
    if column.name == "parts":
        return []
    if isinstance(kind, sa.JSON):
        return {"of": tenant}
    raise AssertionError(f"say here what a {kind!r} may hold, for {column}")


async def counts(database, tenant):
    found = {}
    async with database.read() as session:
        for table in tables_of_tenants(metadata):
            statement = sa.select(sa.func.count()).select_from(table).where(table.c.tenant == tenant)
            found[table.name] = (await session.scalars(statement)).one()
    return found


@pytest.fixture
async def both(database):
    return {name: await fill(database, name, number) for number, name in enumerate(("alice", "bob"), 1)}


@pytest.mark.requirement("S27")
async def test_an_export_has_every_row_of_its_tenant_and_none_of_another(database, tmp_path, clock, both):
    exports = Exports(
        database, Artifacts(database, LocalStore(tmp_path / "objects"), RandomIds(clock)), metadata, audit_of(database)
    )
    archive = zipfile.ZipFile(io.BytesIO(b"".join([block async for block in exports.of("alice")])))
    index = orjson.loads(archive.read("index.json"))
    assert set(index["tables"]) == set(RECORDS)
    for name, record in RECORDS.items():
        (line,) = archive.read(f"data/{name}.ndjson").splitlines()
        row = orjson.loads(line)
        assert row["tenant"] == "alice"
        assert set(row) == set(metadata.tables[name].columns.keys()) - record.hidden
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"bob" not in everything
    assert b"secret of" not in everything


@pytest.mark.requirement("S26", "S27")
async def test_an_erasure_empties_every_table_but_those_that_say_why_not_and_leaves_others_alone(
    database, tmp_path, clock, both
):
    store = LocalStore(tmp_path / "objects")
    erasures = Erasures(
        database, store, RandomIds(clock), Signer(b"s" * 32), MemoryNotifier(), metadata, audit=audit_of(database)
    )
    before = await counts(database, "bob")
    erasure = await erasures.order("alice")
    assert await erasures.run_once() >= 1
    left = {name for name, count in (await counts(database, "alice")).items() if count}
    assert left == {name for name, record in RECORDS.items() if record.kept}
    assert await counts(database, "bob") == before
    assert (await erasures.get(erasure.id)).done
