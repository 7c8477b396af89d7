"""Orders that are answered with what an earlier job has made, and those that must not be."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text

from filewright.converter.artifacts.models import ArtifactRow, FileHashRow
from filewright.converter.errors import Expired
from filewright.converter.jobs import repository
from filewright.converter.jobs.errors import ConcurrencyLimited
from filewright.converter.jobs.models import AttemptRow, JobEndingRow, TenantGateRow, UsageMonthRow, UsageRow
from filewright.converter.jobs.ordering.known import KnownResults
from filewright.converter.jobs.ordering.ordering import Reusing
from filewright.converter.jobs.ordering.result_keys import ResultKeys, Surroundings
from filewright.converter.jobs.orders import JobInput, JobOrder, Reuse
from filewright.converter.jobs.service import Jobs
from filewright.converter.tiers import LOCAL, Caller


def remembering(shop, folders=()) -> Jobs:
    """The service as a process has it that answers with results that are there."""
    surroundings = Surroundings(folders, scanned=False, clock=shop.clock)
    known = KnownResults(shop.database, shop.artifacts, shop.ids, shop.metrics)
    return Jobs(
        database=shop.database, sources=shop.uploads, files=shop.artifacts, planner=shop.converter,
        notifier=shop.notifier, ids=shop.ids, sealer=shop.sealer, erase_files=shop.eraser.erase, rules=shop.rules,
        reusing=Reusing(ResultKeys(b"k" * 32, surroundings), known),
    )  # fmt: skip


@pytest.fixture
async def jobs(shop):
    shop.jobs = remembering(shop)
    return shop.jobs


@pytest.fixture
async def first(shop, jobs):
    """A job that is done."""
    job = await shop.order()
    assert (job.cache, await shop.work()) == ("miss", "succeeded")
    return job


async def count(shop, *what) -> int:
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(what[0]).where(*what[1:]))).one()


async def test_the_same_order_again_is_over_at_once_and_has_the_bytes(shop, alice, first):
    again = await shop.order()
    assert (again.status, again.cache, again.progress, again.attempt) == ("succeeded", "hit", 100, 0)
    assert again.id != first.id
    assert again == await shop.jobs.get(alice, again.id)
    done = await shop.jobs.get(alice, first.id)
    assert done.cache == "miss"
    assert [(item.name, item.sha256, item.bytes) for item in again.outputs] == [
        (item.name, item.sha256, item.bytes) for item in done.outputs
    ]
    assert (await shop.read(again), again.route, again.target_format) == (b"HELLO", done.route, "md")
    assert await shop.work() is None, "nothing waits for a worker"
    assert len(shop.converter.seen) == 1
    assert [event.data["status"] async for event in await shop.jobs.events(alice, again.id)][-1] == "succeeded"


async def test_it_is_charged_to_nobody_and_needs_no_room(shop, alice, first):
    before = await count(shop, UsageRow), await count(shop, AttemptRow)
    full = Caller("alice", replace(LOCAL, max_queued_jobs=1))
    assert (await shop.order(b"another", full)).status == "queued"
    spent = Caller("alice", replace(LOCAL, max_queued_jobs=1, monthly_conversions=1))
    with pytest.raises(ConcurrencyLimited):
        await shop.order(b"a third", spent)
    assert (await shop.order(caller=spent)).cache == "hit"
    assert (await count(shop, UsageRow), await count(shop, AttemptRow)) == before
    async with shop.database.read() as session:
        assert (await session.scalars(select(UsageMonthRow.conversions))).all() == [1]


@pytest.mark.requirement("S20")
async def test_what_one_has_made_answers_nobody_else(shop, bob, first):
    theirs = await shop.order(caller=bob)
    assert (theirs.status, theirs.cache) == ("queued", "miss")


@pytest.mark.requirement("S20")
async def test_the_key_of_one_says_nothing_of_the_files_of_another(shop, jobs, alice, bob):
    keys = []
    for caller in (alice, bob):
        await shop.order(caller=caller)
    async with shop.database.read() as session:
        keys = (await session.execute(text("SELECT result_key FROM jobs"))).scalars().all()
    assert len({key for key in keys if key}) == 2


@pytest.mark.requirement("S21")
@pytest.mark.parametrize(
    "other",
    ["bytes", "name", "options", "said", "engine", "limits", "fonts", "password", "fresh", "none", "target gone"],
)
async def test_whatever_may_change_the_result_is_worked_on(shop, alice, first, other, tmp_path):
    data, name, order, said = b"hello", "text.txt", {}, None
    match other:
        case "bytes":
            data = b"hello!"
        case "name":
            name = "other.txt"
        case "options":
            order["options"] = {"dpi": 72}
        case "said":
            said = "txt"
        case "engine":
            shop.converter.hop = replace(shop.converter.hop, engine_version="1.1")
        case "limits":
            alice = Caller("alice", replace(LOCAL, max_pages=1))
        case "fonts":
            shop.jobs = remembering(shop, [tmp_path])
        case "password":
            order["password"] = "secret"
        case "fresh":
            order["reuse"] = Reuse.FRESH
        case "none":
            order["reuse"] = Reuse.NONE
        case "target gone":
            await shop.jobs.delete(alice, first.id)
    upload = await shop.upload(data, alice, name)
    job = await shop.jobs.submit(alice, JobOrder((JobInput(upload=upload, source_format=said),), to="md", **order))
    assert (job.cache, job.status) == ("miss", "queued")
    assert await shop.work() == "succeeded"


async def test_what_was_made_afresh_answers_the_next_and_what_was_made_apart_does_not(shop, jobs):
    await shop.order(reuse=Reuse.NONE)
    await shop.work()
    assert (await shop.order(reuse=Reuse.FRESH)).cache == "miss"
    await shop.work()
    assert (await shop.order()).cache == "hit"


@pytest.mark.requirement("S21")
@pytest.mark.parametrize("harm", [b"HELLU", b"HELL", None])
async def test_a_result_that_was_damaged_answers_nobody_and_is_made_anew(shop, clock, first, harm):
    (key,) = await shop.objects("results")
    path = shop.store.local_path(key)
    path.chmod(0o600)
    path.unlink() if harm is None else path.write_bytes(harm)
    await clock.advance(1)
    again = await shop.order()
    assert (again.cache, await shop.work()) == ("miss", "succeeded")
    assert await shop.read(again) == b"HELLO"
    assert (await shop.order()).cache == "hit"


async def test_what_came_about_in_another_way_than_was_planned_answers_nobody(shop, jobs):
    await shop.order()
    planned, shop.converter.hop = shop.converter.hop, replace(shop.converter.hop, engine="whisperer")
    await shop.work()
    shop.converter.hop = planned
    assert (await shop.order()).cache == "miss"


@pytest.mark.parametrize("gone", ["first", "second"])
async def test_of_two_jobs_with_one_result_each_can_be_deleted_and_leaves_the_other_its_own(shop, alice, first, gone):
    second = await shop.order()
    assert (len(await shop.objects("results")), await count(shop, FileHashRow)) == (1, 2)
    goes, stays = (first, second) if gone == "first" else (second, first)
    await shop.jobs.delete(alice, goes.id)
    with pytest.raises(Expired):
        await shop.read(goes)
    assert await shop.read(stays) == b"HELLO"
    third = await shop.order()
    assert third.cache == "hit"
    for job in (stays, third):
        await shop.jobs.delete(alice, job.id)
    assert await shop.objects("results") == []
    assert await count(shop, ArtifactRow, ArtifactRow.erased_at.is_(None)) == 0


async def test_each_is_kept_as_long_as_its_own_time(shop, alice, first, clock):
    await clock.advance(LOCAL.retention_seconds - 60)
    second = await shop.order()
    await clock.advance(120)
    await shop.pruner.run_once()
    assert (await shop.status(first), await shop.read(second)) == ("expired", b"HELLO")
    await clock.advance(LOCAL.retention_seconds)
    await shop.pruner.run_once()
    assert (await shop.status(second), await shop.objects("results")) == ("expired", [])
    assert (await shop.order()).cache == "miss"


async def test_a_result_past_its_time_answers_nobody_even_before_it_is_pruned(shop, first, clock):
    await clock.advance(LOCAL.retention_seconds + 1)
    assert (await shop.order()).cache == "miss"


async def test_what_was_uploaded_too_with_just_these_bytes_is_shared_with_it(shop, alice, jobs):
    await shop.upload(b"HELLO", name="shouted.txt")
    job = await shop.order()
    await shop.work()
    again = await shop.order()
    await shop.jobs.delete(alice, job.id)
    assert (again.cache, await shop.read(again)) == ("hit", b"HELLO")


async def test_orders_that_come_at_once_are_all_answered_and_counted(shop, alice, first):
    upload = await shop.upload()
    order = JobOrder((JobInput(upload=upload),), to="md")
    processes = [remembering(shop) for _ in range(4)]
    made = await asyncio.gather(*(jobs.submit(alice, order) for jobs in processes for _ in range(3)))
    assert {job.cache for job in made} == {"hit"}
    assert len(shop.converter.seen) == 1
    for job in (first, *made[:-1]):
        await shop.jobs.delete(alice, job.id)
    assert await shop.read(made[-1]) == b"HELLO"
    await shop.jobs.delete(alice, made[-1].id)
    assert await shop.objects("results") == []


async def test_of_a_batch_each_is_answered_or_worked_on_for_itself(shop, alice, first):
    orders = [
        JobOrder((JobInput(upload=await shop.upload(data)),), to="md", batch="bat_1") for data in (b"hello", b"other")
    ]
    made = await shop.jobs.submit_all(alice, orders)
    assert [(job.cache, job.status) for job in made] == [("hit", "succeeded"), ("miss", "queued")]
    assert [job.id for job in await shop.jobs.of_batch(alice, "bat_1")] == [job.id for job in made]


async def test_what_is_written_with_an_order_is_written_with_its_answer(shop, alice, first):
    seen = []

    async def within(_session, job):
        seen.append((job.id, job.status))

    order = JobOrder((JobInput(upload=await shop.upload()),), to="md")
    job = await shop.jobs.submit(alice, order, within=within)
    assert seen[-1] == (job.id, "succeeded")


async def test_whoever_listens_is_told_of_the_end(shop, alice, first):
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        await session.merge(TenantGateRow(tenant="alice", accepted_at=now, listens=True))
    job = await shop.order()
    async with shop.database.read() as session:
        (told,) = (await session.scalars(select(JobEndingRow))).all()
    assert (told.job_id, told.state) == (job.id, "succeeded")


async def test_a_font_that_is_put_into_a_folder_is_seen_within_a_minute(shop, alice, tmp_path):
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    shop.jobs = remembering(shop, [fonts])
    await shop.order()
    await shop.work()
    assert (await shop.order()).cache == "hit"
    (fonts / "new.ttf").write_bytes(b"")
    await shop.clock.advance(61)
    assert (await shop.order()).cache == "miss"


async def test_whoever_changes_their_fonts_has_later_orders_worked_on_and_nobody_else_does(
    shop, alice, bob, first, clock
):
    his = await shop.order(caller=bob)
    assert (his.cache, await shop.work()) == ("miss", "succeeded")
    waiting = await shop.order(b"ordered before, made after")
    await clock.advance(1)
    async with shop.database.write() as session:
        await repository.note_fonts(session, alice.tenant, await repository.hold_gate(session, alice.tenant))
    await clock.advance(1)
    assert await shop.work() == "succeeded"
    assert (await shop.order(caller=bob)).cache == "hit"
    assert (await shop.order(b"ordered before, made after")).cache == "miss"
    assert waiting.cache == "miss"
    assert (await shop.order()).cache == "miss"
    assert [await shop.work(), await shop.work()] == ["succeeded", "succeeded"]
    assert (await shop.order()).cache == "hit"
