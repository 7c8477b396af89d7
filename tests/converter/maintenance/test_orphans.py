"""Objects that no row knows of go after a while; nothing that is still wanted, or may be, ever does."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import StoreUnavailable
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.fixtures import s3_url
from filewright.converter.jobs.models import AttemptRow, JobRow
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.maintenance.orphans import OrphanCollector

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
STRANGER = "upl_01jd6qx2v7c8e9f0g1h2j3k4m5"
FORGOTTEN = "job_01jd6qx2v7c8e9f0g1h2j3k4m5"


@pytest.fixture
def collector(shop):
    return OrphanCollector(shop.database, shop.store, shop.metrics)


def make_old(clock):
    """The files' own times are the machine's; the collector's now is the test's."""
    clock.move(500 * 86400)


@pytest.mark.requirement("H1", "F18")
async def test_what_no_row_knows_of_is_deleted_after_the_grace_time_and_not_before(shop, clock, collector):
    lost = [f"uploads/{STRANGER}/direct", f"results/{FORGOTTEN}/2/0", f"results/{FORGOTTEN}/2/1"]
    for key in lost:
        await shop.store.put(key, b"nobody's")
    assert await collector.run_once() == 3
    assert await shop.objects() == sorted(lost)
    make_old(clock)
    assert await collector.run_once() == 3
    assert await shop.objects() == []
    assert b"orphans_deleted_total 3.0" in shop.metrics.render()


async def test_files_of_uploads_and_jobs_are_never_touched(shop, clock, collector):
    await shop.order(b"done")
    assert await shop.work() == "succeeded"
    await shop.order(b"waits")
    await shop.upload(b"unused")
    before = await shop.objects()
    assert len(before) == 4
    make_old(clock)
    await collector.run_once()
    assert await shop.objects() == before


@on_sqlite
async def test_an_upload_that_is_still_coming_in_keeps_what_has_arrived(shop, clock, collector, alice):
    upload = await shop.uploads.create(alice, filename="a.txt", length=10)

    async def half():
        yield b"hello"

    await shop.uploads.append(alice, upload.id, 0, half())
    await shop.store.put(f"uploads/{upload.id}/direct", b"x" * 10)
    before = await shop.objects()
    make_old(clock)
    await collector.run_once()
    assert await shop.objects() == before
    assert len(before) == 2


@on_sqlite
async def test_what_was_sent_again_after_an_upload_was_complete_is_deleted(shop, clock, collector):
    upload = await shop.upload()
    kept = await shop.objects()
    await shop.store.put(f"uploads/{upload}/direct", b"again")
    make_old(clock)
    await collector.run_once()
    assert await shop.objects() == kept


async def test_an_attempt_that_runs_keeps_what_it_stores(shop, clock, collector):
    job = await shop.order()
    claimed = await shop.runner().claim("standard")
    await shop.store.put(f"results/{job.id}/{claimed.lease.attempt}/0", b"half")
    before = await shop.objects()
    make_old(clock)
    await collector.run_once()
    assert await shop.objects() == before


@on_sqlite
async def test_what_a_worker_stored_after_its_attempt_was_swept_is_deleted(shop, clock, collector):
    job = await shop.order()
    await shop.runner().claim("standard")
    clock.move(31)
    await shop.rescuer.run_once()
    clock.move(16 * 60)
    await shop.pruner.run_once()
    async with shop.database.read() as session:
        assert (await session.get(AttemptRow, (job.id, 1))).swept
    kept = await shop.objects()
    await shop.store.put(f"results/{job.id}/1/0", b"from the dead")
    make_old(clock)
    await collector.run_once()
    assert await shop.objects() == kept


async def test_a_file_outlives_the_job_that_made_it_while_another_reads_it(shop, clock, collector, alice):
    """The rows of the first job go, its output stays as the input of the second."""
    first = await shop.order(b"first")
    await shop.work()
    await shop.jobs.submit(alice, JobOrder((JobInput(job=first.id, output=0, source_format="txt"),), to="md"))
    await shop.jobs.delete(alice, first.id)
    clock.move(40 * 86400)
    async with shop.database.write() as session:
        await session.execute(delete(JobRow).where(JobRow.id == first.id))
    needed = f"results/{first.id}/1/0"
    assert needed in await shop.objects()
    make_old(clock)
    await collector.run_once()
    assert needed in await shop.objects()


@on_sqlite
async def test_what_is_none_of_ours_is_left_alone(shop, clock, collector):
    others = ["probe/1", "uploads/README", "results/report.pdf", "uploads/upl_short/1", f"backups/{STRANGER}/1"]
    for key in others:
        await shop.store.put(key, b"theirs")
    make_old(clock)
    await collector.run_once()
    assert await shop.objects() == sorted(others)


@on_sqlite
async def test_a_long_walk_is_made_in_steps_and_begins_anew(shop, clock):
    for n in range(7):
        await shop.store.put(f"uploads/{STRANGER}/{n}", b"x")
    collector = OrphanCollector(shop.database, shop.store, shop.metrics, batch=3)
    assert [await collector.run_once() for _ in range(5)] == [3, 3, 1, 3, 3]
    make_old(clock)
    assert [await collector.run_once() for _ in range(2)] == [1, 3]


@on_sqlite
async def test_after_an_outage_the_walk_begins_anew(shop, clock, monkeypatch, collector):
    await shop.store.put(f"uploads/{STRANGER}/1", b"x")
    make_old(clock)
    with monkeypatch.context() as away:

        async def failing(_prefix):
            raise StoreUnavailable
            yield

        away.setattr(shop.store, "list", failing)
        with pytest.raises(StoreUnavailable):
            await collector.run_once()
    assert await collector.run_once() == 1
    assert await shop.objects() == []


@on_sqlite
@pytest.mark.s3
@pytest.mark.parametrize("database_clock", [None])
async def test_a_bucket_is_walked_the_same_way(database, s3_server, tmp_path):
    store = open_store(s3_url(s3_server), access_key_id=s3_server.key_id, secret_access_key=s3_server.secret)
    await store.put(f"uploads/{STRANGER}/1", b"x")
    young = OrphanCollector(database, store, Metrics())
    assert await young.run_once() == 1
    assert [item.key async for item in store.list()] == [f"uploads/{STRANGER}/1"]
    # S3 tells times in whole seconds, so "older than now" needs a little of the future.
    old = OrphanCollector(database, store, Metrics(), grace=timedelta(seconds=-5))
    assert await old.run_once() == 1
    assert [item.key async for item in store.list()] == []
