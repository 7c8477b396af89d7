"""A tenant with many files, in PostgreSQL and a bucket, of both of which somebody has copies from before."""

from __future__ import annotations

import asyncio
import secrets
import time
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.encryption.store import SUFFIX, EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.port import ObjectMissing
from filewright.chassis.testing.fixtures import s3_store
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.migrations.tables import metadata
from filewright.converter.privacy.certificates import Signer
from filewright.converter.privacy.erasing import Erasures

pytestmark = [
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),
    pytest.mark.s3,
]
SECRET = b"only alice may read this, "
AT_ONCE = 32
LONG = [pytest.mark.long, pytest.mark.alone, pytest.mark.timeout(1800)]


@pytest.fixture
def bucket(s3_server):
    return s3_store(s3_server)


@pytest.fixture
def vault(shop, keys, clock, bucket):
    return type(shop)(shop.folder, shop.database, clock, RandomIds(clock), EncryptedStore(bucket, keys))


async def side_by_side(works):
    """A few at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(work):
        async with turn:
            return await work

    return await asyncio.gather(*(one(work) for work in works))


async def many(vault, tenant, count):
    """So many files with their rows, quicker than by uploading each."""
    names = [f"uploads/upl_{tenant}{n}/0" for n in range(count)]
    await side_by_side(vault.store.put(key, SECRET + key.encode(), owner=tenant) for key in names)
    async with vault.database.write() as session:
        now = await vault.database.now(session)
        session.add_all(
            ArtifactRow(
                id=f"art_{tenant}{n}", tenant=tenant, filename=f"{n}.txt", media_type="text/plain", format="txt",
                bytes=30, sha256=f"{n:064x}", parts=[{"key": key, "bytes": 30}], created_at=now,
            )
            for n, key in enumerate(names)
        )  # fmt: skip
    return names


async def copy_of(bucket, s3_server):
    """Every object as it lies there, in a place of its own."""
    copied = s3_store(s3_server)
    found = [info.key async for info in bucket.list()]

    async def one(key):
        await copied.put(key, b"".join([block async for block in bucket.get(key)]))

    await side_by_side(one(key) for key in found)
    return copied


@pytest.fixture
def copy_of_database(database_url, postgres_server):
    """Makes one, of a database that nobody is connected to."""
    name = f"copy_{secrets.token_hex(4)}"

    def make():
        source = urlsplit(database_url).path[1:]
        postgres_server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{source}'")
        postgres_server.execute(f'CREATE DATABASE {name} TEMPLATE "{source}"')
        return postgres_server.url(name)

    yield make
    postgres_server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.requirement("S26", "J4")
@pytest.mark.parametrize("count", [40, pytest.param(10_000, marks=LONG)])
async def test_of_an_erased_tenant_nothing_can_be_read_in_copies_of_database_and_bucket(
    vault, keys, bucket, s3_server, copy_of_database, clock, count
):
    hers = await many(vault, "alice", count)
    [his] = await many(vault, "bob", 1)
    copied_bucket, copied_database = await copy_of(bucket, s3_server), copy_of_database()

    parts = (vault.database, vault.store, vault.ids, Signer(b"s" * 32), vault.notifier, metadata)
    erasures = Erasures(*parts, audit=vault.audit, keys=keys)
    await erasures.order("alice")
    began = time.monotonic()
    assert await erasures.run_once() == 1
    seconds = time.monotonic() - began
    assert [info.key async for info in bucket.list()] == [his + SUFFIX]

    database = Database(copied_database, clock=clock)
    try:
        async with database.read() as session:
            rows = select(func.count()).select_from(ArtifactRow).where(ArtifactRow.tenant == "alice")
            assert await session.scalar(rows) == count, "the copy is from before"
    finally:
        await database.close()
    opened = EncryptedStore(copied_bucket, TenantKeys(keys._folder, keys._service, clock))
    assert b"".join([block async for block in opened.get(his)]) == SECRET + his.encode()

    async def stays_closed(key):
        raw = b"".join([block async for block in copied_bucket.get(key + SUFFIX)])
        assert SECRET not in raw
        with pytest.raises(ObjectMissing):
            [block async for block in opened.get(key)]

    await side_by_side(stays_closed(key) for key in hers)
    if count == 10_000:
        print(f"{count} files in PostgreSQL and a bucket erased in {seconds:.1f} s")
        assert seconds <= 60
