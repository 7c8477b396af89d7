"""Orders that meet one another, or the end of the file that they are about."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from sqlalchemy import func, insert, select, update

from filewright.chassis.web.problems import NotFound
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.errors import Expired
from filewright.converter.jobs import repository
from filewright.converter.jobs.errors import ConcurrencyLimited
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.statements import accepting
from filewright.converter.jobs.statements.parts import FARTHEST_PLACE
from filewright.converter.uploads.service import Uploads


def another_process(shop) -> Jobs:
    """The same service as another process has it: it knows nothing of what the first is doing."""
    return Jobs(
        database=shop.database, sources=shop.uploads, files=shop.artifacts, planner=shop.converter,
        notifier=shop.notifier, ids=shop.ids, sealer=shop.sealer, erase_files=shop.eraser.erase, rules=shop.rules,
    )  # fmt: skip


async def jobs_there_are(shop) -> int:
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(JobRow))).one()


@pytest.mark.requirement("S36", "J1")
async def test_orders_that_come_to_many_processes_at_once_get_exactly_as_many_places_as_there_are(shop, small_alice):
    order = JobOrder((JobInput(upload=await shop.upload()),), to="md")
    processes = [another_process(shop) for _ in range(12)]
    answers = await asyncio.gather(
        *(jobs.submit(small_alice, order) for jobs in processes for _ in range(3)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, ConcurrencyLimited)]
    assert (len(answers) - len(refused), await jobs_there_are(shop)) == (2, 2)


async def test_orders_of_one_tenant_to_many_processes_are_all_accepted_and_queue_behind_one_another(shop, alice):
    order = JobOrder((JobInput(upload=await shop.upload()),), to="md")
    await asyncio.gather(*(another_process(shop).submit(alice, order) for _ in range(12)))
    async with shop.database.read() as session:
        turns = (await session.scalars(select(JobRow.queued_at).order_by(JobRow.queued_at))).all()
    apart = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(turns)]
    assert apart == [accepting.TURN_SECONDS] * 11


async def test_an_order_whose_file_goes_in_the_last_moment_is_refused_and_leaves_nothing(shop, alice, monkeypatch):
    look_up = shop.uploads.artifact_of_upload

    async def just_before(on, tenant, upload):
        found = await look_up(on, tenant, upload)
        async with shop.database.write() as session:
            await session.execute(update(ArtifactRow).values(erased_at=await shop.database.now(session)))
        return found

    upload = await shop.upload()
    monkeypatch.setattr(shop.uploads, "artifact_of_upload", just_before)
    with pytest.raises(Expired):
        await shop.jobs.submit(alice, JobOrder((JobInput(upload=upload),), to="md"))
    assert await jobs_there_are(shop) == 0


@pytest.mark.parametrize("database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_an_order_that_finds_no_room_just_before_a_job_ends_takes_its_place(shop, small_alice, monkeypatch):
    order = JobOrder((JobInput(upload=await shop.upload()),), to="md")
    first, _ = [await shop.jobs.submit(small_alice, order) for _ in range(2)]
    tell = repository.standing

    async def after_an_end(on, tenant, **more):
        await another_process(shop).cancel(small_alice, first.id)
        return await tell(on, tenant, **more)

    async def keeps_nothing(_session, _job) -> None:
        pass

    monkeypatch.setattr(repository, "standing", after_an_end)
    assert (await shop.jobs.submit(small_alice, order, within=keeps_nothing)).status == "queued"


async def test_an_order_tells_its_place_as_far_as_it_is_counted_and_a_look_tells_it_always(shop, alice, clock):
    first = await shop.order()
    async with shop.database.write() as session:
        (row,) = (await session.execute(select(JobRow.__table__).where(JobRow.id == first.id))).mappings()
        others = [dict(row) | {"id": shop.ids.new("job")} for _ in range(FARTHEST_PLACE - 2)]
        await session.execute(insert(JobRow), others)
    clock.move(1)
    last_counted, beyond = await shop.order(), await shop.order()
    assert (first.queue_position, last_counted.queue_position) == (1, FARTHEST_PLACE)
    assert (beyond.queue_position, beyond.estimated_seconds) == (None, None)
    assert (await shop.jobs.get(alice, beyond.id)).queue_position == FARTHEST_PLACE + 1


async def test_orders_of_one_tenant_that_come_together_are_whole_and_queue_behind_one_another(shop, alice):
    upload = await shop.upload()
    orders = [JobOrder((JobInput(upload=upload),), to="md", tag=f"order {n}") for n in range(12)]
    jobs = await asyncio.gather(*(shop.jobs.submit(alice, order) for order in orders))
    assert [(job.tag, job.queue_position) for job in jobs] == [(f"order {n}", n + 1) for n in range(12)]
    for job in jobs:
        assert await shop.jobs.get(alice, job.id) == job
    async with shop.database.read() as session:
        turns = (await session.execute(select(JobRow.id, JobRow.queued_at).order_by(JobRow.queued_at))).all()
    assert [job_id for job_id, _ in turns] == [job.id for job in jobs]
    apart = [(later - earlier).total_seconds() for (_, earlier), (_, later) in itertools.pairwise(turns)]
    assert apart == [accepting.TURN_SECONDS] * 11
    assert await shop.relay.run_once() == 12


async def test_an_upload_that_is_remembered_and_was_taken_away_is_unknown_although_a_job_has_its_file(
    remembering, alice
):
    shop = remembering
    order = JobOrder((JobInput(upload=await shop.upload()),), to="md")
    await shop.jobs.submit(alice, order)
    elsewhere = Uploads(
        database=shop.database, store=shop.store, artifacts=shop.artifacts, ids=shop.ids, scratch=shop.folder,
        in_use=repository.has_a_right_to,
    )  # fmt: skip
    await elsewhere.terminate(alice, order.inputs[0].upload)
    answers = await asyncio.gather(*(shop.jobs.submit(alice, order) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [NotFound] * 5
    assert await jobs_there_are(shop) == 1


async def test_a_file_that_is_remembered_and_was_erased_is_expired(remembering, alice):
    shop = remembering
    order = JobOrder((JobInput(upload=await shop.upload()),), to="md")
    async with shop.database.write() as session:
        await session.execute(update(ArtifactRow).values(erased_at=await shop.database.now(session)))
    with pytest.raises(Expired):
        await shop.jobs.submit(alice, order)
    assert await jobs_there_are(shop) == 0


async def test_what_is_remembered_for_one_tenant_is_no_upload_of_another(remembering, bob):
    order = JobOrder((JobInput(upload=await remembering.upload()),), to="md")
    with pytest.raises(NotFound):
        await remembering.jobs.submit(bob, order)


async def test_of_orders_that_come_together_only_those_whose_file_is_gone_are_refused(shop, alice, monkeypatch):
    there, gone = await shop.upload(b"one text"), await shop.upload(b"another text")
    look_up = shop.uploads.artifact_of_upload

    async def before_it_goes(on, tenant, upload):
        found = await look_up(on, tenant, upload)
        if upload == gone:
            async with shop.database.write() as session:
                erased = update(ArtifactRow).where(ArtifactRow.id == found.id)
                await session.execute(erased.values(erased_at=await shop.database.now(session)))
        return found

    monkeypatch.setattr(shop.uploads, "artifact_of_upload", before_it_goes)
    orders = [JobOrder((JobInput(upload=upload),), to="md") for upload in (there, gone) * 3]
    answers = await asyncio.gather(*(shop.jobs.submit(alice, order) for order in orders), return_exceptions=True)
    assert [isinstance(answer, Expired) for answer in answers] == [False, True] * 3
    assert await jobs_there_are(shop) == 3
