"""An erased tenant is gone: from the service, from the disk, and from every copy that was made before."""

import asyncio
import shutil
import sqlite3
import time
from contextlib import closing

import pytest
from sqlalchemy import func, select

from filewright.chassis import failpoints
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.storage.port import ObjectMissing
from filewright.chassis.web.problems import NotFound
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.errors import Expired
from filewright.converter.jobs.running.runner import STALE
from filewright.converter.migrations.tables import metadata
from filewright.converter.privacy import erasing
from filewright.converter.privacy.certificates import Signer, is_genuine
from filewright.converter.privacy.erasing import Erasures

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECRET = b"only alice may read this, "


@pytest.fixture(autouse=True)
def no_failpoint_stays_armed():
    yield
    failpoints.arm("")


@pytest.fixture
def vault(shop, keys, clock):
    """The same shop, with everything in it encrypted."""
    return type(shop)(shop.folder, shop.database, clock, RandomIds(clock), EncryptedStore(shop.store, keys))


def erasures_of(shop, keys=None):
    return Erasures(
        shop.database, shop.store, shop.ids, Signer(b"s" * 32), shop.notifier, metadata, audit=shop.audit, keys=keys
    )


async def worked(shop, content, caller):
    job = await shop.order(content, caller=caller)
    assert await shop.work() == "succeeded"
    return job


@pytest.mark.requirement("S26")
async def test_files_jobs_and_uploads_are_gone_and_the_neighbours_are_not(shop, alice, bob):
    mine, his = await worked(shop, SECRET, alice), await worked(shop, b"bob's", bob)
    upload = await shop.upload(SECRET + b"never converted", alice)
    erasures = erasures_of(shop)
    ordered = await erasures.order("alice")
    assert await erasures.order("alice") == ordered
    assert not ordered.done
    assert await erasures.run_once() == 1
    for gone in (shop.jobs.get(alice, mine.id), shop.uploads.get(alice, upload)):
        with pytest.raises(NotFound):
            await gone
    assert await shop.read(his, bob) == b"BOB'S"
    assert len(await shop.objects()) == 2
    for path in (shop.folder / "objects").rglob("*"):
        assert not path.is_file() or SECRET.strip() not in path.read_bytes().lower()
    assert await erasures.run_once() == 0


@pytest.mark.requirement("S26")
async def test_the_certificate_says_what_was_erased_and_can_be_checked(vault, alice, keys):
    await worked(vault, SECRET, alice)
    key = (await keys.of("alice")).id.hex()
    erasures = erasures_of(vault, keys)
    ordered = await erasures.order("alice")
    await erasures.run_once()
    done = await erasures.get(ordered.id)
    statement = done.certificate["statement"]
    assert (statement["erasure"], statement["key_destroyed"]) == (ordered.id, key)
    assert statement["objects_deleted"] >= 2
    async with vault.database.read() as session:
        acts = (await session.scalars(select(AuditLogRow).order_by(AuditLogRow.id))).all()
    assert [(act.action, act.subject) for act in acts[-2:]] == [
        ("erasure.asked", ordered.id), ("erasure.done", ordered.id)
    ]  # fmt: skip
    assert acts[-1].tenant == statement["subject"]
    assert (statement["rows_deleted"]["jobs"], statement["rows_deleted"]["uploads"]) == (1, 1)
    assert "alice" not in str(done.certificate)
    public = done.certificate["public_key"]
    assert is_genuine(done.certificate, public)
    forged = {**done.certificate, "statement": {**statement, "objects_deleted": 7}}
    assert not is_genuine(forged, public)


@pytest.mark.requirement("S26")
async def test_a_copy_of_database_and_files_opens_nothing_with_the_keys_of_today(
    vault, alice, bob, keys, tmp_path, clock, database_url
):
    mine, his = await worked(vault, SECRET * 5000, alice), await worked(vault, b"bob's", bob)
    with (
        closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as now,
        closing(sqlite3.connect(tmp_path / "copy.sqlite")) as backup,
    ):
        now.backup(backup)
    shutil.copytree(tmp_path / "objects", tmp_path / "copied objects")
    erasures = erasures_of(vault, keys)
    await erasures.order("alice")
    assert await erasures.run_once() == 1

    again = TenantKeys(keys._folder, keys._service, clock)
    database = Database(f"sqlite:///{tmp_path / 'copy.sqlite'}", clock=clock)
    copied = EncryptedStore(LocalStore(tmp_path / "copied objects"), again)
    (tmp_path / "other").mkdir()
    other = type(vault)(tmp_path / "other", database, clock, RandomIds(clock), copied)
    try:
        assert (await other.jobs.get(alice, mine.id)).status == "succeeded"  # the row is there, in the copy
        with pytest.raises((Expired, ObjectMissing)):
            await other.read(mine)
        objects = [info.key async for info in copied.list()]
        async with database.read() as session:
            hers = {
                part["key"]
                for parts in await session.scalars(select(ArtifactRow.parts).where(ArtifactRow.tenant == "alice"))
                for part in parts
            }
        assert hers <= set(objects)
        for key in hers:
            with pytest.raises(ObjectMissing):
                [block async for block in copied.get(key)]
        assert await other.read(his, bob) == b"BOB'S"
    finally:
        await database.close()
    for item in (tmp_path / "copied objects").rglob("*"):
        assert not item.is_file() or SECRET not in item.read_bytes().lower()


@pytest.mark.requirement("F27")
async def test_what_is_being_converted_when_its_owner_is_erased_is_never_stored(vault, alice, keys):
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def pausing(assignment, cancel):
        reached.set()
        await go_on.wait()

    await vault.order(SECRET, caller=alice)
    vault.converter.before = pausing
    work = asyncio.create_task(vault.work())
    await reached.wait()
    erasures = erasures_of(vault, keys)
    await erasures.order("alice")
    assert await erasures.run_once() == 1
    go_on.set()
    assert await work == STALE
    assert await vault.objects() == []


@pytest.mark.requirement("F27")
async def test_who_is_downloading_when_the_owner_is_erased_gets_all_of_it_or_an_error(vault, alice, keys):
    job = await worked(vault, SECRET * 100_000, alice)
    opened = await vault.jobs.open_output(alice, job.id, 0)
    first = await anext(opened.chunks)
    await erasures_of(vault, keys).order("alice")
    await erasures_of(vault, keys).run_once()
    try:
        got = first + b"".join([block async for block in opened.chunks])
    except Exception:
        return
    assert got == SECRET.upper() * 100_000


@pytest.mark.requirement("F27", "F4")
@pytest.mark.parametrize("point", [erasing.SHREDDED, erasing.DELETED, erasing.FORGOTTEN])
async def test_an_erasure_that_was_cut_short_is_finished_and_its_certificate_counts_all(vault, alice, keys, point):
    await worked(vault, SECRET, alice)
    erasures = erasures_of(vault, keys)
    ordered = await erasures.order("alice")
    failpoints.arm(f"{point}=raise:EIO")
    assert await erasures.run_once() == 0
    failpoints.arm("")
    assert not (await erasures.get(ordered.id)).done
    assert await erasures_of(vault, keys).run_once() == 1
    statement = (await erasures.get(ordered.id)).certificate["statement"]
    assert statement["rows_deleted"]["jobs"] == 1
    assert await vault.objects() == []


@pytest.mark.requirement("S26")
async def test_what_comes_while_the_erasure_is_under_way_is_found_by_its_last_look(shop, alice, monkeypatch):
    await worked(shop, SECRET, alice)
    erasures = erasures_of(shop)
    ordered = await erasures.order("alice")
    forget = erasures._forget

    async def slow(tenant):
        rows = await forget(tenant)
        monkeypatch.setattr(erasures, "_forget", forget)
        await shop.upload(b"a moment later", alice)
        return rows

    monkeypatch.setattr(erasures, "_forget", slow)
    assert await erasures.run_once() == 0
    assert not (await erasures.get(ordered.id)).done
    assert await erasures.run_once() == 1
    assert await shop.objects() == []


async def many(shop, caller, count):
    """So many files with their rows, quicker than by uploading each."""
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        for n in range(count):
            key = f"uploads/upl_{n}/0"
            await shop.store.put(key, SECRET + str(n).encode(), owner=caller.tenant)
            session.add(
                ArtifactRow(
                    id=f"art_{n}", tenant=caller.tenant, filename=f"{n}.txt", media_type="text/plain", format="txt",
                    bytes=30, sha256=f"{n:064x}", parts=[{"key": key, "bytes": 30}], created_at=now,
                )
            )  # fmt: skip


@pytest.mark.requirement("S26")
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.alone])])
async def test_many_files_are_erased_in_a_minute(vault, alice, keys, count):
    await many(vault, alice, count)
    erasures = erasures_of(vault, keys)
    await erasures.order("alice")
    began = time.monotonic()
    assert await erasures.run_once() == 1
    seconds = time.monotonic() - began
    assert await vault.objects() == []
    async with vault.database.read() as session:
        assert (await session.scalars(select(func.count()).select_from(ArtifactRow))).one() == 0
    if count == 10_000:
        print(f"{count} files erased in {seconds:.1f} s")
        assert seconds <= 60
